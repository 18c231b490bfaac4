"""How long to wait before trying again: longer each time, never in step with others. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

FIRST_S = 0.1
LONGEST_S = 5.0


def delays(random: Random) -> Iterator[float]:
    """Seconds to wait, without end: doubling up to LONGEST_S, each cut by up to half at random.

    >>> [0.05 <= s <= 5 for s, _ in zip(delays(Random(1)), range(3))]
    [True, True, True]
    """
    longest = FIRST_S
    while True:
        yield longest * random.uniform(0.5, 1.0)
        longest = min(longest * 2, LONGEST_S)
