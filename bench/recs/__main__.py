"""`python -m bench.recs`: hit rate@20 and coverage on a time split of the generator, beside popularity and random;
`--fold`: what stage one costs a core.
"""

from __future__ import annotations

import argparse

from bench.recs import fold, methods
from bench.recs.split import split

SIZE = 20


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.recs", description=__doc__)
    parser.add_argument("--users", type=int, default=2_000)
    parser.add_argument("--views", type=int, default=60_000)
    parser.add_argument("--catalogue", type=int, default=2_000)
    parser.add_argument("--days", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fold", action="store_true", help="CPU microseconds an event, no broker")
    asked = parser.parse_args()
    if asked.fold:
        cost = fold.measure(asked.views, asked.users)
        total = cost.fold + cost.drain
        print(f"fold {cost.fold:.1f} + drain {cost.drain:.1f} µs an event: {1e6 / total:,.0f} events/s on one core")
        return
    cut = split(asked.users, asked.views, asked.catalogue, asked.days, asked.seed)
    print(
        f"{len(cut.records):,} events of {len(cut.seen):,} users are learnt from, {len(cut.catalogue):,} videos; "
        f"{len(cut.goals):,} users like something new afterwards"
    )
    print(f"\n| | hit rate@{SIZE} | coverage@{SIZE} |\n| --- | ---: | ---: |")
    for name, method in (
        ("Daybook", methods.daybook(cut, SIZE)),
        ("popularity", methods.popular(cut, SIZE)),
        ("random", methods.random(cut, SIZE, asked.seed)),
        ("who knows the planted tastes", methods.oracle(cut, SIZE, asked.seed)),
    ):
        shown = {user: method(user) for user in cut.goals}
        hits = sum(goal in shown[user] for user, goal in cut.goals.items())
        covered = {video for videos in shown.values() for video in videos}
        print(f"| {name} | {hits / len(cut.goals):.1%} | {len(covered) / len(cut.catalogue):.1%} |")


if __name__ == "__main__":
    main()
