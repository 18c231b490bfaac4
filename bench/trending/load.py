"""Views for the benchmark: about 400 bytes each, all distinct, made faster than they are folded."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import accumulate

from producers.dice import dice

VIDEOS, CREATORS, TAGS, SOUNDS, REGIONS = 10_000, 1_000, 500, 2_000, ("DE", "FR", "GB", "IT", "US", "ES", "PL", "NL")


def views(
    n: int, users: int, start_ms: int, per_second: float, *, hot: float, seed: int = 1
) -> Iterator[tuple[bytes, bytes]]:
    """`n` views as (key, value), in the order of their times. `hot`: share of one video; the rest is Zipf's."""
    rng = dice(seed, "bench", hot)
    random = rng.random
    sums = list(accumulate(1 / rank for rank in range(1, VIDEOS + 1)))
    shown = [_shown(seed, number) for number in range(VIDEOS)]
    people = [(f"u_{n:07}".encode(), f'"subject":"u_{n:07}","time":"', REGIONS[n % len(REGIONS)]) for n in range(users)]
    second, clock = -1, ""
    for i in range(n):
        ms = start_ms + int(i * 1000 / per_second)
        if ms // 1000 != second:
            second = ms // 1000
            clock = datetime.fromtimestamp(second, UTC).isoformat()[:19]
        video = 0 if random() < hot else min(bisect(sums, random() * sums[-1]), VIDEOS - 1)
        key, who, region = people[int(random() * users)]
        number = f"{i:012x}"
        yield (
            key,
            (
                f'{{"specversion":"1.0","id":"01957c1e-7d4e-7000-8000-{number}","source":"ios/5.2.0","type":"view.recorded",'
                f'{who}{clock}.{ms % 1000:03}Z","entity":"view_{number}","data":{{{shown[video]},"region":"{region}",'
                f'"watched_s":{12 + i % 40}.5,"length_s":{30 + video % 60}.0}}}}'
            ).encode(),
        )


def _shown(seed: int, number: int) -> str:
    random = dice(seed, "shown", number).random
    tags = ",".join(f'"tag{int(random() * TAGS)}"' for _ in range(2))
    return (
        f'"content":"v{number:07}","creator":"c{int(random() * CREATORS):05}","hashtags":[{tags}],'
        f'"sound":"s{int(random() * SOUNDS):05}","category":"music"'
    )
