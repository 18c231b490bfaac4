"""Clocks that an export writes without saying where: text and a zone to RFC 3339 with the offset of that moment.

A time that a change of clocks left out keeps the offset from before; one that came twice is taken as the first.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache

from producers.clocks import offset_text
from schemas.instants import zone, zone_offset_min

_LOCAL = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ,]+(\d{1,2}):(\d\d)(?::(\d\d))?(?:\.\d+)?\s*([AaPp])?\.?(?:[Mm]\.?)?", re.ASCII
)


@lru_cache(maxsize=65_536)
def local_time(text: str, zone_name: str) -> str:
    """Date and time of day in a zone. Raises ValueError where it is neither 24-hour nor AM/PM, or does not exist.

    >>> local_time("2024-07-05 07:30:00", "Europe/Berlin")
    '2024-07-05T07:30:00+02:00'
    >>> local_time("2024-01-05 7:30:00\u202fPM", "Asia/Kathmandu")
    '2024-01-05T19:30:00+05:45'
    """
    found = _LOCAL.fullmatch(text.strip().replace("\N{NARROW NO-BREAK SPACE}", " ").replace("\N{NO-BREAK SPACE}", " "))
    if found is None:
        raise ValueError(f"Expected a local time such as 2024-07-05 07:30:00, got {text.strip()[:40]!r}")
    year, month, day, hour, minute = map(int, found.groups()[:5])
    if half := found[7]:
        if not 1 <= hour <= 12:
            raise ValueError(f"Expected an hour from 1 to 12 before {half.upper()}M, got {text.strip()[:40]!r}")
        hour = hour % 12 + 12 * (half in "pP")
    try:
        at = datetime(year, month, day, hour, minute, int(found[6] or 0), tzinfo=zone(zone_name))
    except ValueError as why:
        raise ValueError(f"Expected a time that exists, got {text.strip()[:40]!r}: {why}") from None
    offset = at.utcoffset()
    assert offset is not None
    return f"{at:%Y-%m-%dT%H:%M:%S}{offset_text(int(offset.total_seconds() / 60))}"


def in_zone(ms: int, zone_name: str) -> str:
    """An instant (ms since 1970) as a zone's clocks show it.

    >>> in_zone(1_720_157_400_000, "Europe/Berlin")
    '2024-07-05T07:30:00+02:00'
    """
    return at_offset(ms, zone_offset_min(zone_name, ms))


def at_offset(ms: int, offset_min: int) -> str:
    """An instant (ms since 1970) as a clock shows it that is so many minutes ahead of UTC; fractions are cut off.

    >>> at_offset(1_720_157_400_000, 345)
    '2024-07-05T11:15:00+05:45'
    """
    return f"{datetime.fromtimestamp(ms // 1000 + offset_min * 60, UTC):%Y-%m-%dT%H:%M:%S}{offset_text(offset_min)}"


def in_utc(ms: int) -> str:
    """An instant (ms since 1970) of which nobody knows where.

    >>> in_utc(1_720_157_400_000)
    '2024-07-05T05:30:00Z'
    """
    return f"{datetime.fromtimestamp(ms // 1000, UTC):%Y-%m-%dT%H:%M:%S}Z"
