"""Distinct viewers by sketch (Apache DataSketches, HyperLogLog with 4,096 registers), small enough to send.

Up to 128 viewers travel as 64-bit hashes, more as a sketch; both only ever join, so a count that is sent again changes
nothing. The relative standard error of 4,096 registers is 1.04/√4096 = 1.6 % (Flajolet et al. 2007).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any

import datasketches

LG_REGISTERS = 12
MOST_HASHES, HASH_BYTES = 128, 8
MOST_EXACT = 4_096
"""Viewers in several counts of one item that are counted one by one."""
_HASHES, _SKETCH = b"\0", b"\1"
_TYPE = datasketches.tgt_hll_type.HLL_4


def hash_of(user: bytes) -> bytes:
    """64 bits of a user's name, the same on every machine."""
    return blake2b(user, digest_size=HASH_BYTES).digest()


def packed(hashes: Sequence[bytes]) -> bytes:
    """These viewers, to be joined by `join`.

    >>> packed([]), len(packed([hash_of(b"u")])), len(packed([hash_of(b"%d" % n) for n in range(9_999)])) < 3_000
    (b'', 9, True)
    """
    return packed_plain(b"".join(hashes)) if len(hashes) <= MOST_HASHES else _packed(_joined(new(), b"".join(hashes)))


def packed_plain(hashes: bytes) -> bytes:
    """A few viewers, their hashes one after the other."""
    return _HASHES + hashes if hashes else b""


def seen_by(cell: Any) -> bytes:
    """The viewers of a cell (cells.py), as `packed` makes them: once they are many, only the new ones cost anything."""
    few = cell.plain()
    return packed_plain(few) if cell.sketch is None and len(few) <= MOST_HASHES * HASH_BYTES else sketched(cell)


def sketched(cell: Any) -> bytes:
    """The viewers of a cell that has many, or had: who left after they came into the sketch stays in it."""
    cell.sketch = _joined(new() if cell.sketch is None else cell.sketch, cell.plain())
    cell.clear()
    return _packed(cell.sketch)


def _joined(sketch: Any, hashes: bytes) -> Any:
    update = sketch.update
    for each in array("q", hashes):
        update(each)
    return sketch


def _packed(sketch: Any) -> bytes:
    return bytes(_SKETCH + sketch.serialize_compact())


def new() -> Any:
    """An empty sketch."""
    return datasketches.hll_sketch(LG_REGISTERS, _TYPE)


Some = Any
"""Viewers out of `packed`: hashes, or a sketch."""


def unpacked(some: bytes) -> Some:
    """What `packed` made, to be joined by any number of Viewers."""
    return datasketches.hll_sketch.deserialize(some[1:]) if some[:1] == _SKETCH else array("q", some[1:])


class Viewers:
    """The distinct viewers of something; it forgets nobody."""

    __slots__ = ("_union",)

    def __init__(self) -> None:
        self._union: Any = None

    def join(self, some: Some) -> None:
        """Add these, as `unpacked` made them."""
        if self._union is None:
            self._union = datasketches.hll_union(LG_REGISTERS)
        update = self._union.update
        if isinstance(some, array):
            for each in some:
                update(each)
        else:
            update(some)


def exactly(waiting: Iterable[tuple[int, bytes]], after: int, through: int) -> int | None:
    """How many different viewers there are in counts, (minute, viewers) each, of some minutes; None: they are many."""
    few, told = set[bytes](), 0
    for minute, viewers in waiting:
        told += len(viewers) // 8
        if viewers[:1] != _HASHES or told > MOST_EXACT:
            return None
        if after < minute <= through:
            few.update(viewers[at : at + 8] for at in range(1, len(viewers), 8))
    return len(few)


def distinct(several: Iterable[Viewers]) -> int:
    """How many different viewers there are in all of them, about."""
    unions = [each._union for each in several if each._union is not None]
    if len(unions) < 2:
        return int(unions[0].get_estimate() + 0.5) if unions else 0
    union = datasketches.hll_union(LG_REGISTERS)
    for each in unions:
        union.update(each.get_result(_TYPE))
    return int(union.get_estimate() + 0.5)
