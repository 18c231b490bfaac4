"""How fast the stores grow: looks of every hour, a line through those of the last days, and where it leads. Pure.

The growth is net: where old data leaves as fast as new comes in, it is nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

LEAST = timedelta(hours=1)
"""Looks that span less say nothing of a day."""
_DAY = timedelta(days=1)


class Look(NamedTuple):
    """How large something was."""

    at: datetime
    rows: int
    bytes: int


class Growth(NamedTuple):
    """One table."""

    store: str
    name: str
    rows: int
    bytes: int
    rows_a_day: float | None
    """None: the looks span too little to say."""
    bytes_a_day: float | None

    def bytes_in(self, days: float) -> float | None:
        """How many bytes it has then, if it goes on like this."""
        return None if self.bytes_a_day is None else max(0.0, self.bytes + self.bytes_a_day * days)


def growth(store: str, name: str, looks: Sequence[Look], now: datetime, days: float) -> Growth:
    """Of one table, by its looks of the last so many days; `looks` must not be empty."""
    last = max(looks)
    recent = [look for look in looks if now - look.at <= timedelta(days=days)]
    at = [(look.at - last.at) / _DAY for look in recent]
    if not recent or max(at) - min(at) < LEAST / _DAY:
        return Growth(store, name, last.rows, last.bytes, None, None)
    rows, size = (_slope(at, values) for values in ([k.rows for k in recent], [k.bytes for k in recent]))
    return Growth(store, name, last.rows, last.bytes, rows, size)


def full_in(free: float, growths: Sequence[Growth]) -> float | None:
    """After how many days so much room is used up by these; None: never, or nobody knows."""
    a_day = sum(each.bytes_a_day or 0.0 for each in growths)
    return free / a_day if a_day > 0 else None


def _slope(at: Sequence[float], values: Sequence[int]) -> float:
    """Of the line with the least squares."""
    middle, mean = sum(at) / len(at), sum(values) / len(values)
    spread = sum((x - middle) ** 2 for x in at)
    return sum((x - middle) * (y - mean) for x, y in zip(at, values, strict=True)) / spread


def shown(size: float | None) -> str:
    """Bytes for people.

    >>> shown(1_234_567), shown(-2_000), shown(None)
    ('1.2 MB', '-2.0 kB', '-')
    """
    if size is None:
        return "-"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(size) < 1_000 or unit == "TB":
            return f"{size:,.0f} {unit}" if unit == "B" else f"{size:,.1f} {unit}"
        size /= 1_000
    raise AssertionError
