"""Daily rows as PostgreSQL takes them. Pure; every name comes from `schemas.tables`.

Rows travel by binary COPY into a temporary table of plain types, and the upsert makes the real ones of them: cheaper
than JSON that the server parses, and far cheaper than arrays with UNNEST.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec.structs import astuple

from schemas.rows import DailyRow, RejectedRow
from schemas.tables import DAILY, DAILY_COLUMNS, Column
from sinks.days import day_of

_MAPS = tuple(i for i, c in enumerate(DAILY_COLUMNS) if c.is_map)
_LISTS = tuple(i for i, c in enumerate(DAILY_COLUMNS) if c.type == list[str])
_json = msgspec.json.Encoder().encode

_PLAIN = {float: "float8", int: "int8", bool: "bool"}
STAGED_TYPES = tuple(_PLAIN.get(c.type, "text") for c in DAILY_COLUMNS)  # type: ignore[call-overload]
"""Types of the temporary table's columns."""


def _real(column: Column) -> str:
    """The expression that makes a table's value out of a staged one."""
    if column.name == "date":
        return "date::date"
    if column.name.endswith("_at"):
        return f"timestamptz 'epoch' + {column.name} * interval '1 millisecond'"
    if column.is_map:
        return f"{column.name}::jsonb"
    if column.type == list[str]:
        return f"{column.name}::text[]"
    return column.name


_NAMES = ", ".join(c.name for c in DAILY_COLUMNS)
_STAGED = ", ".join(f"{c.name} {tp}" for c, tp in zip(DAILY_COLUMNS, STAGED_TYPES, strict=True))

STAGE = f"CREATE TEMPORARY TABLE IF NOT EXISTS staged_daily ({_STAGED}) ON COMMIT DELETE ROWS"
COPY = f"COPY staged_daily ({_NAMES}) FROM STDIN (FORMAT BINARY)"
UPSERT = f"""
INSERT INTO {DAILY.postgres} AS kept ({_NAMES})
SELECT {", ".join(_real(c) for c in DAILY_COLUMNS)} FROM staged_daily
ON CONFLICT (user_id, date) DO UPDATE SET {", ".join(f"{c.name} = excluded.{c.name}" for c in DAILY_COLUMNS[2:])}
WHERE kept.version < excluded.version
"""

FILE_REJECTED = """
INSERT INTO rejected (topic, partition, "offset", received_at, reason, path, raw, key, original_at)
VALUES (%s, %s, %s, timestamptz 'epoch' + %s * interval '1 millisecond', %s, %s, %s, %s,
        timestamptz 'epoch' + %s * interval '1 millisecond')
ON CONFLICT DO NOTHING
"""
FILE_REPLAYED = """
INSERT INTO replayed (topic, partition, "offset", to_partition, to_offset, replayed_at)
VALUES (%s, %s, %s, %s, %s, timestamptz 'epoch' + %s * interval '1 millisecond')
ON CONFLICT DO NOTHING
"""


def array(items: Iterable[str]) -> str:
    r"""A text array as PostgreSQL writes it.

    >>> array(["ios", 'a "b", \\c'])
    '{"ios","a \\"b\\", \\\\c"}'
    """
    return "{" + ",".join(['"' + i.replace("\\", "\\\\").replace('"', '\\"') + '"' for i in items]) + "}"


def staged(rows: Iterable[DailyRow]) -> Iterator[tuple[Any, ...]]:
    """Rows for COPY, in the order of the columns."""
    for row in rows:
        values = list(astuple(row))
        for i in _MAPS:
            if values[i] is not None:
                values[i] = _json(values[i]).decode()
        for i in _LISTS:
            if values[i] is not None:
                values[i] = array(values[i])
        yield tuple(values)


def rejected(row: RejectedRow) -> tuple[Any, ...]:
    """Parameters of FILE_REJECTED; PostgreSQL's text cannot hold U+0000, which a path may quote."""
    reason, path = (text.replace("\x00", "\\u0000") for text in (row.reason, row.path))
    place = (row.topic, row.partition, row.offset, row.received_ms)
    return *place, reason, path, row.raw, row.key, row.original_ms


def months(rows: Iterable[DailyRow]) -> set[str]:
    """The months of the rows, as YYYY-MM. Raises Refused as `day_of` says."""
    return {day_of(row).isoformat()[:7] for row in rows}
