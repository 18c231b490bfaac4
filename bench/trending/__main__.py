"""`python -m bench.trending`: what stage one takes per core, with many videos and with one hot one; `--lists`: what
stage two takes; `--fresh`: how long from a view to its list.
"""

from __future__ import annotations

import argparse

from bench.trending.fold import measure


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.trending", description=__doc__)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--fresh", action="store_true", help="freshness, on a whole Daybook of its own")
    parser.add_argument("--rate", type=int, default=7_000, help="views a second beside the probes")
    parser.add_argument("--probes", type=int, default=60)
    parser.add_argument("--lists", action="store_true", help="stage two, alone")
    parser.add_argument("--seconds", type=int, default=30, help="of views, for --lists")
    asked = parser.parse_args()
    if asked.lists:
        from bench.trending import lists

        two = lists.measure(asked.rate, asked.seconds, asked.users)
        share, per_s = two.cpu_s / two.seconds, two.counts / two.seconds
        print(f"stage two at {asked.rate:,} views/s: {share:.2f} of a core, {per_s:,.0f} counts/s,", end=" ")
        print(f"{two.lists / two.seconds:,.0f} lists/s; one place busy {two.longest_s:.2f} s a flush at most")
        return
    if asked.fresh:
        from bench.trending import fresh

        found = fresh.measure(asked.rate, asked.probes, asked.users)
        late = sum(took >= fresh.LATE for took in found.seconds)
        print(
            f"view to list in Redis at {found.per_second:,.0f} views/s: p50 {found.at(0.5):.2f} s, "
            f"p99 {found.at(0.99):.2f} s, longest {found.seconds[-1]:.2f} s of {len(found.seconds)}; {late} never"
        )
        for name, took in found.steps:
            print(f"  {name}: p50 {took[len(took) // 2]:.2f} s, longest {took[-1]:.2f} s")
        print("cores: " + ", ".join(f"{name} {share:.2f}" for name, share in found.cores if share >= 0.005))
        return
    for name, hot in (("Zipf", 0.0), ("one video with half of all views", 0.5)):
        cost = measure(name, asked.events, asked.users, hot)
        print(f"{cost.name}: {cost.events_per_second:,} events/s on one core, {cost.counts:,} records for stage two")


if __name__ == "__main__":
    main()
