"""Definitions of metrics: the local day chooses them, an owner judges by the latest it heard of, silence is told."""

from __future__ import annotations

import doctest
from datetime import date, timedelta
from typing import Any

import pytest
from day_kit import USER, drained, event, the_day
from definitions_kit import FIRST, compute_rows, drained_all, heard, in_force, learn
from events import RECEIVED_MS, encode, histories, records_of
from hypothesis import given
from hypothesis import strategies as st

from daybook.backfill import compute
from schemas import definitions
from schemas.definitions import NONE, Definitions, Version
from schemas.families import FAMILY_OF
from schemas.hints import DaysHint, encode_hint
from schemas.instants import day_number
from schemas.rows import daily_key, decode_daily, encode_row
from schemas.topics import DAILY, GENERATION, HINTS
from streams.daily import definitions as rules
from streams.daily.core import Ledger
from streams.daily.definitions import PARAMETERS, STANDARD, InForce, Rules, parameters_of
from streams.daily.metrics import METRICS
from streams.progress.core import Progress
from streams.runtime.partition import OwnedPartition
from streams.state import HISTORY, Records

DAY = "2026-03-02"


def asked_again(*dates: str) -> Records:
    return Records(HINTS.name, 0, [0], [RECEIVED_MS], [USER.encode()], [encode_hint(DaysHint(list(dates)))])


def plan(**data: Any) -> Any:
    return event("plan.assigned", {"effective_from": "2026-03-01", **data}, "p")


def meal(entity: str, **data: Any) -> Any:
    return event(
        "meal.logged", {"meal_type": "lunch", "items": [{"name": "Soup", "energy_kcal": 100}], **data}, entity,
        f"{DAY}T12:00:00+01:00",
    )  # fmt: skip


def at(name: str, entity: str, **data: Any) -> Any:
    return event(name, data, entity, f"{DAY}T08:00:00+01:00")


EVERY = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
FULL_DAY = (
    plan(meals=[{"item": "lunch", "weekdays": EVERY}], workouts=[{"item": "push", "weekdays": EVERY}]),
    meal("m1", planned_item="other"),
    at("workout.completed", "w1", kind="strength", duration_s=1800, calories_kcal=500, planned_item="other"),
    at("activity.recorded", "a1", duration_s=8 * 3600, steps=10, calories_kcal=300),
    at("sleep.recorded", "s1", asleep_s=25_200, in_bed_s=28_800),
)
"""A day on which every parameter matters."""
OTHERWISE: dict[str, tuple[str, object]] = {
    "meal_plan_adherence_pct": ("75", 75.0),
    "workout_plan_adherence_pct": ("20", 20.0),
    "calories_burned_kcal": ("larger", 500.0),
    "sleep_minutes": ("in_bed", 480.0),
    "meals_coverage": ("1", "complete"),
    "activity_coverage": ("8", "complete"),
}
"""Metric → a value of its parameter, and what FULL_DAY says then."""


def of(metric: str, since: str | None = None, until: str | None = None) -> Definitions:
    parameter = parameters_of(metric)[0]
    return NONE.plus(Version(metric, 2, {parameter.name: parameter.parse(OTHERWISE[metric][0])}, since, until, "7"))


def test_the_examples_in_the_docstrings_run() -> None:
    for module in (definitions, rules):
        assert doctest.testmod(module).failed == 0
        assert doctest.testmod(module).attempted


def test_every_parameter_is_of_a_metric_and_has_a_field_and_a_test() -> None:
    assert {each.field for each in PARAMETERS} == set(Rules._fields)
    assert {each.metric for each in PARAMETERS} == set(OTHERWISE) <= set(METRICS)
    for each in PARAMETERS:
        assert each.parse(str(each.standard)) == each.standard
        with pytest.raises(ValueError, match="expected"):
            each.parse("-1")


@pytest.mark.parametrize("metric", OTHERWISE)
def test_another_value_changes_what_the_metric_says_of_the_day(metric: str) -> None:
    history = FULL_DAY if metric.endswith("adherence_pct") else FULL_DAY[1:]
    usual = the_day(DAY, *history)
    ledger = Ledger(in_force=InForce(of(metric)))
    changed = drained(ledger, *history)[DAY]
    assert getattr(changed, metric) == OTHERWISE[metric][1] != getattr(usual, metric)


@given(in_force, st.integers(-3, 15))
def test_the_latest_version_that_covers_a_day_judges_it(said: Definitions, offset: int) -> None:
    day = FIRST + timedelta(offset)
    found = InForce(said).on(day_number(day))
    for parameter in PARAMETERS:
        covering = [
            v for v in said.of(parameter.metric)
            if (v.since is None or v.since <= day.isoformat()) and (v.until is None or day.isoformat() <= v.until)
        ]  # fmt: skip
        want = covering[-1].values[parameter.name] if covering else parameter.standard
        assert getattr(found, parameter.field) == want


def test_what_this_code_does_not_know_changes_nothing() -> None:
    strange = NONE.plus(Version("mood", 2, {"x": 1}, None, None, "1")).plus(
        Version("sleep_minutes", 2, {"naps": "count"}, None, None, "2")
    )
    assert InForce(strange).on(20_500) == STANDARD


@given(histories, in_force, st.data())
def test_an_owner_that_hears_of_definitions_midway_says_the_same_in_the_end(
    history: list[Any], said: Definitions, data: Any
) -> None:
    middle = data.draw(st.integers(0, len(history)))
    ledger, always, rows, want = Ledger(), Ledger(in_force=InForce(said)), {}, {}
    for number, one in enumerate(history):
        if number == middle:
            learn(ledger, rows)
            ledger.fold(heard(said))
        for each, seen in ((ledger, rows), (always, want)):
            each.fold(records_of([encode(one)], FAMILY_OF[one["type"]]))
            learn(each, seen)
    ledger.fold(heard(said))
    for user, day in list(rows):
        ledger.fold(asked_again(day)._replace(keys=[user.encode()]))
    learn(ledger, rows)
    assert {k: r for k, r in rows.items() if not r.is_null} == {k: r for k, r in want.items() if not r.is_null}


def test_definitions_are_in_the_changelog_and_an_earlier_record_does_not_go_back() -> None:
    ledger, two = Ledger(), of("sleep_minutes").plus(Version("meals_coverage", 2, {"meals_a_day": 1}, None, None, "8"))
    ledger.fold(heard(two))
    ledger.fold(heard(of("sleep_minutes")))
    assert ledger.in_force.said == two
    [(key, value)] = ledger.drain(1).state
    again = Ledger()
    assert again.restore_note(key, value)
    assert again.in_force.said == two
    assert ledger.drain(2).state == []


def test_a_day_said_again_for_a_definition_is_silent_unless_something_happens_on_it() -> None:
    ledger = Ledger(3)
    drained(ledger, *FULL_DAY)
    ledger.fold(heard(of("sleep_minutes")))
    ledger.fold(asked_again(DAY, "2026-03-09"))
    out = ledger.drain(2)
    assert out.silent == ((DAILY.name, 3),)
    assert out.rows[DAILY.name] == []
    said, nothing = [decode_daily(value or b"") for _, value in out.rows[DAILY.name, 3]]
    assert (said.date, said.sleep_minutes, said.version) == (DAY, 480.0, 2)
    assert nothing.is_null
    ledger.fold(asked_again(DAY))
    assert set(drained(ledger, meal("m2"))) == {DAY}, "a day on which something happens is told as ever"


def test_readers_of_a_silent_row_are_told_so_and_make_no_milestone_of_it() -> None:
    partition = OwnedPartition(0, "changelog", GENERATION, Ledger())
    for topic in (HINTS.name, "body"):
        partition.open(topic, "id", 0)
    walk = at("activity.recorded", "a1", duration_s=600, steps=9_000)
    partition.fold(records_of([encode(walk)], "body"), 1)
    loud = partition.drain()
    partition.fold(asked_again(DAY), 1)
    quiet = partition.drain()
    assert (loud.silent, quiet.silent) == ((), ((DAILY.name, 0),))
    for flush, target, headers, is_news in (
        (loud, DAILY.name, {}, True),
        (quiet, (DAILY.name, 0), {0: [HISTORY]}, False),
    ):
        progress, rows = Progress(), flush.records[target]
        before = the_day("2026-03-01", event("activity.recorded", {"duration_s": 600, "steps": 5_000}, "a0"))
        before.version = decode_daily(rows[0][1] or b"").version
        progress.fold(Records(DAILY.name, 0, [0], [0], [daily_key(before)], [encode_row(before)]))
        progress.drain(0)
        keys, values = [k for k, _ in rows], [v for _, v in rows]
        progress.fold(Records(DAILY.name, 0, range(len(rows)), [0] * len(rows), keys, values, headers))
        assert bool(progress.drain(1).rows["milestones"]) is is_news


@given(histories, in_force, in_force)
def test_the_shadow_says_what_a_worker_would_say(history: list[Any], before: Definitions, after: Definitions) -> None:
    stored, now, then = compute_rows(history), Ledger(in_force=InForce(before)), Ledger(in_force=InForce(after))
    said, will = drained_all(now, history), drained_all(then, history)
    for metric in ("meal_plan_adherence_pct", "coverage", "sleep_minutes"):
        column = compute.COLUMN_OF[metric]
        found = compute.values(stored, metric, InForce(before), InForce(after), lambda user, day: day % 2 == 0)
        want = {
            key: (compute.said_of(row, column), compute.said_of(will[key], column), row != will[key])
            for key, row in said.items()
            if not row.is_null and day_number(date.fromisoformat(key[1])) % 2 == 0
        }
        assert {(v.user_id, v.date): (v.before, v.after, v.is_changed) for v in found} == want
