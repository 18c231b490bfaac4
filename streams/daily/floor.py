"""A user's floor: below this day, what is not in memory is not gone but evicted, and its fingerprint says so."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping
from struct import Struct

from schemas.instants import MS_PER_DAY
from schemas.ledger import HEADER, KIND_AT, NO_OFFSET, unpack_winner
from schemas.loads import MOST_FINGERPRINTS, Evicted
from streams.daily.cells import winner_day
from streams.daily.days import Profiles

_TIME = Struct(">qh")
_TIME_AT = KIND_AT - _TIME.size
assert HEADER.size == KIND_AT + 1 == _TIME_AT + _TIME.size + 1, (
    "schemas/ledger.py: time, offset and kind end the header"
)


class Floor:
    """What is left of a user's evicted entities."""

    __slots__ = ("_gone", "_sorted", "day", "records", "sum")

    def __init__(self) -> None:
        self.day = 0
        self.sum = 0
        """Of `schemas.loads.weight` over what was evicted and not loaded since."""
        self.records = 0
        """How many changelog records it has."""
        self._gone: array[int] = array("I")
        self._sorted = True

    def __len__(self) -> int:
        return len(self._gone)

    def __contains__(self, fingerprint: int) -> bool:
        gone = self.fingerprints
        at = bisect_left(gone, fingerprint)
        return at < len(gone) and gone[at] == fingerprint

    @property
    def fingerprints(self) -> array[int]:
        """Of all keys that were ever evicted, sorted."""
        if not self._sorted:
            self._gone = array("I", sorted(self._gone))
            self._sorted = True
        return self._gone

    def take(self, number: int, evicted: Evicted) -> None:
        """Add one eviction, as it stands in the changelog. One that is known already changes nothing."""
        if number < self.records:
            return
        self.records = number + 1
        self.day, self.sum = max(self.day, evicted.floor), evicted.sum
        self._gone.extend(evicted.fingerprints)
        self._sorted = False

    def evict(self, day: int, total: int, fingerprints: Collection[int]) -> Iterator[tuple[int, Evicted]]:
        """Raise the floor; returns the changelog records that say so. `fingerprints`: of keys evicted now."""
        fresh = sorted(f for f in set(fingerprints) if f not in self)
        for at in range(0, len(fresh) or 1, MOST_FINGERPRINTS):
            one = Evicted(day, total, array("I", fresh[at : at + MOST_FINGERPRINTS]))
            number = self.records
            self.take(number, one)
            yield number, one


def packed_day(winner: bytes, profiles: Profiles) -> int:
    """`winner_day` of a packed winner, not unpacked where its time says all. Of a delete: the day of its time."""
    ms, offset = _TIME.unpack_from(winner, _TIME_AT)
    if profiles or offset == NO_OFFSET:
        return winner_day(unpack_winner(winner), profiles)
    return int((ms + offset * 60_000) // MS_PER_DAY)


def old_keys(entities: Mapping[bytes, bytes], profiles: Profiles, floor: int, most: int) -> tuple[list[bytes], bool]:
    """Keys of entities of days before `floor`, at most about so many and the oldest days first; whether that is all.

    Goals, plans and profiles are never old: they are few, and a day of today may rest on them.
    """
    found: dict[int, list[bytes]] = {}
    for key, winner in entities.items():
        day = packed_day(winner, profiles)
        if day < floor and b"\0p\0" not in key:
            found.setdefault(day, []).append(key)
    keys: list[bytes] = []
    for day in sorted(found):
        if keys and len(keys) + len(found[day]) > most:
            return keys, False
        keys += found[day]
    return keys, True
