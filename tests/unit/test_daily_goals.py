"""A day is judged by the goals and plans that were valid on it, and by nothing later."""

from __future__ import annotations

from typing import Any

import pytest
from day_kit import drained, event, the_day
from events import DATA, encode, histories, records_of
from hypothesis import given
from hypothesis import strategies as st

from schemas.families import FAMILY_OF
from schemas.rows import DailyRow, GoalDay, PlannedDay, decode_daily
from streams.daily.core import Ledger

SUNDAY, MONDAY = "2026-03-01", "2026-03-02"
EVERY = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def goal(since: str = SUNDAY, entity: str = "g", revision: int = 1, **data: Any) -> Any:
    said = {"metric": "water_ml", "target": 2000, "direction": "at_least", "effective_from": since, **data}
    return event("goal.set", said, entity, revision=revision)


def plan(since: str = SUNDAY, entity: str = "p", revision: int = 1, **data: Any) -> Any:
    return event("plan.assigned", {"effective_from": since, **data}, entity, revision=revision)


def water(ml: int, day: str = SUNDAY, entity: str | None = None) -> Any:
    return event("water.logged", {"ml": ml}, entity or f"water_{day}", f"{day}T12:00:00+01:00")


def workout(entity: str = "w", time: str = f"{MONDAY}T18:00:00+01:00", **data: Any) -> Any:
    return event("workout.completed", {"kind": "strength", **data}, entity, time)


def meal(entity: str = "m", time: str = f"{MONDAY}T12:00:00+01:00", **data: Any) -> Any:
    return event("meal.logged", {"meal_type": "lunch", "items": [], **data}, entity, time)


# -- goals


@pytest.mark.parametrize(
    ("direction", "tolerance", "actual", "hit"),
    [
        ("at_least", 0, 1999, False),
        ("at_least", 0, 2000, True),
        ("at_least", 10, 1800, True),
        ("at_least", 10, 1799, False),
        ("at_least", 10, 9000, True),
        ("at_most", 0, 2001, False),
        ("at_most", 0, 0, True),
        ("at_most", 10, 2200, True),
        ("at_most", 10, 2201, False),
        ("around", 10, 1800, True),
        ("around", 10, 2200, True),
        ("around", 10, 1799, False),
        ("around", 10, 2201, False),
        ("around", 0, 2000, True),
    ],
)
def test_a_goal_is_hit_within_its_tolerance(direction: str, tolerance: float, actual: int, hit: bool) -> None:
    row = the_day(SUNDAY, goal(direction=direction, tolerance_pct=tolerance), water(actual))
    assert row.goals == {
        "g": GoalDay("water_ml", 2000.0, direction, float(tolerance), SUNDAY, float(actual), actual - 2000.0, hit)
    }


def test_a_day_without_the_metric_neither_hits_nor_misses_its_goal() -> None:
    for metric in ("energy_kcal", "mood", "sources", "entities"):
        row = the_day(SUNDAY, goal(metric=metric), water(1))
        assert row.goals == {"g": GoalDay(metric, 2000.0, "at_least", 0.0, SUNDAY)}


def test_a_goal_may_be_about_adherence() -> None:
    row = the_day(MONDAY, goal(metric="workout_plan_adherence_pct", target=50), plan(workouts=[
        {"item": "a", "weekdays": ["mon"]}, {"item": "b", "weekdays": ["mon"]},
    ]), workout(planned_item="a"))  # fmt: skip
    assert row.goals is not None
    assert (row.goals["g"].actual, row.goals["g"].hit) == (50.0, True)


@pytest.mark.parametrize(
    ("day", "target"),
    [("2026-02-28", None), ("2026-03-01", 100.0), ("2026-03-09", 100.0), ("2026-03-10", 200.0), ("2026-03-20", 200.0),
     ("2026-03-21", None)],
)  # fmt: skip
def test_each_day_has_the_version_of_a_goal_that_was_valid_on_it(day: str, target: float | None) -> None:
    versions = [goal("2026-03-10", target=200, effective_until="2026-03-20"), goal("2026-03-01", target=100)]
    row = the_day(day, *versions, water(1, day))
    assert (row.goals and row.goals["g"].target) == target


def test_a_later_version_ends_an_earlier_one_even_if_it_is_over_itself() -> None:
    row = the_day(
        "2026-03-20", goal("2026-03-01"), goal("2026-03-10", effective_until="2026-03-12"), water(1, "2026-03-20")
    )
    assert row.goals is None


def test_the_highest_revision_of_a_version_decides() -> None:
    row = the_day(SUNDAY, goal(target=5, revision=2), goal(target=9), water(1))
    assert row.goals is not None
    assert row.goals["g"].target == 5.0


# -- plans


def test_nothing_planned_is_null() -> None:
    row = the_day(MONDAY, plan(workouts=[{"item": "a", "weekdays": ["tue"]}]), workout(planned_item="a"))
    assert (row.workout_plan_adherence_pct, row.meal_plan_adherence_pct, row.planned, row.rest_day) == (
        None, None, None, False,
    )  # fmt: skip
    assert the_day(MONDAY, workout(planned_item="a")).rest_day is None


PUSH = plan(workouts=[{"item": "push", "weekdays": ["mon"]}, {"item": "run", "weekdays": ["mon", "wed"]}])
LATER = f"{MONDAY}T20:00:00+01:00"


@pytest.mark.parametrize(
    ("done", "pct", "push", "run"),
    [
        ([water(1, MONDAY)], 0.0, PlannedDay("missed", 0.0), PlannedDay("missed", 0.0)),
        ([workout(planned_item="push")], 50.0, PlannedDay("as planned", 100.0, "w"), PlannedDay("missed", 0.0)),
        (
            [workout(planned_item="push", completion_pct=80), workout("r", LATER, planned_item="run")],
            90.0, PlannedDay("as planned", 80.0, "w"), PlannedDay("as planned", 100.0, "r"),
        ),
        ([workout()], 25.0, PlannedDay("substituted", 50.0, "w"), PlannedDay("missed", 0.0)),
        ([workout(planned_item="swim")], 25.0, PlannedDay("substituted", 50.0, "w"), PlannedDay("missed", 0.0)),
        (
            [workout(planned_item="run"), workout("x", LATER, completion_pct=50)],
            62.5, PlannedDay("substituted", 25.0, "x"), PlannedDay("as planned", 100.0, "w"),
        ),
        (
            [workout(planned_item="push", completion_pct=20), workout("v", LATER, planned_item="push")],
            50.0, PlannedDay("as planned", 100.0, "v"), PlannedDay("missed", 0.0),
        ),
        (
            [workout(planned_item="push", completion_pct=0)],
            0.0, PlannedDay("as planned", 0.0, "w"), PlannedDay("missed", 0.0),
        ),
    ],
)  # fmt: skip
def test_workout_adherence(done: list[Any], pct: float, push: PlannedDay, run: PlannedDay) -> None:
    row = the_day(MONDAY, PUSH, *done)
    assert row.planned == {"workout:push": push, "workout:run": run}
    assert row.workout_plan_adherence_pct == pct
    assert row.meal_plan_adherence_pct is None


SLOTS = plan(meals=[{"item": "lunch", "weekdays": EVERY}, {"item": "dinner", "weekdays": EVERY}])


@pytest.mark.parametrize(
    ("eaten", "pct", "lunch"),
    [
        ([meal(planned_item="lunch")], 50.0, PlannedDay("as planned", 100.0, "m")),
        ([meal(from_plan=True)], 50.0, PlannedDay("as planned", 100.0, "m")),
        ([meal()], 25.0, PlannedDay("substituted", 50.0, "m")),
        ([meal(planned_item="brunch")], 25.0, PlannedDay("substituted", 50.0, "m")),
        ([meal(planned_item="dinner")], 50.0, PlannedDay("missed", 0.0)),
        ([meal(meal_type="snack")], 0.0, PlannedDay("missed", 0.0)),
        ([meal(meal_type="snack", planned_item="lunch")], 50.0, PlannedDay("as planned", 100.0, "m")),
        ([meal(), meal("n", from_plan=True)], 50.0, PlannedDay("as planned", 100.0, "n")),
    ],
)
def test_meal_adherence(eaten: list[Any], pct: float, lunch: PlannedDay) -> None:
    row = the_day(MONDAY, SLOTS, *eaten)
    assert row.planned is not None
    assert (row.planned["meal:lunch"], row.meal_plan_adherence_pct) == (lunch, pct)


def test_two_plans_of_a_day_are_one_plan_and_name_an_item_once() -> None:
    other = plan(
        entity="q", workouts=[{"item": "push", "weekdays": ["mon"]}], meals=[{"item": "lunch", "weekdays": ["mon"]}]
    )
    row = the_day(MONDAY, PUSH, other, workout(planned_item="push"))
    assert (row.workout_plan_adherence_pct, row.meal_plan_adherence_pct) == (50.0, 0.0)


def test_a_rest_day_plans_no_workouts_of_its_plan() -> None:
    resting = plan(workouts=[{"item": "push", "weekdays": EVERY}], rest_days=["mon"])
    row = the_day(MONDAY, resting, workout())
    assert (row.rest_day, row.workout_plan_adherence_pct) == (True, None)
    both = the_day(MONDAY, resting, plan(entity="q", workouts=[{"item": "run", "weekdays": ["mon"]}]), workout())
    assert (both.rest_day, both.workout_plan_adherence_pct) == (False, 50.0)


@pytest.mark.parametrize(("until", "judged"), [("2026-03-01", False), ("2026-03-02", True), ("2026-12-31", True)])
def test_an_end_only_shortens(until: str, judged: bool) -> None:
    ended = event("plan.ended", {"effective_until": until}, "p", revision=2)
    short = plan(effective_until="2026-03-05", workouts=[{"item": "a", "weekdays": EVERY}])
    assert (the_day(MONDAY, ended, short, workout()).workout_plan_adherence_pct is not None) == judged
    friday = "2026-03-06"
    assert the_day(friday, ended, short, water(1, friday)).workout_plan_adherence_pct is None


def test_a_day_without_any_entity_has_no_row_whatever_was_planned() -> None:
    assert drained(Ledger(), PUSH, SLOTS, goal()) == {}


# -- what a late plan rewrites


@pytest.mark.parametrize(
    ("late", "rewritten"),
    [
        (goal("2026-03-04", target=7), {"2026-03-04", "2026-03-05"}),
        (goal("2026-02-01", target=7, effective_until="2026-02-28"), {"2026-02-28"}),
        (goal("2026-03-01", entity="other", effective_until="2026-03-02"), {"2026-03-01", "2026-03-02"}),
        (goal("2026-03-01", revision=2), set()),
        (goal("2026-04-01"), set()),
        (plan("2026-03-03", workouts=[{"item": "a", "weekdays": ["wed"]}]), {"2026-03-04"}),
        (event("plan.ended", {"effective_until": "2026-03-04"}, "base"), {"2026-03-05"}),
        (event("plan.ended", {"effective_until": "2026-03-05"}, "base"), set()),
        (
            event("profile.updated", {"source_priority": ["watch"], "effective_from": "2026-03-04"}, "profile"),
            {"2026-03-05"},
        ),
        (event("profile.updated", {"effective_from": "2026-03-01"}, "profile"), set()),
        (event("profile.updated", {"timezone": "Asia/Tokyo", "effective_from": "2026-03-01"}, "profile"), set()),
        (
            event("profile.updated", {"day_start": "11:00", "effective_from": "2026-03-04"}, "profile"),
            set(),
        ),
        (
            event("profile.updated", {"day_start": "11:59", "effective_from": "2026-03-04"}, "profile", revision=3),
            set(),
        ),
    ],
)  # fmt: skip
def test_a_plan_event_that_reaches_back_rewrites_just_the_days_it_covers(late: Any, rewritten: set[str]) -> None:
    days = ["2026-02-28", "2026-03-01", "2026-03-02", "2026-03-03", "2026-03-04", "2026-03-05"]
    base = plan("2026-02-01", "base", workouts=[{"item": "b", "weekdays": EVERY}])
    ledger = Ledger()
    assert set(drained(ledger, goal(), base, *[water(1000, day) for day in days])) == set(days)
    drained(ledger, event("water.logged", {"ml": 1}, "other", "2026-03-05T12:00:00+01:00", source="watch/1"))
    assert set(drained(ledger, late)) == rewritten


registers = st.sampled_from(["goal.set", "plan.assigned", "plan.ended"])


@given(histories, registers, st.data())
def test_only_rows_that_say_something_else_get_a_new_version(
    history: list[dict[str, Any]], kind: str, draw: st.DataObject
) -> None:
    ledger = Ledger()
    before = _rows(ledger, history)
    late = event(
        kind, draw.draw(DATA[kind]), draw.draw(st.sampled_from(["a", "b"])), revision=draw.draw(st.integers(1, 4))
    )
    late["subject"] = "u_1"
    after = _rows(ledger, [late])
    assert {key for key, row in after.items() if row != before.get(key)} == set(after)


def _rows(ledger: Ledger, history: list[dict[str, Any]]) -> dict[tuple[str, str], DailyRow]:
    for one in history:
        ledger.fold(records_of([encode(one)], FAMILY_OF[one["type"]]))
    found = {}
    for _, value in ledger.drain(1).rows["daily"]:
        row = decode_daily(value or b"")
        found[row.user_id, row.date] = row
    return found
