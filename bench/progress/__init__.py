"""How many daily rows a second the progress stream takes: `python -m bench.progress`, its fold alone: `….fold`."""
