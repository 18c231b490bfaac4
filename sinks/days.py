"""The one thing that a row can get wrong for every store: a date that does not exist."""

from __future__ import annotations

from datetime import date

from schemas.progress import ProgressRow
from schemas.rows import DailyRow
from sinks.base import Refused

FIRST, LAST = date(1970, 1, 1), date(2149, 6, 6)
"""What ClickHouse's Date holds; the other stores keep to it, so that all stores hold the same rows."""


def as_of_day(row: ProgressRow) -> date | None:
    """The row's as-of day; None where no day is left. Raises Refused as `day_of` does."""
    return None if row.as_of is None else _day(row.user_id, row.as_of)


def day_of(row: DailyRow) -> date:
    """The row's date. Raises Refused for one that does not exist, is not written YYYY-MM-DD, or no store shall hold."""
    return _day(row.user_id, row.date)


def _day(user_id: str, text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError as why:
        raise Refused(f"{user_id} {text}: {why}") from why
    if text != day.isoformat() or not FIRST <= day <= LAST:  # 20260301 and 2026-W09-7 are days too
        raise Refused(f"{user_id} {text}: expected YYYY-MM-DD from {FIRST} to {LAST}")
    return day
