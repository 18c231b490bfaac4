"""What stage one counts with: a cell is one item in one minute and region, and who was counted there. In Python;
native.pyx has the same, compiled."""

from __future__ import annotations

from typing import Any, Protocol

from schemas.trending import BUNDLE, Count, pack
from streams.trending.firsts import FRESH, LANE, LANE_MASK, Firsts
from streams.trending.viewers import hash_of, seen_by


class Cell:
    """What is counted of an item at a code."""

    __slots__ = ("code", "dirty", "fresh", "hashes", "item", "lanes", "sketch")

    def __init__(self, item: int, code: int) -> None:
        self.item, self.code = item, code
        self.lanes = 0
        """Packed, see firsts.py."""
        self.fresh = 0
        """How often FRESH has yet to be added to them."""
        self.dirty = False
        """Whether it has changed since the last drain."""
        self.hashes: list[bytes] = []
        self.sketch: Any = None
        """Of viewers, once they are many; who is in it is not among the hashes."""


class User:
    """One user's part: winners by entity, and the earliest codes by (item, slot)."""

    __slots__ = ("codes", "entities", "firsts", "hash")

    def __init__(self, subject: bytes) -> None:
        self.entities: dict[bytes, bytes] = {}
        """By subject and entity, as in the changelog."""
        self.firsts: dict[int, Firsts] = {}
        self.codes: dict[int, dict[int, int]] | None = None
        """By (item, slot) how many entities have each code; made when the first is taken out."""
        self.hash = hash_of(subject)


class Tally:
    """How many winners name a creator of a video."""

    __slots__ = ("count", "video")

    def __init__(self, video: int) -> None:
        self.video, self.count = video, 0


class Packing(Protocol):
    """Makes records for stage two."""

    def records(
        self, cells: list[Any], heads: list[bytes], tails: dict[int, bytes], version: int, clock_ms: int
    ) -> list[bytes]:
        """These cells as bundles. `heads`: by item, how a count's key begins; `tails`: code → how it ends."""


class Packer:
    """In Python."""

    def records(
        self, cells: list[Any], heads: list[bytes], tails: dict[int, bytes], version: int, clock_ms: int
    ) -> list[bytes]:
        """See Packing."""
        packed = [heads[cell.item] + tails[cell.code] + _count(cell, version, clock_ms) for cell in cells]
        bundles = (packed[first : first + BUNDLE] for first in range(0, len(packed), BUNDLE))
        return [_array(len(some)) + b"".join(some) for some in bundles]


def settle(cell: Any) -> int:
    """Its lanes, with those added that were only noted."""
    if cell.fresh:
        cell.lanes += cell.fresh * FRESH
        cell.fresh = 0
    lanes: int = cell.lanes
    return lanes


def _count(cell: Any, version: int, clock_ms: int) -> bytes:
    lanes = settle(cell)
    seen = (lanes & LANE_MASK, lanes >> LANE & LANE_MASK, lanes >> 2 * LANE & LANE_MASK)
    return pack(Count(version, clock_ms, seen, lanes >> 3 * LANE, seen_by(cell), None))


def _array(size: int) -> bytes:
    """The head of a msgpack array."""
    return bytes([144 | size]) if size < 16 else b"\xdc" + size.to_bytes(2, "big")
