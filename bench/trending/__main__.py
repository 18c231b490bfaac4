"""`python -m bench.trending`: what stage one takes per core, with many videos and with one hot one."""

from __future__ import annotations

import argparse

from bench.trending.fold import measure


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.trending", description=__doc__)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--users", type=int, default=100_000)
    asked = parser.parse_args()
    for name, hot in (("Zipf", 0.0), ("one video with half of all views", 0.5)):
        cost = measure(name, asked.events, asked.users, hot)
        print(f"{cost.name}: {cost.events_per_second:,} events/s on one core, {cost.counts:,} records for stage two")


if __name__ == "__main__":
    main()
