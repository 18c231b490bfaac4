"""Instants with their offset, and IANA zones: RFC 3339 text to integers, without ever asking a clock.

Zones come from the pinned `tzdata` wheel, never from the machine, so that two workers agree on every local day.
"""

from __future__ import annotations

import re
import zoneinfo
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

zoneinfo.reset_tzpath(())

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_EPOCH = date(1970, 1, 1).toordinal()
MS_PER_DAY = 86_400_000
FIRST_DAY = 1
"""First local day that counts, in days since 1970-01-01. A phone that says 1970-01-01 has an unset clock, and
ClickHouse's Date begins there."""


class Instant(NamedTuple):
    """A point in time as it was written."""

    ms: int
    """Milliseconds since 1970-01-01T00:00:00Z."""
    offset_min: int | None
    """UTC offset in minutes; None for `Z`, which says nothing about where the user was."""


def parse_instant(text: str) -> Instant:
    """Read an RFC 3339 date-time with its offset; fractions beyond milliseconds are cut off.

    Raises ValueError for anything else, for days that do not exist and for years that no store can hold.

    >>> parse_instant("2026-03-01T12:31:00+01:00")
    Instant(ms=1772364660000, offset_min=60)
    >>> parse_instant("2026-03-01T12:31:00.25Z")
    Instant(ms=1772368260250, offset_min=None)
    """
    return Instant(*instant_parts(text))


def instant_parts(text: str) -> tuple[int, int | None]:
    """parse_instant as a plain tuple, for the hot path: minutes and offsets that were seen before are remembered."""
    try:
        shift, offset_min = _tails[text[16:]]
        return _minutes[text[:16]] + shift, offset_min
    except KeyError:
        return _parsed(text)


def _parsed(text: str) -> tuple[int, int | None]:
    at = _parse(text)
    if "." not in text:
        for memo in (_minutes, _tails):
            if len(memo) >= _MEMO_MAX:
                memo.clear()
        shift = int(text[17:19]) * 1000 - (at.offset_min or 0) * 60_000
        _minutes[text[:16]] = at.ms - shift
        _tails[text[16:]] = (shift, at.offset_min)
    return at


_MEMO_MAX = 65_536
_minutes: dict[str, int] = {}
"""2026-03-01T12:31 → its milliseconds since 1970, read as UTC."""
_tails: dict[str, tuple[int, int | None]] = {}
""":00+01:00 → (milliseconds to add, offset in minutes)."""


def _parse(text: str) -> Instant:
    if not _RFC3339.fullmatch(text):
        raise ValueError("Expected an RFC 3339 date-time with an offset, such as 2026-03-01T12:31:00+01:00")
    head, fraction = text[:19], 0
    tail = text[19:]
    if tail[0] == ".":
        digits = tail[1:-1] if tail[-1] == "Z" else tail[1:-6]
        fraction = int(digits[:3].ljust(3, "0"))
    offset: int | None = None
    if tail[-1] != "Z":
        hours, minutes = int(tail[-5:-3]), int(tail[-2:])
        if hours > 23 or minutes > 59:
            raise ValueError("Expected a UTC offset between -23:59 and +23:59")
        offset = (hours * 60 + minutes) * (-1 if tail[-6] == "-" else 1)
    local = datetime.fromisoformat(head)
    days = local.toordinal() - _EPOCH
    if days < FIRST_DAY:
        raise ValueError("Expected a time after 1970-01-01: this clock was never set")
    seconds = days * 86_400 + local.hour * 3600 + local.minute * 60 + local.second - (offset or 0) * 60
    return Instant(seconds * 1000 + fraction, offset)


def parse_day(text: str) -> date:
    """Read YYYY-MM-DD. Raises ValueError for anything else and for days that do not exist."""
    if not _DAY.fullmatch(text):
        raise ValueError("Expected a date as YYYY-MM-DD")
    return date.fromisoformat(text)


@lru_cache(maxsize=1024)
def zone(name: str) -> zoneinfo.ZoneInfo:
    """The IANA zone of that name. Raises ValueError if there is none."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"Expected an IANA time zone, such as Europe/Berlin: {name!r} is none") from None


def zone_offset_min(name: str, ms: int) -> int:
    """UTC offset of the zone at an instant, in whole minutes (historic offsets with seconds are cut towards zero)."""
    at = datetime.fromtimestamp(ms // 1000, UTC).astimezone(zone(name))
    offset = at.utcoffset() or timedelta()
    return int(offset.total_seconds() / 60)


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return day.toordinal() - _EPOCH


@lru_cache(maxsize=8192)
def day_text(number: int) -> str:
    """YYYY-MM-DD of days since 1970-01-01.

    >>> day_text(20513)
    '2026-03-01'
    """
    return date.fromordinal(number + _EPOCH).isoformat()
