"""Progress rows as PostgreSQL takes them, and back. Pure.

A row travels whole, as the daily rows do. The statements write user_progress where the version is newer; then, of those
users alone, what changed in user_streaks and user_records.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from schemas.progress import ProgressRow, Record, Streak
from schemas.tables import PROGRESS, PROGRESS_COLUMNS, RECORDS, STREAKS

_OWN = tuple(c for c in PROGRESS_COLUMNS if c.name not in ("streaks", "records"))
_PLAIN = {float: "float8", int: "int8"}
_json = msgspec.json.Encoder().encode

STAGED_TYPES = tuple(_PLAIN.get(c.type, "text") for c in PROGRESS_COLUMNS)  # type: ignore[call-overload]
_STAGED = ", ".join(f"{c.name} {tp}" for c, tp in zip(PROGRESS_COLUMNS, STAGED_TYPES, strict=True))
_NAMES = ", ".join(c.name for c in PROGRESS_COLUMNS)
_OWN_NAMES = ", ".join(c.name for c in _OWN)
_DATES = ("as_of", "first_date")

STAGE = (
    f"CREATE TEMPORARY TABLE IF NOT EXISTS staged_progress ({_STAGED}) ON COMMIT DELETE ROWS",
    'CREATE TEMPORARY TABLE IF NOT EXISTS newer_progress (user_id text COLLATE "C") ON COMMIT DELETE ROWS',
)
COPY = f"COPY staged_progress ({_NAMES}) FROM STDIN (FORMAT BINARY)"


def _own(name: str, is_map: bool) -> str:
    return f"{name}::jsonb" if is_map else f"{name}::date" if name in _DATES else name


_KEPT = f"""
WITH newer AS (
    INSERT INTO {PROGRESS.postgres} AS kept ({_OWN_NAMES})
    SELECT {", ".join(_own(c.name, c.is_map) for c in _OWN)} FROM staged_progress
    ON CONFLICT (user_id) DO UPDATE SET {", ".join(f"{c.name} = excluded.{c.name}" for c in _OWN[1:])}
    WHERE kept.version < excluded.version
    RETURNING user_id
)
INSERT INTO newer_progress SELECT user_id FROM newer
"""


def _said(fields: Iterable[str], dates: Iterable[str], numbers: Iterable[str], counts: Iterable[str]) -> str:
    casts = {**dict.fromkeys(dates, "date"), **dict.fromkeys(numbers, "float8"), **dict.fromkeys(counts, "int8")}
    return ", ".join(f"(said ->> '{name}')::{casts.get(name, 'text')}" for name in fields)


def _part(
    table: str | None, column: str, key: tuple[str, ...], of_name: tuple[str, ...], said: str, fields: Any
) -> Any:
    """Statements that bring the rows of one part of the newer users up to date: what changed, then what is gone."""
    names, keys = ", ".join(fields), ", ".join(("user_id", *key))
    source = f"staged_progress JOIN newer_progress USING (user_id), jsonb_each({column}::jsonb) AS part (name, said)"
    kept, new = (", ".join(f"{side}.{name}" for name in fields) for side in ("kept", "excluded"))
    same = " AND ".join(f"{expression} = kept.{name}" for name, expression in zip(key, of_name, strict=True))
    return (
        f"INSERT INTO {table} AS kept ({keys}, {names}) SELECT user_id, {', '.join(of_name)}, {said} FROM {source}"
        f" ON CONFLICT ({keys}) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in fields)}"
        f" WHERE ({kept}) IS DISTINCT FROM ({new})",
        f"DELETE FROM {table} AS kept USING newer_progress AS newer WHERE kept.user_id = newer.user_id AND NOT EXISTS"
        f" (SELECT FROM staged_progress AS staged, jsonb_each(staged.{column}::jsonb) AS part (name, said)"
        f" WHERE staged.user_id = kept.user_id AND {same})",
    )


_STREAK, _RECORD = Streak.__struct_fields__, Record.__struct_fields__
_STREAK_DATES = ("since", "until", "longest_since", "longest_until")
UPSERT: tuple[str, ...] = (
    _KEPT,
    *_part(
        STREAKS.postgres,
        "streaks",
        ("streak",),
        ("part.name",),
        _said(_STREAK, _STREAK_DATES, (), ("current", "longest")),
        _STREAK,
    ),
    *_part(
        RECORDS.postgres,
        "records",
        ("record", "exercise"),
        ("split_part(part.name, ':', 1)", "substr(part.name, length(split_part(part.name, ':', 1)) + 2)"),
        _said(_RECORD, ("date", "previous_date"), ("value", "previous_value"), ()),
        _RECORD,
    ),
)
"""All after COPY, in the transaction of the batch."""

SELECT = f"""
SELECT {", ".join(f"kept.{c.name}" for c in _OWN)},
    (SELECT jsonb_object_agg(streak, to_jsonb(s) - 'user_id' - 'streak') FROM {STREAKS.postgres} AS s
     WHERE s.user_id = kept.user_id),
    (SELECT jsonb_object_agg(record || CASE exercise WHEN '' THEN '' ELSE ':' || exercise END,
                             to_jsonb(r) - 'user_id' - 'record' - 'exercise') FROM {RECORDS.postgres} AS r
     WHERE r.user_id = kept.user_id)
FROM {PROGRESS.postgres} AS kept WHERE as_of IS NOT NULL
"""
"""Rows with their parts; a condition on kept.user_id may follow."""


def staged(rows: Iterable[ProgressRow]) -> Iterator[tuple[Any, ...]]:
    """Rows for COPY, in the order of the columns."""
    for row in rows:
        values = [getattr(row, c.field) for c in PROGRESS_COLUMNS]
        for i, column in enumerate(PROGRESS_COLUMNS):
            if column.is_map and values[i] is not None:
                values[i] = _json(values[i]).decode()
        yield tuple(values)


def row(values: Iterable[Any]) -> ProgressRow:
    """A progress row from what SELECT gives."""
    found = dict(zip((c.name for c in (*_OWN, *PROGRESS_COLUMNS[-2:])), values, strict=True))
    return ProgressRow(
        *(
            column.of_json(found[column.name]) if column.is_map else _text(found[column.name])
            for column in PROGRESS_COLUMNS
        )
    )


def _text(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value
