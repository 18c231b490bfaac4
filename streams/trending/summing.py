"""Which path counts take in stage two: the compiled one (native_lists.pyx) where it was built, else Python's. Both say
the same (tests/unit/test_trending_native_lists.py).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from schemas.trending import Count
from streams.compiled import compiled
from streams.trending.boards import PythonScoring, Scoring
from streams.trending.crowd import Exactly
from streams.trending.scoring import MINUTES, Params, weight
from streams.trending.series import Series
from streams.trending.viewers import exactly

MOST_WEIGHT = 1 << 31
"""What compiled sums of 64 bits have room for, times the views of an item in a week."""


class Held(NamedTuple):
    """What is remembered of a count that was taken."""

    version: int
    seen: tuple[int, int, int]
    reactions: int


class SumPath(NamedTuple):
    """What stage two sums and ranks with."""

    series: Callable[[], Any]
    """Makes an empty one."""
    held: Callable[[int, tuple[int, int, int], int], Any]
    """Makes a Held."""
    scoring: Scoring
    take: Callable[[Any, list[bytes]], int] | None
    """Takes bundles, says how many held anything new; None: Lists does it itself."""
    exactly: Exactly


def python_path(params: Params) -> SumPath:
    """Python all the way."""
    return SumPath(functools.partial(Series, params), Held, PythonScoring(), None, exactly)


def best_path(params: Params) -> SumPath:
    """The compiled path where there is one, and the parameters leave its sums room."""
    native = compiled("streams.trending.native_lists")
    if native is None or any(weight(each, params.half_lives_per_window, each) > MOST_WEIGHT for each in MINUTES):
        return python_path(params)
    scale = native.Scale(params)
    make = functools.partial(native.Series, scale)
    return SumPath(make, native.Held, native.NativeScoring(scale), native.take, native.few)


def difference(count: Count, old: Held | None) -> tuple[int, int, int, int]:
    """What a count adds to the one before it."""
    a, b, c = count.seen
    if old is None:
        return a, b, c, count.reactions
    return a - old.seen[0], b - old.seen[1], c - old.seen[2], count.reactions - old.reactions
