"""A daily row as progress keeps it: a cell of some forty bytes, exact.

cell    u32 mask · u32 per metric that the day has, in base units · msgpack of the day's bests, where there are any

Bits of the mask are the metrics in the order of schemas.progress.METRICS, then REST and BESTS. To be summed, a cell is
widened: a u64 per metric and a u8 that counts it, side by side in one integer, so that adding a day to a window is one
addition and taking it out one subtraction (docs/adr/0005 is the same idea).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from struct import Struct
from typing import NamedTuple

import msgspec
from msgspec.structs import astuple

from schemas.progress import BASE_MAX, DAY_RECORDS, ESTIMATE, METRICS, STREAKS
from schemas.rows import Best

REST = 1 << 30
BESTS = 1 << 31
_VALUES = (1 << len(METRICS)) - 1
WIDE = Struct(f"<{len(METRICS)}Q{len(METRICS)}B")
"""Layout of a widened cell, and of the sum of up to 255 of them."""
STREAK_BITS = {
    name: 1 << next(i for i, m in enumerate(METRICS) if m.name == metric) for name, metric in STREAKS.items()
}
"""Streak → the bit of the mask that says that the day belongs to it."""


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


decode_facts: Callable[[bytes], DayFacts] = msgspec.json.Decoder(DayFacts).decode
_SCALES = tuple(m.scale for m in METRICS)
_pack_bests = msgspec.msgpack.Encoder().encode
_unpack_bests: Callable[[bytes], dict[str, Best]] = msgspec.msgpack.Decoder(dict[str, Best]).decode


def cell_of(facts: DayFacts) -> bytes | None:
    """The cell of a daily row; None where nothing is left on the day."""
    if facts.entities is None:
        return None
    mask, bit, values = 0, 1, []
    for value, scale in zip(astuple(facts), _SCALES, strict=False):
        if value is not None:
            base = round(value * scale)
            if base <= BASE_MAX:
                mask |= bit
                values.append(base)
        bit <<= 1
    if facts.rest_day:
        mask |= REST
    if facts.bests:
        return _narrow(mask & _VALUES).pack(mask | BESTS, *values) + _pack_bests(facts.bests)
    return _narrow(mask & _VALUES).pack(mask, *values)


@lru_cache(maxsize=4096)
def _narrow(metrics: int) -> Struct:
    return Struct(f"<I{metrics.bit_count()}I")


def mask_of(cell: bytes) -> int:
    """The mask of a cell."""
    return int.from_bytes(cell[:4], "little")


class _Shape(NamedTuple):
    """How the cells of one mask are read."""

    narrow: Struct
    wide: Struct
    counts: int
    records: tuple[tuple[str, int, int], ...]
    """DAY_RECORDS that are there: name, place in the narrow tuple (the mask comes first), scale."""
    size: int


@lru_cache(maxsize=4096)
def _shape(metrics: int) -> _Shape:
    there = [i for i in range(len(METRICS)) if metrics >> i & 1]
    layout = "".join("Q" if i in there else "8x" for i in range(len(METRICS)))
    counts = sum(1 << 8 * (8 * len(METRICS) + i) for i in there)
    records = tuple(
        (METRICS[i].name, at + 1, METRICS[i].scale) for at, i in enumerate(there) if METRICS[i].name in DAY_RECORDS
    )
    narrow = _narrow(metrics)
    return _Shape(narrow, Struct("<" + layout), counts, records, narrow.size)


def widened(cell: bytes | None) -> int:
    """A cell as an integer that can be summed; 0 for no cell."""
    return 0 if cell is None else opened(cell).wide


Candidates = dict[str, tuple[float, str | None]]
"""Record → what a day brings for it: value and entity."""


class Opened(NamedTuple):
    """A cell, read."""

    mask: int
    wide: int
    """See `widened`."""
    candidates: Candidates
    """What the day brings for the personal records."""


CLOSED = Opened(0, 0, {})
"""No cell."""


def opened(cell: bytes) -> Opened:
    """All that a cell says."""
    mask = int.from_bytes(cell[:4], "little")
    narrow, wide, counts, records, size = _shape(mask & _VALUES)
    values = narrow.unpack_from(cell)
    found: Candidates = {}
    for name, at, scale in records:
        if base := values[at]:
            found[name] = (base / scale, None)
    if mask & BESTS:
        found |= _unpack_bests(cell[size:])
    return Opened(mask, int.from_bytes(wide.pack(*values[1:]), "little") | counts, found)


def candidates(cell: bytes) -> Candidates:
    """What a day brings for the personal records."""
    return opened(cell).candidates


def estimates(found: Candidates) -> dict[str, float]:
    """Exercise → best estimated one-repetition maximum of the day in kg."""
    return {name[len(ESTIMATE) :]: value for name, (value, entity) in found.items() if name.startswith(ESTIMATE)}
