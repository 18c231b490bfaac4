"""Progress rows as columns of ClickHouse, and back. Pure. No row is as of 1970-01-01 (schemas/instants.py)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from msgspec.structs import asdict

from schemas.progress import ProgressRow
from schemas.tables import PROGRESS_COLUMNS
from sinks.days import as_of_day

Columns = dict[str, Sequence[Any]]
_NO_DAY = date(1970, 1, 1)
_DATES = {"since", "until", "longest_since", "longest_until", "date", "previous_date"}


def columns(rows: Sequence[ProgressRow]) -> Columns:
    """Raises Refused as `as_of_day` says."""
    found: Columns = {c.name: [getattr(row, c.field) for row in rows] for c in PROGRESS_COLUMNS}
    for c in PROGRESS_COLUMNS:
        if c.is_map:
            found[c.name] = [_map(value) for value in found[c.name]]
    found["as_of"] = [as_of_day(row) or _NO_DAY for row in rows]
    found["first_date"] = [None if text is None else date.fromisoformat(text) for text in found["first_date"]]
    return found


def _map(value: dict[str, Any] | None) -> dict[str, dict[str, Any]]:
    return {
        name: {
            field: date.fromisoformat(said) if field in _DATES and said is not None else said
            for field, said in asdict(part).items()
        }
        for name, part in (value or {}).items()
    }


NAMES = ", ".join(c.name for c in PROGRESS_COLUMNS)


def row(values: Iterable[Any]) -> ProgressRow:
    """A progress row from the columns of the view; empty maps are null."""
    return ProgressRow(
        *(
            column.of_json(_plain(value) or None) if column.is_map else _plain(value)
            for column, value in zip(PROGRESS_COLUMNS, values, strict=True)
        )
    )


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return value.isoformat() if isinstance(value, date) else value
