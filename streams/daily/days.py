"""The local day that the user lived: the event's own offset, else its zone, else the profile's; minus the day start.

Zone and day start come from the profile that was valid on that very day (DESIGN §8 rule 5), so they are applied when
cells are made, never written into the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from schemas.instants import MS_PER_DAY, day_number, zone_offset_min
from schemas.ledger import Winner


class Profile(NamedTuple):
    """One profile register."""

    since: int
    """First local day that it is valid on, in days since 1970-01-01."""
    timezone: str | None
    day_start_ms: int
    priority: tuple[str, ...] | None = None
    """Platforms, weakest first; None: the default (overlap.py)."""


Profiles = tuple[Profile, ...]


def profiles_of(registers: Iterable[tuple[bytes, Winner]]) -> Profiles:
    """Profiles from their winners, latest first; where two begin on one day, the greater key decides."""
    found = []
    for key, winner in registers:
        since = day_number(date.fromisoformat(key.rsplit(b"\0", 1)[1].decode()))
        hours, minutes = winner.tail.get("day_start", "00:00").split(":")
        start = (int(hours) * 60 + int(minutes)) * 60_000
        order = winner.tail.get("source_priority")
        profile = Profile(since, winner.tail.get("timezone"), start, None if order is None else tuple(order))
        found.append((since, key, profile))
    found.sort(key=lambda entry: entry[:2], reverse=True)
    return tuple(profile for _, _, profile in found)


def day_of(ms: int, offset_min: int | None, timezone: str | None, profiles: Profiles = ()) -> int:
    """Local day, in days since 1970-01-01.

    >>> from schemas.instants import day_text, parse_instant
    >>> day_text(day_of(*parse_instant("2026-03-01T00:30:00+05:45"), None))
    '2026-03-01'
    >>> day_text(day_of(*parse_instant("2026-03-01T23:30:00Z"), "Europe/Berlin"))
    '2026-03-02'
    """
    for since, zone_name, day_start_ms, _ in profiles:
        day = _day(ms, offset_min, timezone or zone_name, day_start_ms)
        if day >= since:
            return day
    return _day(ms, offset_min, timezone, 0)


def _day(ms: int, offset_min: int | None, timezone: str | None, day_start_ms: int) -> int:
    if offset_min is None:
        offset_min = 0 if timezone is None else zone_offset_min(timezone, ms)
    return (ms + offset_min * 60_000 - day_start_ms) // MS_PER_DAY
