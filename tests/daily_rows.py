"""Hypothesis strategies for daily rows as progress reads them, shared by the tests: few days, few users, collisions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from hypothesis import strategies as st

from schemas.instants import day_text
from schemas.positions import version_of
from schemas.progress import ProgressRow, decode_progress
from schemas.rows import Best, DailyRow, GoalDay, daily_key, encode_row
from schemas.tables import DAILY_COLUMNS
from schemas.topics import GENERATION
from streams.progress.core import Progress
from streams.state import Records

FIRST = 20_500
USERS = ("u_1", "u|2")
VERSION = version_of(GENERATION, 1)
Key = tuple[str, str]

bests = st.dictionaries(
    st.sampled_from(["workout_minutes", "heaviest_kg:Squat", "reps:Squat", "estimated_1rm_kg:Squat"]),
    st.builds(Best, st.sampled_from([1.0, 2.5, 80.133, 100.0]), st.sampled_from(["w_1", "w_2"])),
    max_size=3,
).map(lambda found: dict(sorted(found.items())) or None)
goals = st.dictionaries(
    st.sampled_from(["steps", "weight"]), st.sampled_from([None, False, True]).map(lambda hit: goal(hit)), min_size=1
).map(lambda found: dict(sorted(found.items())))
metrics = st.fixed_dictionaries(
    {},
    optional={
        "energy_kcal": st.integers(0, 9_000_000).map(lambda cal: cal / 1000),
        "meals_logged": st.integers(1, 3),
        "steps": st.sampled_from([0, 10, 500, 12_345, 2**32 - 1, 2**32]),
        "active_minutes": st.integers(0, 90_000).map(lambda s: s / 60),
        "workouts_completed": st.integers(1, 2),
        "training_load": st.integers(0, 600_000).map(lambda s: s / 600),
        "weight_kg": st.integers(40_000, 90_000).map(lambda g: g / 1000),
        "meal_plan_adherence_pct": st.integers(0, 10_000).map(lambda parts: parts / 100),
        "bests": bests,
        "rest_day": st.booleans(),
        "rest_days": st.lists(st.sampled_from(["mon", "wed", "sat", "sun"]), min_size=1, max_size=3, unique=True),
        "goals": goals,
    },
)


@st.composite
def _row(draw: st.DrawFn) -> DailyRow:
    day = draw(st.one_of(st.integers(0, 12), st.sampled_from([20, 27, 28, 33, 34, 35, 36, 60, -400])))
    said: dict[str, Any] = draw(st.one_of(st.none(), metrics)) or {}
    is_there = bool(said) or draw(st.booleans())
    user = draw(st.sampled_from(USERS))
    return DailyRow(user, day_text(FIRST + day), VERSION, entities=1 if is_there else None, **said)


rows = _row()
histories = st.lists(rows, max_size=30)
"""Daily rows of two users in the order in which they were written; the last one of a day counts."""


def day(number: int, user: str = "u", **said: Any) -> DailyRow:
    """A day, counted from 2026-02-16, with something on it."""
    return DailyRow(user, day_text(FIRST + number), VERSION, entities=1, **said)


def goal(hit: bool | None) -> GoalDay:
    """A goal that was valid on a day: hit, missed, or about what the day does not have."""
    return GoalDay("steps", 10_000.0, "at_least", 0.0, day_text(FIRST), hit=hit)


def gone(number: int, user: str = "u") -> DailyRow:
    """Nothing is left on that day."""
    return DailyRow(user, day_text(FIRST + number), VERSION)


def records_of(rows: Iterable[DailyRow], first_offset: int = 0, history: int = 0) -> Records:
    """As they come from the topic `daily`."""
    found = list(rows)
    n = len(found)
    keys, values = [daily_key(row) for row in found], [encode_row(row) for row in found]
    return Records("daily", 0, range(first_offset, first_offset + n), [0] * n, keys, values, history=history)


def last_of(rows: Iterable[DailyRow]) -> dict[Key, dict[str, Any]]:
    """The days that are left, in the words of producers/truth.py."""
    last = {(row.user_id, row.date): row for row in rows}
    left = {key: row for key, row in last.items() if row.entities}
    return {key: {c.name: getattr(row, c.field) for c in DAILY_COLUMNS[3:]} for key, row in left.items()}


def drain(state: Progress, seen: dict[str, Any], version: int = 1) -> dict[str, Any]:
    """What a reader of the topic `progress` knows after this drain, in the words of producers/progress.py."""
    for key, value in state.drain(version).rows["progress"]:
        row = decode_progress(value or b"")
        assert key.decode() == row.user_id
        assert row.version == version
        seen[row.user_id] = said(row)
    return {user: row for user, row in seen.items() if row}


def said(row: ProgressRow) -> dict[str, Any]:
    """A progress row without user and version, nulls left out."""
    found: dict[str, Any] = msgspec.to_builtins(row)
    return {name: value for name, value in found.items() if name not in ("user_id", "version")}
