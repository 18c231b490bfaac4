"""Progress as of a later day than the row's: what a reader who knows what day it is makes of a stored row.

The row in the stores is as of the user's latest day with anything on it, because a fold sees no clock. A reader who is
asked on a later day gives that day here, with the user's daily rows of the 35 days up to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import msgspec

from schemas.instants import day_number
from schemas.progress import ProgressRow, Streak, Window
from schemas.rows import DailyRow, encode_row
from streams.progress.facts import cell_of, decode_facts, week_of
from streams.progress.reading import Windows
from streams.progress.rests import Rests, rests_on
from streams.progress.user import User
from streams.progress.windows import REACH, strength


def as_of(row: ProgressRow, recent: Iterable[DailyRow], day: str) -> ProgressRow:
    """The row as it would be if `day` were today. `recent`: the daily rows of the 35 days up to it; more do no harm.

    Windows, load and strength roll on; streaks that a day has broken since are broken; records stay. Raises ValueError
    for a day before the row's.
    """
    if row.as_of is None or row.first_date is None:
        return row
    today = _number(day)
    if today < _number(row.as_of):
        raise ValueError(f"Expected a day from {row.as_of} on, got {day}: earlier ones are found from daily rows alone")
    user = User()
    for each in recent:
        facts = decode_facts(encode_row(each))
        cell, on = cell_of(facts), _number(each.date)
        if cell is not None and today - REACH < on <= today:
            user.put(on, cell)
    user.settle()
    said, (acute, chronic, ratio) = Windows(user.history, today).values(_number(row.first_date))
    resting = _resting(user, today)
    return msgspec.structs.replace(
        row,
        as_of=day,
        acute_load=acute,
        chronic_load=chronic,
        acute_chronic_ratio=ratio,
        windows=None if said is None else _decode_windows(said),
        strength=strength(user.lifts, today),
        streaks=row.streaks and {name: _rolled(streak, resting, today) for name, streak in row.streaks.items()},
    )


_decode_windows = msgspec.json.Decoder(dict[str, Window]).decode


def _resting(user: User, today: int) -> set[int]:
    """Planned rest days before today, the days after the latest one too."""
    days = user.history.days
    if not days:
        return set()
    found = Rests.of(user.history)
    rests = {day for day in range(days[0], days[-1] + 1) if found.bits >> day - found.origin & 1}
    week = week_of(user.history.get(days[-1]))
    return rests | {day for day in range(days[-1] + 1, today) if rests_on(week, day)}


def _rolled(streak: Streak, rests: set[int], today: int) -> Streak:
    missing = set(range(_number(streak.until) + 1, today)) - rests
    return msgspec.structs.replace(streak, current=0) if missing else streak


def _number(day: str) -> int:
    return day_number(date.fromisoformat(day))
