"""A daily row as progress keeps it: a cell of some forty bytes, exact.

cell    u32 mask · u32 per metric that the day has, in base units · u8 of the weekdays that the plan rests on, where
        there are any · msgpack of the day's bests and of the goals that were hit, where there are any

Bits of the mask are the metrics in the order of schemas.progress.METRICS, then WEEK, GOALS, REST and BESTS. To be
summed, a cell is widened: a u64 per metric and a u8 that counts it, side by side in one integer, so that adding a day
to a window is one addition and taking it out one subtraction (docs/adr/0005 is the same idea).

native.pyx reads rows into the same cells, compiled; reading.py says which of both is used.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from struct import Struct
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import astuple

from schemas.progress import BASE_MAX, DAY_RECORDS, ESTIMATE, METRICS, STREAKS
from schemas.rows import Best

WEEK = 1 << 28
GOALS = 1 << 29
REST = 1 << 30
BESTS = 1 << 31
_VALUES = (1 << len(METRICS)) - 1
_ADDED = _VALUES | WEEK
assert _VALUES < WEEK
WIDE = Struct(f"<{len(METRICS)}Q{len(METRICS)}B")
"""Layout of a widened cell, and of the sum of up to 255 of them."""
STREAK_BITS = {
    name: 1 << next(i for i, m in enumerate(METRICS) if m.name == metric) for name, metric in STREAKS.items()
}
"""Streak → the bit of the mask that says that the day belongs to it."""
MARKS = REST | sum(STREAK_BITS.values())
"""Bits of the mask that streaks rest on."""
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class GoalFacts(msgspec.Struct, gc=False):
    """What progress reads of a goal."""

    hit: bool | None = None


class DayFacts(
    msgspec.defstruct(  # type: ignore[misc]
        "_Metrics", [(m.name, float | None, None) for m in METRICS], namespace={"__doc__": "The metrics."}, gc=False
    )
):
    """What progress reads of a daily row; the rest is skipped unread."""

    user_id: str = ""
    date: str = ""
    version: int = 0
    entities: int | None = None
    bests: dict[str, Best] | None = None
    rest_day: bool = False
    """Whether rest was planned."""
    rest_days: list[str] | None = None
    """Weekdays that the plans of the day rest on."""
    goals: dict[str, GoalFacts] | None = None


decode_facts: Callable[[bytes], DayFacts] = msgspec.json.Decoder(DayFacts).decode
_SCALES = tuple(m.scale for m in METRICS)
_pack = msgspec.msgpack.Encoder().encode
_unpack_bests: Callable[[bytes], dict[str, Best]] = msgspec.msgpack.Decoder(dict[str, Best]).decode
_unpack_goals: Callable[[bytes], list[str]] = msgspec.msgpack.Decoder(list[str]).decode
_unpack_both: Callable[[bytes], tuple[list[str], dict[str, Best]]] = msgspec.msgpack.Decoder(
    tuple[list[str], dict[str, Best]]
).decode
_PAIR = b"\x92"
"""msgpack: two values follow."""


def cell_of(facts: DayFacts) -> bytes | None:
    """The cell of a daily row; None where nothing is left on the day."""
    if facts.entities is None:
        return None
    mask, bit, values = 0, 1, []
    for value, scale in zip(astuple(facts), _SCALES, strict=False):
        if value is not None:
            exact = value * scale
            if 0 <= exact < BASE_MAX + 1 and (base := round(exact)) <= BASE_MAX:
                mask |= bit
                values.append(base)
        bit <<= 1
    tail = b""
    if facts.rest_days and (week := sum({1 << WEEKDAYS.index(name) for name in facts.rest_days})):
        mask |= WEEK
        values.append(week)
    shape = mask
    if facts.rest_day:
        mask |= REST
    if facts.goals and (hit := sorted([name for name, goal in facts.goals.items() if goal.hit])):
        mask |= GOALS
        tail = _pack(hit)
    if facts.bests:
        mask |= BESTS
        tail = _PAIR + tail + _pack(facts.bests) if tail else _pack(facts.bests)
    return _narrow(shape).pack(mask, *values) + tail


@lru_cache(maxsize=4096)
def _narrow(added: int) -> Struct:
    week = "B" if added & WEEK else ""
    return Struct(f"<I{(added & _VALUES).bit_count()}I{week}")


def mask_of(cell: bytes | None) -> int:
    """The mask of a cell; 0 for no cell."""
    return 0 if cell is None else int.from_bytes(cell[:4], "little")


def week_of(cell: bytes | None) -> int:
    """Bits of the weekdays, Monday first, that the plans of the day rest on."""
    mask = mask_of(cell)
    return cell[_narrow(mask & _ADDED).size - 1] if cell is not None and mask & WEEK else 0


class _Shape(NamedTuple):
    """How the cells of one mask are read."""

    narrow: Struct
    wide: Struct
    counts: int
    records: tuple[tuple[str, int, int], ...]
    """DAY_RECORDS that are there: name, place in the narrow tuple (the mask comes first), scale."""
    size: int
    end: int
    """Of the values in the narrow tuple."""


@lru_cache(maxsize=4096)
def _shape(added: int) -> _Shape:
    there = [i for i in range(len(METRICS)) if added >> i & 1]
    layout = "".join("Q" if i in there else "8x" for i in range(len(METRICS)))
    counts = sum(1 << 8 * (8 * len(METRICS) + i) for i in there)
    records = tuple(
        (METRICS[i].name, at + 1, METRICS[i].scale) for at, i in enumerate(there) if METRICS[i].name in DAY_RECORDS
    )
    narrow = _narrow(added)
    return _Shape(narrow, Struct("<" + layout), counts, records, narrow.size, len(there) + 1)


def widened(cell: bytes | None) -> int:
    """A cell as an integer that can be summed; 0 for no cell."""
    if cell is None:
        return 0
    narrow, wide, counts, _, _, end = _shape(int.from_bytes(cell[:4], "little") & _ADDED)
    return int.from_bytes(wide.pack(*narrow.unpack_from(cell)[1:end]), "little") | counts


Candidates = dict[str, tuple[float, str | None]]
"""Record → what a day brings for it: value and entity."""


class Tail(NamedTuple):
    """What follows the metrics of a cell."""

    goals: list[str]
    """Goals that were hit, sorted."""
    bests: dict[str, Best]


NO_TAIL = Tail([], {})


def tail_of(packed: bytes, mask: int) -> Tail:
    """The tail of a cell with that mask."""
    if mask & GOALS:
        return Tail(*_unpack_both(packed)) if mask & BESTS else Tail(_unpack_goals(packed), {})
    return Tail([], _unpack_bests(packed)) if mask & BESTS else NO_TAIL


class Opened(NamedTuple):
    """A cell, read; its metrics are summed elsewhere."""

    mask: int
    records: Candidates
    """What the whole day brings for the personal records."""
    tail: bytes
    """What single workouts bring, and goals: msgpack."""
    week: int


CLOSED = Opened(0, {}, b"", 0)
"""No cell."""


def opened(cell: bytes | None) -> Opened:
    """What a cell says beside its metrics."""
    if cell is None:
        return CLOSED
    mask = int.from_bytes(cell[:4], "little")
    narrow, _, _, records, size, end = _shape(mask & _ADDED)
    found: Candidates = {}
    week = 0
    if records or mask & WEEK:
        values = narrow.unpack_from(cell)
        for name, at, scale in records:
            if base := values[at]:
                found[name] = (base / scale, None)
        if mask & WEEK:
            week = values[end]
    return Opened(mask, found, cell[size:], week)


def candidates(cell: bytes) -> Candidates:
    """What a day brings for the personal records."""
    mask, found, tail, _ = opened(cell)
    return found | tail_of(tail, mask).bests if mask & BESTS else found


def estimates(found: dict[str, Any]) -> dict[str, float]:
    """Exercise → best estimated one-repetition maximum of the day in kg, among the day's bests."""
    return {name[len(ESTIMATE) :]: value[0] for name, value in found.items() if name.startswith(ESTIMATE)}
