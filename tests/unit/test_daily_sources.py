"""What several sources saw counts once: by priority, by interval, by metric; and says what was left out."""

from __future__ import annotations

from typing import Any

import pytest
from day_kit import event, ledger_rows, the_day
from events import encode
from hypothesis import given
from hypothesis import strategies as st

from producers import truth
from streams.daily.overlap import strength

DAY = "2026-03-01"


def active(source: str, hour: str, duration_s: float = 3600, entity: str | None = None, **data: Any) -> Any:
    said = {"duration_s": duration_s, **data}
    return event("activity.recorded", said, entity or f"{source}_{hour}", f"{DAY}T{hour}:00+01:00", source=source)


def trained(source: str, start: str, minutes: float, entity: str | None = None, **data: Any) -> Any:
    said = {"kind": "run", "duration_s": minutes * 60, **data}
    return event("workout.completed", said, entity or source, f"{DAY}T{start}:00+01:00", source=source)


def slept(source: str, woke: str, hours: float, entity: str | None = None) -> Any:
    said = {"asleep_s": hours * 3600, "in_bed_s": hours * 3600}
    return event("sleep.recorded", said, entity or source, f"{DAY}T{woke}:00+01:00", source=source)


def profile(*order: str) -> Any:
    return event("profile.updated", {"source_priority": list(order), "effective_from": "2026-02-01"}, "profile")


# -- activity


@pytest.mark.parametrize(
    ("seen", "steps"),
    [
        ([active("ios/1", "09:00", steps=500), active("watch/2", "09:00", steps=480)], 480),
        ([active("ios/1", "09:00", steps=500), active("watch/2", "10:00", steps=480)], 980),
        ([active("ios/1", "09:00", steps=500), active("watch/2", "09:00", 1800, steps=480)], 250 + 480),
        ([active("ios/1", "09:00", steps=501), active("watch/2", "09:30", 3600, steps=480)], 251 + 480),
        ([active("ios/1", "09:00", steps=500), active("ios/2", "09:00", steps=480, entity="again")], 980),
        ([active("ios/1", "09:00", steps=500), active("watch/2", "09:00", calories_kcal=90)], 500),
        ([active("ios/1", "09:00", steps=500), active("watch/2", "09:00", steps=0)], 0),
        ([profile("watch", "ios"), active("ios/1", "09:00", steps=500), active("watch/2", "09:00", steps=480)], 500),
        ([profile("watch", "phone"), active("ios/1", "09:00", steps=500), active("watch/2", "09:00", steps=480)], 500),
        ([active(source, "09:00", steps=steps) for source, steps in (("ios", 5), ("android", 4), ("watch", 3))], 3),
        (
            [active("ios/1", "09:00", steps=500), active("watch", "09:00", 900, steps=100),
             active("watch", "09:10", 1200, steps=200, entity="overlapping")],
            250 + 300,
        ),
    ],
)  # fmt: skip
def test_the_stronger_source_counts_interval_by_interval(seen: list[Any], steps: int) -> None:
    assert the_day(DAY, *seen).steps == steps


def test_each_metric_has_its_own_strongest_source() -> None:
    row = the_day(
        DAY,
        active("ios/1", "09:00", steps=500, calories_kcal=50, distance_m=400),
        active("watch/2", "09:00", steps=480, active_minutes=12),
    )
    assert (row.steps, row.activity_calories_kcal, row.distance_m, row.active_minutes) == (480, 50.0, 400.0, 12.0)


HOURS = [active("fitbit", f"{hour:02}:00", steps=100) for hour in range(8, 18)]


@pytest.mark.parametrize(
    ("seen", "steps"),
    [
        ([*HOURS, active("fitbit", "00:00", 86_400, steps=1_250)], 1_250),
        ([*HOURS, active("fitbit", "00:00", 86_400, calories_kcal=9)], 1_000),
        ([*HOURS, active("fitbit", "00:00", 71_999, steps=1_250)], 2_250),
        ([active("fitbit", "00:00", 82_800, steps=9), active("fitbit", "00:00", 86_400, steps=8, entity="longer")], 8),
        # a phone's total beside a watch that was worn for some of the day
        ([active("ios/1", "00:00", 86_400, steps=10_000), active("watch", "09:00", 8 * 3600, steps=8_000)], 10_000),
        ([active("ios/1", "00:00", 86_400, steps=7_000), active("watch", "09:00", 8 * 3600, steps=8_000)], 8_000),
        ([active("ios/1", "00:00", 86_400, steps=2_400), active("watch", "09:00", 3600, steps=10)], 2_310),
        ([active("watch", "00:00", 86_400, steps=5_000), active("ios/1", "09:00", steps=700)], 5_000),
    ],
)
def test_a_providers_daily_total_beats_its_own_hours(seen: list[Any], steps: int) -> None:
    assert the_day(DAY, *seen).steps == steps


# -- workouts and sleeps


@pytest.mark.parametrize(
    ("other", "once"),
    [
        (trained("watch/2", "18:00", 60), True),
        (trained("watch/2", "18:29", 60), True),
        (trained("watch/2", "18:30", 60), False),
        (trained("watch/2", "18:10", 20), True),
        (trained("watch/2", "18:50", 20), False),
        (trained("watch/2", "20:00", 60), False),
        (trained("ios/6", "18:00", 60, "twice"), False),
        (event("workout.completed", {"kind": "run"}, "w", f"{DAY}T18:00:00+01:00", source="watch"), False),
    ],
)
def test_a_workout_of_two_sources_counts_once_where_more_than_half_is_common(other: Any, once: bool) -> None:
    row = the_day(DAY, trained("ios/5", "18:00", 60, "phone"), other)
    assert row.workouts_completed == (1 if once else 2)
    assert row.left_out == ({"workout:phone": other["entity"]} if once else None)
    assert row.entities == 2


def test_what_the_stronger_source_does_not_say_the_other_does() -> None:
    lifts = [{"exercise": "Squat", "reps": 5, "load_kg": 100}]
    row = the_day(
        DAY,
        trained("ios/5", "18:00", 50, "phone", sets=lifts, rpe=6, planned_item="legs", calories_kcal=100),
        trained("watch/2", "18:02", 55, "watch", calories_kcal=321),
        event("plan.assigned", {"effective_from": DAY, "workouts": [{"item": "legs", "weekdays": ["sun"]}]}, "p"),
    )
    assert (row.workout_minutes, row.workout_calories_kcal) == (55.0, 321.0)
    assert (row.volume_kg, row.training_load, row.workout_plan_adherence_pct) == (500.0, 300.0, 100.0)
    assert row.bests is not None
    assert row.bests["workout_minutes"] == (55.0, "watch")
    assert row.bests["heaviest_kg:Squat"] == (100.0, "phone")
    assert row.planned is not None
    assert row.planned["workout:legs"].entity == "watch"


def test_a_sleep_of_two_sources_counts_once_and_a_nap_counts_too() -> None:
    row = the_day(DAY, slept("ios/5", "07:00", 8), slept("watch/2", "06:50", 7.5), slept("ios/5", "15:00", 1, "nap"))
    assert row.sleep_minutes == 510.0
    assert row.left_out == {"sleep:ios/5": "watch/2"}


def test_a_deleted_workout_gives_way_to_the_one_that_was_left_out() -> None:
    gone = event("workout.deleted", {}, "watch/2", revision=2)
    row = the_day(DAY, trained("ios/5", "18:00", 60), trained("watch/2", "18:00", 50), gone)
    assert (row.workouts_completed, row.workout_minutes, row.left_out) == (1, 60.0, None)


def test_platforms_are_ordered_by_the_profile_then_by_default_then_by_name() -> None:
    def strongest_first(order: tuple[str, ...] | None, *platforms: str) -> list[str]:
        return sorted(platforms, key=lambda platform: strength(platform, order), reverse=True)

    assert strongest_first(None, "web", "ios", "watch", "scale") == ["watch", "ios", "web", "scale"]
    assert strongest_first(("watch", "web"), "web", "ios", "watch") == ["web", "watch", "ios"]
    assert strongest_first(("phone", "ios"), "android", "ios", "watch") == ["ios", "android", "watch"]
    assert strongest_first(("a", "b", "a"), "a", "b") == ["a", "b"]


# -- coverage


MEAL = {"meal_type": "lunch", "items": [{"name": "x", "energy_kcal": 500}]}


def test_coverage_says_what_a_day_rests_on() -> None:
    meals = [event("meal.logged", MEAL, f"m{n}") for n in range(3)]
    whole = [slept("watch", "07:00", 8), active("watch", "08:00", 36_000, steps=1)]
    row = the_day(DAY, *meals, *whole)
    assert (row.coverage, row.meals_coverage, row.activity_coverage, row.sleep_coverage) == ("complete",) * 4
    row = the_day(DAY, *meals[:2], active("watch", "08:00", 35_999, steps=1))
    assert (row.coverage, row.meals_coverage, row.activity_coverage, row.sleep_coverage) == (
        "partial", "partial", "partial", "absent",
    )  # fmt: skip
    assert (
        the_day(DAY, active("watch", "08:00", 20_000), active("ios/1", "12:00", 20_000)).activity_coverage == "partial"
    )
    slot = {"effective_from": DAY, "meals": [{"item": "lunch", "weekdays": ["sun"]}]}
    assert the_day(DAY, meals[0], event("plan.assigned", slot, "p")).meals_coverage == "complete"


# -- the law: any overlap, any order, is what the slow pass says

platforms = st.sampled_from(["ios/1", "ios/2", "android/1", "watch/2", "watch", "fitbit", "web"])
starts = st.sampled_from([f"{hour:02}:{minute:02}" for hour in (8, 9, 10) for minute in (0, 10, 30)])
counts = st.none() | st.integers(0, 9)


@st.composite
def overlapping(draw: st.DrawFn) -> list[Any]:
    found: list[Any] = []
    for n in range(draw(st.integers(1, 8))):
        kind, source, start = draw(st.sampled_from(["active", "trained", "slept"])), draw(platforms), draw(starts)
        if kind == "active":
            seconds = draw(st.sampled_from([0.3, 600, 3600, 5000, 72_000, 80_000, 86_400]))
            said = {name: value for name in ("steps", "distance_m") if (value := draw(counts)) is not None}
            found.append(active(source, start, seconds, f"a{n}", **said))
        elif kind == "trained":
            item = draw(st.sampled_from([{}, {"planned_item": "x"}, {"rpe": 5}, {"completion_pct": 40}]))
            sets = [{"exercise": "Squat", "reps": draw(st.integers(0, 3)), "load_kg": draw(st.integers(0, 3))}]
            extra = {**item, **({"sets": sets} if draw(st.booleans()) else {})}
            found.append(trained(source, start, draw(st.sampled_from([0, 30, 60, 90])), f"w{n}", **extra))
        else:
            found.append(slept(source, start, draw(st.sampled_from([0, 0.5, 1, 2])), f"s{n}"))
    order = draw(st.none() | st.permutations(["ios", "watch", "phone", "web"]))
    plans = [event("plan.assigned", {"effective_from": DAY, "workouts": [{"item": "x", "weekdays": ["sun"]}]}, "p")]
    return found + ([] if order is None else [profile(*order)]) + (plans if draw(st.booleans()) else [])


@given(overlapping(), st.randoms(use_true_random=False))
def test_any_overlap_in_any_order_is_what_the_slow_pass_says(history: list[Any], random: Any) -> None:
    raw = [encode(one) for one in history]
    wanted = truth.daily_rows(raw)
    assert ledger_rows(raw) == wanted
    random.shuffle(raw)
    assert ledger_rows(raw, chunk=2) == wanted
