"""What is made ahead and what is due: laws of the pure part, for any today and any settings."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from daybook.keep.days import Dropped, may_be_absent
from daybook.keep.policy import Month, due, first_kept, month_after, month_of, months_ahead, months_to_drop
from daybook.keep.said import said
from schemas.rows import Best, DailyRow, GoalDay

DATES = st.dates(date(2011, 1, 1), date(2098, 12, 31))
DAYS = st.integers(7, 2_000)
AHEAD = st.integers(0, 24)


@given(DATES, DAYS, st.sets(DATES), st.sets(DATES))
def test_what_is_due_is_older_than_it_may_be_and_nothing_younger_is(
    today: date, keep: int, days: set[date], held: set[date]
) -> None:
    found = due(days, today, keep, held)
    assert found == sorted(found)
    assert set(found) == {day for day in days if (today - day).days > keep} - held


@given(DATES, DAYS, st.sets(st.integers(-3_000, 3), max_size=50), st.lists(st.integers(0, 40), max_size=6))
def test_passes_that_were_missed_change_nothing(today: date, keep: int, back: set[int], steps: list[int]) -> None:
    days = {today + timedelta(days=n) for n in back if (today - date.min).days + n > 3_100}
    left, now = set(days), today
    for step in steps:
        now += timedelta(days=step)
        left -= set(due(left, now, keep))
    assert left == days - set(due(days, now, keep)) or not steps


@given(DATES, AHEAD)
def test_months_are_made_without_a_gap_from_this_one_on(today: date, ahead: int) -> None:
    found = months_ahead(today, ahead)
    assert found[0] == month_of(today)
    assert len(found) == ahead + 1
    assert all(month_after(each) == then for each, then in pairwise(found))


@given(DATES, DAYS, AHEAD, st.lists(st.tuples(DATES.map(month_of), st.booleans())))
def test_a_month_that_is_dropped_is_empty_old_and_not_made_again(
    today: date, keep: int, ahead: int, months: list[tuple[date, bool]]
) -> None:
    dropped = set(months_to_drop([Month(*each) for each in months], today, keep))
    assert dropped <= {first for first, empty in months if empty}
    assert not dropped & set(months_ahead(today, ahead))
    assert all(month_after(first) <= first_kept(today, keep) for first in dropped)


def test_before_2010_and_from_2100_on_there_are_no_months() -> None:
    assert months_ahead(date(2009, 11, 30), 3) == [date(2010, 1, 1), date(2010, 2, 1)]
    assert months_ahead(date(2099, 12, 31), 3) == [date(2099, 12, 1)]


ROW = DailyRow(
    "u", "2024-02-01", 7, energy_kcal=1.0, steps=5, estimated_1rm_kg={"squat": 100.0, "bench": 80.5},
    bests={"reps:squat": Best(5.0, "w")}, entities=2, sources=["ios"],
    goals={"g": GoalDay("steps", 10_000.0, "at_least", 0.0, "2024-01-01", 5.0, -9_995.0, hit=False)},
)  # fmt: skip


def test_what_a_row_says_depends_on_its_metrics_alone() -> None:
    assert said(ROW) == said(replace(ROW, version=9, user_id="v", date="2024-02-02"))
    assert said(ROW) == said(replace(ROW, energy_kcal=1, estimated_1rm_kg={"bench": 80.5, "squat": 100}))
    assert said(None) == said(DailyRow("u", "2024-02-01", 8))


@given(st.sampled_from(["energy_kcal", "steps", "water_ml", "entities"]), st.integers(6, 9))
def test_a_row_that_says_something_else_is_another_one(name: str, value: int) -> None:
    assert said(ROW) != said(replace(ROW, **{name: value}))
    assert said(ROW) != said(replace(ROW, **{name: None})) or getattr(ROW, name) is None


def test_a_dropped_day_may_be_absent_only_while_it_would_say_the_same() -> None:
    day = (ROW.user_id, ROW.date)
    register = {day: Dropped(7, said(ROW))}
    assert may_be_absent(register, {day: replace(ROW, version=0)}) == {day}
    assert may_be_absent(register, {day: replace(ROW, steps=6)}) == set()
    assert may_be_absent(register, {}) == set()
    assert may_be_absent({}, {day: ROW}) == set()
