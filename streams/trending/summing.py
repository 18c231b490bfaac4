"""Which path counts take in stage two: the compiled one (native_lists.pyx) where it was built, else Python's. Both say
the same (tests/unit/test_trending_native_lists.py).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from schemas.trending import Count, encode_entry
from streams.compiled import compiled
from streams.trending.boards import Asked, PythonScoring, Scoring
from streams.trending.crowd import Exactly
from streams.trending.ranking import Place
from streams.trending.scoring import MINUTES, Params, weight
from streams.trending.series import Series, entry
from streams.trending.viewers import exactly

MOST_WEIGHT = 1 << 31
"""What compiled sums of 64 bits have room for, times the views of an item in a week."""


class Held(NamedTuple):
    """What is remembered of a count that was taken."""

    version: int
    seen: tuple[int, int, int]
    reactions: int


Written = dict[str, tuple[tuple[Any, ...], msgspec.Raw]]
"""Item → what its entry was made of, and the entry, encoded; in the order of the list."""
Write = Callable[[Asked, list[Place], dict[str, int], Written, Callable[[str], str | None] | None], Written]


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
    written: Write
    """Makes the entries of a list: of places, scores, the entries before it, and who made a video."""


def written(
    exactly: Exactly,
    asked: Asked,
    places: list[Place],
    scores: dict[str, int],
    before: Written,
    creator_of: Callable[[str], str | None] | None,
) -> Written:
    """The entries of a list; those that would be as they were are taken from `before`."""
    found: Written = {}
    for item, left_out in places:
        series = asked.items[item]
        creator = creator_of(item) if creator_of is not None else None
        made_of = (series.changes, asked.now, asked.weeks, creator, left_out)
        held = before.get(item)
        if held is None or held[0] != made_of:
            parts, sums = series.parts(*asked[1:]), series.summed(asked.window, asked.now)
            unique = 0
            if series.crowd is not None:
                unique = series.crowd.unique(asked.window, asked.now, sums.viewers, exactly)
            shown = entry(item, sums, parts, unique, creator, left_out)
            held = made_of, msgspec.Raw(encode_entry(shown))
        found[item] = held
    return found


def python_path(params: Params) -> SumPath:
    """Python all the way."""
    return SumPath(
        functools.partial(Series, params), Held, PythonScoring(), None, exactly, functools.partial(written, exactly)
    )


def best_path(params: Params) -> SumPath:
    """The compiled path where there is one, and the parameters leave its sums room."""
    native = compiled("streams.trending.native_lists")
    if native is None or any(weight(each, params.half_lives_per_window, each) > MOST_WEIGHT for each in MINUTES):
        return python_path(params)
    scale = native.Scale(params)
    make = functools.partial(native.Series, scale)
    return SumPath(make, native.Held, native.NativeScoring(scale), native.take, native.few, native.written)


def difference(count: Count, old: Held | None) -> tuple[int, int, int, int]:
    """What a count adds to the one before it."""
    a, b, c = count.seen
    if old is None:
        return a, b, c, count.reactions
    return a - old.seen[0], b - old.seen[1], c - old.seen[2], count.reactions - old.reactions
