"""The truth: a pure function of the set of events, checked by hand where a person can still add it up."""

from __future__ import annotations

import json
from typing import Any

import pytest
from events import encode, histories
from hypothesis import given
from hypothesis import strategies as st

from producers import fitbit, generate
from producers.truth import Row, daily_rows
from schemas.tables import DAILY_METRICS

FIRST_MS = 1_772_362_800_000  # 2026-03-01T12:00:00+01:00


def event(
    name: str, data: dict[str, Any], entity: str = "e", time: str = "2026-03-01T12:00:00+01:00", **more: Any
) -> bytes:
    head = {"specversion": "1.0", "id": "i", "source": "ios/1", "subject": "u", "type": name, "entity": entity}
    return json.dumps({**head, "time": time, "data": data, **more}).encode()


def the_row(*raw: bytes) -> Row:
    """The only row that the events come to."""
    rows = daily_rows(raw)
    assert len(rows) == 1
    return next(iter(rows.values()))


def days(*raw: bytes) -> list[str]:
    return sorted(day for _, day in daily_rows(raw))


# ── laws ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@given(histories, st.randoms(use_true_random=False), st.data())
def test_neither_order_nor_repetition_matters(history: list[dict[str, Any]], rng: Any, more: st.DataObject) -> None:
    raw = [encode(one) for one in history]
    again = raw + more.draw(st.lists(st.sampled_from(raw), max_size=5)) if raw else raw
    rng.shuffle(again)
    assert daily_rows(again) == daily_rows(raw)


def test_the_order_of_a_generated_month_does_not_matter_nor_do_its_bad_events() -> None:
    raw = list(generate.events(users=10, days=12, seed=2, edits=0.3, deletes=0.2, late=0.2, bad=0.1))
    rows = daily_rows(raw)
    assert daily_rows(sorted(set(raw), reverse=True)) == rows
    assert len(rows) >= 120


@given(histories)
def test_every_row_has_every_column_and_says_something(history: list[dict[str, Any]]) -> None:
    for row in daily_rows([encode(one) for one in history]).values():
        assert tuple(row) == DAILY_METRICS
        assert row["entities"] >= 1
        assert row["first_event_at"] <= row["last_event_at"]
        assert row["sources"]


def test_the_fitbit_month_comes_to_what_its_source_supports() -> None:
    rows = daily_rows(fitbit.events())
    assert set(rows) <= set(fitbit.daily_truth())
    found = {key: (row["steps"], row["activity_calories_kcal"]) for key, row in rows.items()}
    assert fitbit.agreement(found) == fitbit.SUPPORTED


# ── by hand: what wins ────────────────────────────────────────────────────────────────────────────────────────────


def test_the_highest_revision_wins_and_a_delete_wins_over_its_equal() -> None:
    first, second = event("water.logged", {"ml": 100}), event("water.logged", {"ml": 200}, revision=2)
    assert the_row(second, first)["water_ml"] == 200
    assert the_row(event("water.deleted", {}), second)["water_ml"] == 200
    assert daily_rows([event("water.deleted", {}, revision=2), second]) == {}
    assert daily_rows([event("water.deleted", {}, revision=3), first, second]) == {}


def test_entities_of_one_family_share_their_names_and_families_do_not() -> None:
    assert the_row(event("water.logged", {"ml": 1}), event("sleep.recorded", {"asleep_s": 60}, revision=2)) == the_row(
        event("sleep.recorded", {"asleep_s": 60}, revision=2)
    )
    assert the_row(event("water.logged", {"ml": 1}), event("meal.logged", {"meal_type": "snack"}))["entities"] == 2


def test_an_edit_may_move_an_entity_to_another_day() -> None:
    moved = event("water.logged", {"ml": 1}, time="2026-03-02T00:00:00+01:00", revision=2)
    assert days(event("water.logged", {"ml": 1}), moved) == ["2026-03-02"]


# ── by hand: which day ────────────────────────────────────────────────────────────────────────────────────────────


def profile(entity: str = "p", time: str = "2026-03-01T00:00:00+00:00", **data: Any) -> bytes:
    return event("profile.updated", data, entity, time)


@pytest.mark.parametrize(
    ("time", "more", "profiles", "day"),
    [
        ("2026-03-01T23:59:59+05:45", {}, [], "2026-03-01"),
        ("2026-03-01T23:59:59-11:00", {"timezone": "Asia/Tokyo"}, [], "2026-03-01"),
        ("2026-03-01T23:30:00Z", {}, [], "2026-03-01"),
        ("2026-03-01T23:30:00Z", {"timezone": "Europe/Berlin"}, [], "2026-03-02"),
        ("2026-03-01T23:30:00Z", {}, [profile(timezone="Europe/Berlin")], "2026-03-02"),
        ("2026-03-01T23:30:00Z", {"timezone": "UTC"}, [profile(timezone="Europe/Berlin")], "2026-03-01"),
        ("2026-03-28T23:30:00Z", {"timezone": "Europe/Berlin"}, [], "2026-03-29"),
        ("2026-03-29T22:30:00Z", {"timezone": "Europe/Berlin"}, [], "2026-03-30"),
        ("2026-03-02T03:59:59+01:00", {}, [profile(day_start="04:00")], "2026-03-01"),
        ("2026-03-02T04:00:00+01:00", {}, [profile(day_start="04:00")], "2026-03-02"),
        ("2026-03-01T03:00:00+01:00", {}, [profile(day_start="04:00")], "2026-03-01"),
        ("2026-03-02T03:00:00+01:00", {}, [profile(day_start="04:00", effective_from="2026-03-02")], "2026-03-02"),
        ("2026-03-03T03:00:00+01:00", {}, [profile(day_start="04:00", effective_from="2026-03-02")], "2026-03-02"),
        (
            "2026-03-05T03:00:00+01:00",
            {},
            [profile(day_start="04:00", effective_from="2026-03-01"), profile(effective_from="2026-03-05")],
            "2026-03-05",
        ),
        (
            "2026-03-04T03:00:00+01:00",
            {},
            [profile(day_start="04:00", effective_from="2026-03-01"), profile(effective_from="2026-03-05")],
            "2026-03-03",
        ),
        (
            "2026-03-04T03:00:00+01:00",
            {},
            [profile("a", day_start="04:00"), profile("b", day_start="02:00")],
            "2026-03-04",
        ),
    ],
)
def test_the_local_day(time: str, more: dict[str, Any], profiles: list[bytes], day: str) -> None:
    assert days(event("water.logged", {"ml": 1}, time=time, **more), *profiles) == [day]


# ── by hand: what it comes to ─────────────────────────────────────────────────────────────────────────────────────


def test_a_meal_is_its_items_times_its_portion() -> None:
    items = [{"name": "a", "energy_kcal": 310.5, "protein_g": 18.2}, {"name": "b", "energy_kcal": 120, "fat_g": 1.2}]
    row = the_row(event("meal.logged", {"meal_type": "lunch", "portion": 1.5, "items": items}))
    assert (row["energy_kcal"], row["protein_g"], row["fat_g"]) == (645.75, 27.3, 1.8)
    assert (row["carbs_g"], row["fibre_g"], row["meals_logged"]) == (None, None, 1)


def test_thousandths_are_rounded_half_to_even_on_the_way_in_and_half_up_after_the_portion() -> None:
    def energy(kcal: float, portion: float) -> Any:
        items = [{"name": "a", "energy_kcal": kcal}]
        return the_row(event("meal.logged", {"meal_type": "x", "portion": portion, "items": items}))["energy_kcal"]

    assert energy(0.0625, 1) == 0.062  # 62.5 cal
    assert energy(0.1875, 1) == 0.188  # 187.5 cal
    assert energy(0.001, 0.5) == 0.001
    assert energy(1, 1.333) == 1.333


def test_an_implausible_field_counts_as_missing_and_the_rest_counts() -> None:
    items = [{"name": "a", "energy_kcal": 20_001, "protein_g": 5}, {"name": "b", "energy_kcal": 20_000}]
    row = the_row(event("meal.logged", {"meal_type": "x", "items": items}))
    assert (row["energy_kcal"], row["protein_g"]) == (20_000, 5)
    row = the_row(event("workout.completed", {"kind": "run", "duration_s": 205_200, "calories_kcal": 400}))
    assert (row["workout_minutes"], row["workout_calories_kcal"], row["workouts_completed"]) == (None, 400, 1)


def test_volume_and_estimated_maxima_come_from_sets_with_repetitions_and_load() -> None:
    sets = [
        {"exercise": "Squat", "reps": 5, "load_kg": 80},
        {"exercise": "Squat", "reps": 1, "load_kg": 95},
        {"exercise": "Bench", "reps": 10, "load_kg": 60.1},
        {"exercise": "Bench", "reps": 1_001, "load_kg": 1},
        {"exercise": "Pull-up", "reps": 8, "load_kg": 0},
        {"exercise": "Row", "reps": 0, "load_kg": 50},
        {"exercise": "Plank", "seconds": 60},
    ]
    row = the_row(event("workout.completed", {"kind": "strength", "sets": sets}))
    assert row["volume_kg"] == 400 + 95 + 601
    assert row["estimated_1rm_kg"] == {"Squat": 95.0, "Bench": 80.133}
    nothing = the_row(event("workout.completed", {"kind": "yoga", "sets": sets[-1:]}))
    assert (nothing["volume_kg"], nothing["estimated_1rm_kg"]) == (None, None)
    assert the_row(event("workout.completed", {"kind": "x", "sets": sets[5:6]}))["volume_kg"] == 0


def test_the_load_of_a_session_is_its_minutes_times_its_exertion() -> None:
    row = the_row(
        event("workout.completed", {"kind": "run", "duration_s": 1_800, "rpe": 6.5}, "a"),
        event("workout.completed", {"kind": "run", "duration_s": 3_600, "rpe": 2}, "b"),
        event("workout.completed", {"kind": "run", "duration_s": 3_600}, "c"),
    )
    assert row["training_load"] == 30 * 6.5 + 60 * 2
    assert the_row(event("workout.completed", {"kind": "run", "rpe": 9}))["training_load"] is None


def test_bests_name_the_workout_that_reached_them_and_of_equals_the_earliest() -> None:
    light = [{"exercise": "Squat", "reps": 12, "load_kg": 60}, {"exercise": "Squat", "reps": 0, "load_kg": 200}]
    heavy = [{"exercise": "Squat", "reps": 1, "load_kg": 95}, {"exercise": "Pull-up", "reps": 8}]
    row = the_row(
        event(
            "workout.completed", {"kind": "x", "duration_s": 600, "sets": heavy}, "late", "2026-03-01T20:00:00+01:00"
        ),
        event(
            "workout.completed", {"kind": "x", "duration_s": 600, "sets": light}, "soon", "2026-03-01T07:00:00+01:00"
        ),
    )
    assert row["bests"] == {
        "workout_minutes": (10, "soon"),
        "workout_volume_kg": (720, "soon"),
        "heaviest_kg:Squat": (95, "late"),
        "reps:Squat": (12, "soon"),
        "estimated_1rm_kg:Squat": (95, "late"),
        "reps:Pull-up": (8, "late"),
    }
    assert row["estimated_1rm_kg"] == {"Squat": 95}


def test_calories_burned_are_the_activitys_where_there_is_any_else_the_workouts() -> None:
    workout = event("workout.completed", {"kind": "run", "calories_kcal": 300})
    activity = event("activity.recorded", {"duration_s": 3600, "calories_kcal": 80.5, "steps": 10})
    silent = event("activity.recorded", {"duration_s": 3600, "active_minutes": 1.5, "distance_m": 7.25})
    assert the_row(workout, activity)["calories_burned_kcal"] == 80.5
    assert the_row(workout, silent)["calories_burned_kcal"] == 300
    assert the_row(silent)["calories_burned_kcal"] is None
    assert (the_row(silent)["active_minutes"], the_row(silent)["distance_m"]) == (1.5, 7.25)


def test_the_last_measurement_of_the_day_counts_field_by_field() -> None:
    row = the_row(
        event("body.measured", {"weight_kg": 71, "waist_cm": 81.26}, "late", "2026-03-01T20:00:00+01:00"),
        event("body.measured", {"weight_kg": 72, "body_fat_pct": 19.504}, "early", "2026-03-01T07:00:00+01:00"),
        event("body.measured", {"weight_kg": 701}, "odd", "2026-03-01T21:00:00+01:00"),
    )
    assert (row["weight_kg"], row["body_fat_pct"], row["waist_cm"]) == (71, 19.5, 81.3)


def test_of_measurements_at_the_same_time_the_higher_revision_counts() -> None:
    row = the_row(
        event("body.measured", {"weight_kg": 71}, "a", revision=2), event("body.measured", {"weight_kg": 72}, "b")
    )
    assert row["weight_kg"] == 71


def test_the_rest_of_the_row() -> None:
    row = the_row(
        event("water.logged", {"ml": 250.5}, "w1", source="watch/2.1"),
        event("water.logged", {"ml": 251.5}, "w2", "2026-03-01T13:00:00+01:00", source="ios/5.3.0"),
        event("sleep.recorded", {"asleep_s": 19_620}, "s", "2026-03-01T12:30:00+01:00", source="ios/5.2.0"),
        event("sleep.deleted", {}, "gone", "2026-03-01T23:30:00+01:00", source="web/1"),
        event("goal.set", {"metric": "x", "target": 1, "direction": "at_least", "effective_from": "2026-03-01"}),
    )
    assert row["water_ml"] == 250 + 252
    assert row["sleep_minutes"] == 327
    assert row["entities"] == 3
    assert row["sources"] == ["ios", "watch"]
    assert (row["first_event_at"], row["last_event_at"]) == (FIRST_MS, FIRST_MS + 3_600_000)
    assert row["steps"] is None


def test_registers_alone_make_no_row_and_refused_events_count_for_nothing() -> None:
    assert daily_rows([profile(timezone="Europe/Berlin"), event("water.logged", {"ml": -1}), b"{", b""]) == {}
