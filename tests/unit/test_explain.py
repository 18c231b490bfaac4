"""A number explained: what counts, what was left out and why, what judged the day."""

from __future__ import annotations

from typing import Any

import pytest
from day_kit import USER, event
from events import RECEIVED_MS, encode, records_of

from daybook.commands.explain import table
from daybook.explain import Explanation, agrees, explain
from daybook.recompute import EventRow
from schemas.families import FAMILY_OF
from schemas.ledger import split_key, unpack_winner
from sinks.batch import EntityRow
from sinks.clickhouse import encode as clickhouse
from sinks.clickhouse.entities import StoredEntity
from streams.daily.core import Ledger
from streams.daily.metrics import METRICS

DAY = "2026-03-01"
FOOD = {"name": "x", "energy_kcal": 100, "protein_g": 1, "carbs_g": 2, "fat_g": 3, "fibre_g": 4}
SET = {"exercise": "Squat", "reps": 5, "load_kg": 80}
ACTIVE = {"duration_s": 3600, "active_minutes": 30, "calories_kcal": 90, "distance_m": 700}
PLAN = {
    "effective_from": DAY,
    "meals": [{"item": "lunch", "weekdays": ["sun"]}],
    "workouts": [{"item": "run", "weekdays": ["sun"]}],
    "rest_days": ["mon"],
}


def explained(metric: str | None, *history: Any, day: str = DAY) -> Explanation:
    """As the command has it: winners from `entities`, all events from `events`."""
    ledger = Ledger()
    for one in history:
        ledger.fold(records_of([encode(one)], FAMILY_OF[one["type"]]))
    events = [
        EventRow(FAMILY_OF[one["type"]], RECEIVED_MS, USER, one["entity"], "", encode(one).decode()) for one in history
    ]
    rows = [
        EntityRow(*(name := split_key(key))[:3], name.register, unpack_winner(packed))
        for key, packed in ledger.users[USER].entities.items()
    ]
    columns = clickhouse.entities(rows)
    stored = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    entities = [StoredEntity(*[each["time" if n == "time_ms" else n] for n in StoredEntity._fields]) for each in stored]
    return explain(USER, day, metric, entities, events)


def why(found: Explanation) -> dict[str, str | None]:
    return {line.entity: line.why for line in found.left_out}


def water(ml: int, entity: str = "w", **more: Any) -> Any:
    return event("water.logged", {"ml": ml}, entity, **more)


def test_what_counts_and_what_was_superseded_deleted_moved_or_sent_twice() -> None:
    found = explained(
        "water_ml",
        water(100), water(200, revision=2),
        water(300, "gone"), event("water.deleted", {}, "gone", revision=2),
        water(400, "moved"), water(400, "moved", revision=3, time="2026-03-02T12:00:00+01:00"),
        water(50, "twice"), water(50, "twice"),
        event("meal.logged", {"meal_type": "lunch"}, "m"),
    )  # fmt: skip
    assert found.row == {"water_ml": 250.0}
    assert [(line.entity, line.says) for line in found.counted] == [
        ("twice", {"water_ml": 50}),
        ("w", {"water_ml": 200}),
    ]
    assert why(found) == {
        "w": "superseded by revision 2",
        "gone": "deleted by revision 2",
        "moved": "moved to 2026-03-02 by revision 3",
        "twice": "duplicate: the same content was sent again",
    }


@pytest.mark.parametrize(
    ("time", "reason"),
    [
        ("2026-03-01T03:00:00+01:00", "counts on 2026-02-28 (its offset is +01:00, the day starts at 04:00)"),
        ("2026-03-02T01:00:00+05:45", "counts on 2026-03-01"),
        ("2026-03-01T23:30:00Z", "counts on 2026-03-02 (zone Asia/Tokyo, the day starts at 04:00)"),
    ],
)
def test_an_entity_of_another_day_says_why_it_is_there(time: str, reason: str) -> None:
    said = {"timezone": "Asia/Tokyo", "day_start": "04:00", "effective_from": "2026-01-01"}
    found = explained("water_ml", water(1, "near", time=time), water(2), event("profile.updated", said, "profile"))
    if reason.startswith("counts on 2026-03-01"):
        assert [line.entity for line in found.counted] == ["w", "near"]
    else:
        assert why(found) == {"near": f"other day: {reason}"}
    assert found.profile == "since 2026-01-01: zone Asia/Tokyo, the day starts at 04:00"


def test_sources_that_gave_way_say_to_whom() -> None:
    def active(source: str, hour: int, seconds: int, steps: int) -> Any:
        time = f"2026-03-01T{hour:02}:00:00+01:00"
        return event(
            "activity.recorded", {"duration_s": seconds, "steps": steps}, f"{source}{hour}", time, source=source
        )

    found = explained("steps", active("ios", 9, 3600, 500), active("watch", 9, 1800, 300), active("ios", 11, 60, 7))
    assert found.row == {"steps": 557}
    half = next(line for line in found.counted if line.entity == "ios9")
    assert (half.counts, half.why) == ({"steps": 250}, "lower-priority source: watch was there")
    assert found.left_out == []
    found = explained("steps", active("fitbit", 0, 86_400, 900), active("fitbit", 9, 3600, 300))
    assert why(found) == {"fitbit9": "its provider's daily total counts instead"}

    def trained(source: str) -> Any:
        return event("workout.completed", {"kind": "run", "duration_s": 600}, source, source=source)

    assert "the same as watch of watch" in (
        why(explained("workout_minutes", trained("ios"), trained("watch")))["ios"] or ""
    )


def test_of_a_days_measurements_the_last_that_says_it_counts() -> None:
    def weighed(hour: int, **data: float) -> Any:
        return event("body.measured", data, f"b{hour}", f"2026-03-01T{hour:02}:00:00+01:00")

    found = explained("weight_kg", weighed(7, weight_kg=70), weighed(8, weight_kg=71), weighed(9, body_fat_pct=20))
    assert [line.entity for line in found.counted] == ["b8"]
    assert why(found) == {
        "b7": "a later measurement of the day counts",
        "b9": "does not say weight_kg, or nothing plausible",
    }


def test_the_goal_version_that_judged_the_day_is_named() -> None:
    def goal(since: str, target: int) -> Any:
        said = {"metric": "water_ml", "target": target, "direction": "at_least", "effective_from": since}
        return event("goal.set", said, "g")

    found = explained("water_ml", water(150), goal("2026-02-01", 100), goal("2026-03-02", 900))
    assert (found.goals["g"].effective_from, found.goals["g"].hit) == ("2026-02-01", True)
    assert [line.entity for line in found.plans] == ["g from 2026-02-01", "g from 2026-03-02"]
    assert explained("steps", water(150), goal("2026-02-01", 100)).goals == {}


def test_a_store_that_says_something_else_is_named() -> None:
    found = explained("water_ml", water(150))
    found.stores = {
        "postgres": {"version": 7, "water_ml": 150.0},
        "clickhouse": {"version": 7, "water_ml": 149.0},
        "redis": None,
    }
    assert agrees(found) == {"postgres": True, "clickhouse": False, "redis": True}
    text = "\n".join(table(found))
    assert "postgres: version 7, the same" in text
    assert 'clickhouse: version 7, says {"version":7,"water_ml":149.0}' in text


def test_a_day_without_anything_is_explained_too() -> None:
    found = explained(None, water(1), day="2026-05-05")
    assert (found.exists, found.row, found.counted, found.left_out) == (False, {}, [], [])
    assert "no row anywhere, as it should be" in "\n".join(table(found))


def test_every_number_of_a_day_with_everything_can_be_shown() -> None:
    meal = {"meal_type": "lunch", "items": [{"name": "x", "energy_kcal": 1}]}
    plan = {"effective_from": DAY, "meals": [{"item": "lunch", "weekdays": ["sun"]}], "rest_days": ["sun"]}
    found = explained(None, event("meal.logged", meal, "m"), event("plan.assigned", plan, "p"))
    text = list(table(found))
    assert any(line.startswith("  meal:lunch  substituted") for line in text)
    assert found.planned["meal:lunch"].entity == "m"


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_can_be_asked_for(metric: str) -> None:
    """Two watches' worth of a day with everything: the number, what made it, and what did not, with the reason."""
    day = [
        event("meal.logged", {"meal_type": "lunch", "items": [FOOD]}, "m"),
        event("meal.logged", {"meal_type": "lunch", "items": [FOOD, FOOD]}, "m", revision=2),
        water(300),
        event("body.measured", {"weight_kg": 70, "body_fat_pct": 20, "waist_cm": 80}, "b"),
        event("sleep.recorded", {"asleep_s": 25_000, "in_bed_s": 28_000}, "s", "2026-03-01T07:00:00+01:00"),
        event("plan.assigned", PLAN, "p"),
        event("goal.set", {"metric": "steps", "target": 5, "direction": "at_least", "effective_from": DAY}, "g"),
    ]
    for source, steps in (("ios", 9), ("watch", 8)):
        trained: dict[str, Any] = {"kind": "run", "duration_s": 600, "calories_kcal": 50, "rpe": 6, "sets": [SET]}
        trained["planned_item"] = "run"
        day += [
            event("workout.completed", trained, f"{source}_w", source=source),
            event("activity.recorded", ACTIVE | {"steps": steps}, f"{source}_a", source=source),
        ]
    whole, one = explained(None, *day), explained(metric, *day)
    assert one.row == {metric: whole.row[metric]}
    assert one.row[metric] is not None
    types = METRICS[metric].types
    assert {line.type for line in one.counted} <= set(types)
    assert one.counted or metric in ("rest_day", "rest_days"), "plans have made it, and are listed as such"
    left_out = why(one)
    if "meal.logged" in types:
        assert left_out["m"] == "superseded by revision 2"
    if "workout.completed" in types:
        assert left_out["ios_w"] is not None
    if metric in ("steps", "distance_m", "active_minutes", "activity_calories_kcal"):
        assert left_out["ios_a"] == "lower-priority source: watch was there"
    if "plan.assigned" in types:
        assert [line.entity for line in one.plans if line.type == "plan.assigned"] == [f"p from {DAY}"]
