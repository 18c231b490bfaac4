"""One person's week as a small chart in a terminal. Pure: rows in, lines out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

_EIGHTHS = " ▏▎▍▌▋▊▉"


class Day(NamedTuple):
    """What one day of one person came to; None where nothing was recorded."""

    user: str
    date: date
    steps: int | None
    calories_kcal: float | None
    sleep_minutes: float | None


def bar(value: float, most: float, width: int) -> str:
    """A bar as long as ``value`` is of ``most``, in eighths of a character.

    >>> bar(50, 100, 4), bar(1, 100, 4), bar(0, 0, 4)
    ('██', '', '')
    """
    eighths = round(8 * width * value / most) if most > 0 else 0
    whole, part = divmod(eighths, 8)
    return "█" * whole + (_EIGHTHS[part] if part else "")


def fullest_week(days: Sequence[Day]) -> list[Day]:
    """Seven days in a row of the person who recorded most: the first week with steps on each day and the most sleep."""
    by_user: dict[str, dict[date, Day]] = {}
    for day in days:
        by_user.setdefault(day.user, {})[day.date] = day
    best: list[Day] = []
    for own in (by_user[user] for user in sorted(by_user)):
        for first in sorted(own):
            week = [own[on] for n in range(7) if (on := first + timedelta(days=n)) in own]
            if len(week) == 7 and all(day.steps for day in week) and _nights(week) > _nights(best):
                best = week
    return best


def _nights(week: Sequence[Day]) -> int:
    return sum(day.sleep_minutes is not None for day in week) if week else -1


def week_lines(week: Sequence[Day], width: int = 24) -> list[str]:
    """The week as text, one line a day: steps as a bar, then steps, energy burned, sleep."""
    most = max((day.steps or 0 for day in week), default=0)
    lines = []
    for day in week:
        steps = f"{day.steps:,}" if day.steps is not None else "–"
        kcal = f"{day.calories_kcal:,.0f} kcal" if day.calories_kcal is not None else "–"
        sleep = f"{int(day.sleep_minutes) // 60} h {int(day.sleep_minutes) % 60:02} min" if day.sleep_minutes else "–"
        drawn = f"{bar(day.steps or 0, most, width):<{width}}"
        lines.append(f"{day.date:%a %d %b}  {drawn}  {steps:>6} steps {kcal:>10} {sleep:>11} asleep")
    return lines
