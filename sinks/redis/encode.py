"""Daily rows and progress as Redis takes them. Pure; every name comes from `schemas.tables`.

Floats are written in the shortest form that reads back as the same number, maps and lists as JSON, instants as RFC 3339
in UTC. Rows travel msgpacked, some hundred to a script call: far cheaper here than a command a row.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec.structs import astuple

from schemas.instants import MS_PER_DAY, day_text
from schemas.progress import ProgressRow
from schemas.rows import DailyRow
from schemas.tables import DAILY, DAILY_COLUMNS, PROGRESS, PROGRESS_COLUMNS
from sinks.days import as_of_day, day_of

_json = msgspec.json.Encoder().encode
_pack = msgspec.msgpack.Encoder().encode
_VALUES = tuple((c.name, c.name.endswith("_at")) for c in DAILY_COLUMNS[3:])


def key(user_id: str, day: str) -> str:
    """The hash of one user and local day."""
    assert DAILY.redis is not None
    return DAILY.redis.format(user_id=user_id, date=day)


def fields(row: DailyRow) -> list[str]:
    """Fields and values in turn, version first; what is null is not there.

    >>> fields(DailyRow("u", "2026-03-01", 7, energy_kcal=0.5, first_event_ms=1772364660250))[4:]
    ['date', '2026-03-01', 'energy_kcal', '0.5', 'first_event_at', '2026-03-01T11:31:00.250Z']
    """
    user_id, day, version, *values = astuple(row)
    found = ["version", str(version), "user_id", user_id, "date", day]
    for (name, is_instant), value in zip(_VALUES, values, strict=True):
        if value is None:
            continue
        found.append(name)
        if type(value) is float:
            found.append(repr(value))
        elif is_instant:
            found.append(instant(value))
        elif type(value) is int:
            found.append(str(value))
        elif type(value) is str:
            found.append(value)
        else:
            found.append(_json(value).decode())
    return found


def progress_key(user_id: str) -> str:
    """The hash of one user's progress."""
    assert PROGRESS.redis is not None
    return PROGRESS.redis.format(user_id=user_id)


def progress_fields(row: ProgressRow) -> list[str]:
    """As `fields`.

    >>> progress_fields(ProgressRow("u", 7, "2026-03-01", covered_days=1))
    ['version', '7', 'user_id', 'u', 'as_of', '2026-03-01', 'covered_days', '1']
    """
    found = ["version", str(row.version), "user_id", row.user_id]
    for column in PROGRESS_COLUMNS[2:]:
        value = getattr(row, column.field)
        if value is not None:
            text = repr(value) if type(value) is float else str(value) if type(value) in (int, str) else None
            found += [column.name, _json(value).decode() if text is None else text]
    return found


def instant(ms: int) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    days, rest = divmod(ms, MS_PER_DAY)
    seconds, milli = divmod(rest, 1000)
    minutes, second = divmod(seconds, 60)
    return f"{day_text(days)}T{minutes // 60:02}:{minutes % 60:02}:{second:02}.{milli:03}Z"


def script_arguments(rows: Iterable[DailyRow | ProgressRow]) -> tuple[list[str], list[bytes]]:
    """Keys and packed rows for write.lua. Raises Refused as `day_of` says."""
    keys, packed = [], []
    for row in rows:
        if isinstance(row, ProgressRow):
            as_of_day(row)
            keys.append(progress_key(row.user_id))
            packed.append(_pack(progress_fields(row)))
            continue
        day_of(row)
        keys.append(key(row.user_id, row.date))
        packed.append(_pack(fields(row)))
    return keys, packed
