"""One per user and item in each hour, day and week: which views of a user count, and in which minute. Pure.

A code is minute · 1,024 + region, so the earliest of several is their minimum, whatever order they came in. Of a user
and an item only the earliest code of each hour is kept (of reactions: of each week); all else follows from those.
"""

from __future__ import annotations

from collections.abc import Iterable

from streams.trending.events import REGIONS, VIEW, WEIGHTS

HOUR, DAY, WEEK = (minutes * REGIONS for minutes in (60, 1_440, 10_080))
"""In codes; days and weeks are those of UTC since 1970-01-01, a Thursday."""

LANE = 20
IN_HOUR, IN_DAY, IN_WEEK, REACTED = (1 << LANE * n for n in range(4))
"""Counts as lanes of one integer: who was first seen in the hour, in the day, in the week; weighted reactions."""
LANE_MASK = IN_DAY - 1
FRESH = IN_HOUR + IN_DAY + IN_WEEK

Firsts = int | tuple[int, ...]
"""The earliest codes, ascending; one alone is not wrapped."""


def unit_of(slot: int) -> int:
    """How many codes share one first."""
    return HOUR if slot == VIEW else WEEK


def fresh(slot: int) -> int:
    """What the first code of a user and item adds."""
    return FRESH if slot == VIEW else WEIGHTS[slot] * REACTED


def earliest(codes: Iterable[int], unit: int) -> Firsts:
    """The earliest code of each unit.

    >>> earliest([5, 7, HOUR + 3, HOUR + 2], HOUR) == (5, HOUR + 2), earliest([7, 5], HOUR)
    (True, 5)
    """
    found: dict[int, int] = {}
    for code in codes:
        at = code // unit
        if at not in found or code < found[at]:
            found[at] = code
    kept = tuple(sorted(found.values()))
    return kept[0] if len(kept) == 1 else kept


def counted(firsts: Firsts, slot: int) -> dict[int, int]:
    """Code → lanes that these firsts add to."""
    codes = (firsts,) if isinstance(firsts, int) else firsts
    if slot != VIEW:
        return dict.fromkeys(codes, WEIGHTS[slot] * REACTED)
    found: dict[int, int] = {}
    day = week = -1
    for code in codes:
        lanes = IN_HOUR
        if code // DAY != day:
            day, lanes = code // DAY, lanes + IN_DAY
        if code // WEEK != week:
            week, lanes = code // WEEK, lanes + IN_WEEK
        found[code] = lanes
    return found


def moved(before: Firsts, after: Firsts, slot: int) -> dict[int, int]:
    """Code → what to add to its lanes when `before` becomes `after`; may be negative."""
    found = counted(after, slot)
    for code, lanes in counted(before, slot).items():
        found[code] = found.get(code, 0) - lanes
    return {code: lanes for code, lanes in found.items() if lanes}
