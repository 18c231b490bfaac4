"""Hypothesis strategies for events, shared by the tests: few users, few entities, many collisions."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from streams.state import Records

RECEIVED_MS = 1_800_000_000_000
USERS = ("u_1", "u_2")
OFFSETS = ("Z", "+01:00", "-05:00", "+05:45", "+14:00", "-11:00")
ZONES = (None, "Europe/Berlin", "Asia/Kathmandu", "America/New_York", "Pacific/Apia")

kcal = st.one_of(st.none(), st.floats(0, 30_000, allow_nan=False), st.integers(0, 900))
grams = st.one_of(st.none(), st.floats(0, 6_000, allow_nan=False))


def _without_none(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


items = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["Soup", "Bread"]), "energy_kcal": kcal, "protein_g": grams, "fat_g": grams}
    ).map(_without_none),
    max_size=3,
)
planned_items = st.sampled_from([None, None, "", "lunch", "dinner", "push_a", "pull_a"])
meals = st.fixed_dictionaries(
    {
        "meal_type": st.sampled_from(["lunch", "dinner"]),
        "items": items,
        "portion": st.sampled_from([0.5, 1, 1.0, 1.333, 2]),
        "from_plan": st.sampled_from([None, None, True, False]),
        "planned_item": planned_items,
    }
).map(_without_none)
sets = st.lists(
    st.fixed_dictionaries(
        {
            "exercise": st.sampled_from(["Squat", "Bench"]),
            "reps": st.one_of(st.none(), st.integers(0, 1_200)),
            "load_kg": st.one_of(st.none(), st.floats(0, 2_000, allow_nan=False)),
        }
    ).map(_without_none),
    max_size=3,
)
workouts = st.fixed_dictionaries(
    {
        "kind": st.just("strength"),
        "duration_s": st.one_of(st.none(), st.sampled_from([0, 1800, 3600, 3601, 7200]), st.integers(0, 300_000)),
        "completion_pct": st.one_of(st.none(), st.floats(0, 100)),
        "planned_item": planned_items,
        "calories_kcal": kcal,
        "rpe": st.one_of(st.none(), st.floats(1, 10)),
        "sets": sets,
    }
).map(_without_none)
activities = st.fixed_dictionaries(
    {
        "duration_s": st.sampled_from([0.2, 900, 3600, 5400, 36_000, 72_000, 86_400]),
        "steps": st.one_of(st.none(), st.integers(0, 9_000)),
        "calories_kcal": kcal,
    }
).map(_without_none)
sleeps = st.fixed_dictionaries(
    {"asleep_s": st.one_of(st.none(), st.integers(0, 90_000)), "in_bed_s": st.one_of(st.none(), st.integers(0, 40_000))}
).map(_without_none)
waters = st.fixed_dictionaries({"ml": st.integers(0, 30_000)})
measurements = st.fixed_dictionaries(
    {"weight_kg": st.one_of(st.none(), st.floats(40, 150)), "body_fat_pct": st.one_of(st.none(), st.floats(5, 50))}
).map(_without_none)
profiles = st.fixed_dictionaries(
    {
        "timezone": st.sampled_from(ZONES),
        "day_start": st.sampled_from(["00:00", "04:00", "11:30"]),
        "source_priority": st.sampled_from(
            [None, [], ["watch", "ios"], ["phone", "watch"], ["web"], ["watch", "phone"]]
        ),
        "effective_from": st.sampled_from([None, "2026-03-01", "2026-03-02", "2026-03-29"]),
    }
).map(_without_none)
days = st.sampled_from(["2026-02-27", "2026-03-01", "2026-03-02", "2026-03-28", "2026-03-30"])
goals = st.fixed_dictionaries(
    {
        "metric": st.sampled_from(
            ["steps", "energy_kcal", "workout_plan_adherence_pct", "mood", "entities", "sources"]
        ),
        "target": st.one_of(st.integers(1, 10_000), st.floats(0, 100)),
        "direction": st.sampled_from(["at_least", "at_most", "around"]),
        "tolerance_pct": st.sampled_from([0, 10, 33.3]),
        "effective_from": days,
        "effective_until": st.one_of(st.none(), days),
    }
)
weekdays = st.lists(st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]), max_size=7)
plans = st.fixed_dictionaries(
    {
        "effective_from": days,
        "effective_until": st.one_of(st.none(), days),
        "workouts": st.lists(
            st.fixed_dictionaries({"item": st.sampled_from(["push_a", "pull_a"]), "weekdays": weekdays}), max_size=3
        ),
        "meals": st.lists(
            st.fixed_dictionaries({"item": st.sampled_from(["lunch", "dinner"]), "weekdays": weekdays}), max_size=3
        ),
        "rest_days": weekdays,
    }
)
plan_ends = st.fixed_dictionaries({"effective_until": days})

DATA = {
    "meal.logged": meals,
    "meal.deleted": st.just({}),
    "workout.completed": workouts,
    "workout.deleted": st.just({}),
    "body.measured": measurements,
    "water.logged": waters,
    "activity.recorded": activities,
    "sleep.recorded": sleeps,
    "body.deleted": st.just({}),
    "goal.set": goals,
    "plan.assigned": plans,
    "plan.ended": plan_ends,
    "profile.updated": profiles,
}


@st.composite
def _event(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(sorted(DATA)))
    day, hour, minute = draw(st.sampled_from([1, 2, 28, 29])), draw(st.integers(0, 23)), draw(st.sampled_from([0, 30]))
    event = {
        "specversion": "1.0",
        "id": f"id_{draw(st.integers(0, 999))}",
        "source": draw(st.sampled_from(["ios/5.2.0", "watch/2.1", "ios/5.3.0", "fitbit"])),
        "type": kind,
        "subject": draw(st.sampled_from(USERS)),
        "time": f"2026-03-{day:02}T{hour:02}:{minute:02}:00{draw(st.sampled_from(OFFSETS))}",
        "entity": draw(st.sampled_from(["a", "b", "c"])),
        "revision": draw(st.integers(1, 3)),
        "timezone": draw(st.sampled_from(ZONES)),
        "data": draw(DATA[kind]),
    }
    return _without_none(event)


def encode(event: dict[str, Any]) -> bytes:
    return json.dumps(event).encode()


events = _event()
histories = st.lists(events, max_size=14)
"""Some events of two users, in the order drawn; entities, revisions and days collide on purpose."""


def records_of(raw: list[bytes], topic: str, first_offset: int = 0) -> Records:
    """Records of one topic, keyed by subject as clients key them, all received at RECEIVED_MS."""
    n = len(raw)
    keys = [json.loads(value)["subject"].encode() for value in raw]
    return Records(topic, 0, range(first_offset, first_offset + n), [RECEIVED_MS] * n, keys, raw)
