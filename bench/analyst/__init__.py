"""What analysts wait for: `python -m bench.analyst` times docs/how-to/analyse.md on a year of 10,000 people."""
