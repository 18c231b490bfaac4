"""The one thing that a daily row can get wrong for every store: a date that does not exist."""

from __future__ import annotations

from datetime import date

from schemas.rows import DailyRow
from sinks.base import Refused

FIRST, LAST = date(1970, 1, 1), date(2149, 6, 6)
"""What ClickHouse's Date holds; the other stores keep to it, so that all stores hold the same rows."""


def day_of(row: DailyRow) -> date:
    """The row's date. Raises Refused for one that does not exist, is not written YYYY-MM-DD, or no store shall hold."""
    try:
        day = date.fromisoformat(row.date)
    except ValueError as why:
        raise Refused(f"{row.user_id} {row.date}: {why}") from why
    if row.date != day.isoformat() or not FIRST <= day <= LAST:  # 20260301 and 2026-W09-7 are days too
        raise Refused(f"{row.user_id} {row.date}: expected YYYY-MM-DD from {FIRST} to {LAST}")
    return day
