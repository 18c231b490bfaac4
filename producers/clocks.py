"""How a made-up person's app writes an instant: local time with its offset, or Z, with or without the zone."""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache

from producers.people import Person
from schemas.instants import day_text, zone

_CLOCK = tuple(f"T{minute // 60:02}:{minute % 60:02}" for minute in range(1440))
_SECONDS = tuple(f":{second:02}" for second in range(60))


def time_of(writer: Person, day: int, second: int) -> str:
    """`time`, and `timezone` where it is written, for a second of a local day (days since 1970): inside of an event.

    >>> from producers.people import person
    >>> time_of(person(1, 7, 20_148, 30, 0.1), 20_148, 3_661)
    '"time":"2025-03-01T01:01:01+05:45"'
    """
    name = writer.zone_on(day)
    offset = _offsets(name, day)[second // 3600]
    if writer.writes.startswith("Z"):
        day, second = divmod(day * 86_400 + second - offset * 60, 86_400)
        tail = "Z"
    else:
        tail = offset_text(offset)
    text = f'"time":"{day_text(day)}{_CLOCK[second // 60]}{_SECONDS[second % 60]}{tail}"'
    return f'{text},"timezone":"{name}"' if writer.writes.endswith("zone") else text


@lru_cache(maxsize=8192)
def _offsets(zone_name: str, day: int) -> tuple[int, ...]:
    """UTC offset in minutes at every local hour of a day."""
    at = date.fromisoformat(day_text(day))
    offsets = [datetime(at.year, at.month, at.day, hour, tzinfo=zone(zone_name)).utcoffset() for hour in range(24)]
    return tuple(int(offset.total_seconds()) // 60 for offset in offsets if offset is not None)


@lru_cache(maxsize=256)
def offset_text(offset_min: int) -> str:
    """A UTC offset as RFC 3339 writes it.

    >>> offset_text(345), offset_text(-300)
    ('+05:45', '-05:00')
    """
    return f"{'-' if offset_min < 0 else '+'}{abs(offset_min) // 60:02}:{abs(offset_min) % 60:02}"
