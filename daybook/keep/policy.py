"""What to make ahead and what is due to be dropped, given today's date. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date, timedelta
from typing import NamedTuple

OWN_MONTHS = date(2010, 1, 1), date(2100, 1, 1)
"""From the first until the second every month of daily rows has a partition of its own (PostgreSQL's migrations)."""


class Month(NamedTuple):
    """A partition of daily rows in PostgreSQL."""

    first: date
    empty: bool


def month_of(day: date) -> date:
    """Its first day."""
    return day.replace(day=1)


def month_after(first: date) -> date:
    """The first day of the next month.

    >>> month_after(date(2026, 12, 1))
    datetime.date(2027, 1, 1)
    """
    return month_of(first + timedelta(days=31))


def months_ahead(today: date, ahead: int) -> list[date]:
    """The months that must have a partition today: this one, and so many after it."""
    months, each = [], month_of(today)
    for _ in range(ahead + 1):
        if OWN_MONTHS[0] <= each < OWN_MONTHS[1]:
            months.append(each)
        each = month_after(each)
    return months


def months_to_drop(months: Iterable[Month], today: date, days: int) -> list[date]:
    """Empty months that lie wholly more than so many days back. (What is younger would be made again soon.)"""
    kept = first_kept(today, days)
    return sorted(month.first for month in months if month.empty and month_after(month.first) <= kept)


def first_kept(today: date, days: int) -> date:
    """The first day (UTC) of which nothing is due yet: what came or changed on it may still be `days` × 24 h old."""
    return today - timedelta(days=days)


def due(days: Iterable[date], today: date, keep_days: int, held: Collection[date] = ()) -> list[date]:
    """Those of the days of receipt that are due, the oldest first; what was restored is held back."""
    kept = first_kept(today, keep_days)
    return sorted(day for day in set(days) if day < kept and day not in held)
