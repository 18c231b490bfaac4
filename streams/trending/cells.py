"""What stage one counts with: a cell is one item in one minute and region, and who was counted there. In Python;
native.pyx has the same, compiled."""

from __future__ import annotations

from typing import Any, Protocol

from schemas.trending import BUNDLE, Count, pack
from streams.trending.firsts import LANE, LANE_MASK, Firsts
from streams.trending.viewers import hash_of, seen_by


class Cell:
    """What is counted of an item at a code."""

    __slots__ = ("_viewers", "code", "dirty", "item", "lanes", "sketch")

    def __init__(self, item: int, code: int) -> None:
        self.item, self.code = item, code
        self.lanes = 0
        """Packed, see firsts.py."""
        self.dirty = False
        """Whether it has changed since the last drain."""
        self._viewers: list[bytes] = []
        self.sketch: Any = None
        """Of viewers, once they are many; who is in it is not among the others."""

    def came(self, who: bytes) -> None:
        """Somebody's hash (viewers.py) is counted."""
        self._viewers.append(who)

    def left(self, who: bytes) -> None:
        """No more; who is in the sketch stays in it."""
        if who in self._viewers:
            self._viewers.remove(who)

    def plain(self) -> bytes:
        """The hashes that are in no sketch, one after the other."""
        return b"".join(self._viewers)

    def clear(self) -> None:
        """The sketch has them."""
        self._viewers.clear()


class User:
    """One user's part: winners by entity, and the earliest codes by (item, slot)."""

    __slots__ = ("_firsts", "codes", "entities", "hash")

    def __init__(self, subject: bytes) -> None:
        self.entities: dict[bytes, bytes] = {}
        """By subject and entity, as in the changelog."""
        self._firsts: dict[int, Firsts] = {}
        self.codes: dict[int, dict[int, int]] | None = None
        """By (item, slot) how many entities have each code; made when the first is taken out."""
        self.hash = hash_of(subject)

    def first_of(self, at: int) -> Firsts | None:
        """The earliest codes at an item and slot."""
        return self._firsts.get(at)

    def set_first(self, at: int, have: Firsts) -> None:
        """They are these now."""
        self._firsts[at] = have

    def drop_first(self, at: int) -> None:
        """There are none any more."""
        self._firsts.pop(at, None)

    def all_firsts(self) -> list[tuple[int, Firsts]]:
        """All that there are."""
        return list(self._firsts.items())


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


def _count(cell: Any, version: int, clock_ms: int) -> bytes:
    lanes: int = cell.lanes
    seen = (lanes & LANE_MASK, lanes >> LANE & LANE_MASK, lanes >> 2 * LANE & LANE_MASK)
    return pack(Count(version, clock_ms, seen, lanes >> 3 * LANE, seen_by(cell), None))


def _array(size: int) -> bytes:
    """The head of a msgpack array."""
    return bytes([144 | size]) if size < 16 else b"\xdc" + size.to_bytes(2, "big")
