"""What every column of the daily row means: one table, from which docs/metrics.md is made and `daybook explain` reads.

What it is computed from stands beside the field itself, in schemas/rows.py; here are its unit, when it is null, which
events bring it, and which of their values (schemas/ledger.py).
"""

from __future__ import annotations

from typing import NamedTuple

_ALL = (
    *("meal.logged", "water.logged", "workout.completed", "activity.recorded", "sleep.recorded"),
    "body.measured",
)


class Metric(NamedTuple):
    """One column of the daily row."""

    unit: str
    null: str
    """When it is null; a row exists for days with at least one live entity."""
    types: tuple[str, ...]
    """Types of the events that bring it."""
    value: str | None = None
    """Which value of theirs it is made of; None: all."""
    scale: int = 1
    """How many base units one unit has."""


def _meal(unit: str, value: str) -> Metric:
    return Metric(unit, "no item of any meal says it", ("meal.logged",), value, 1000)


def _workout(unit: str, null: str, value: str | None = None, scale: int = 1) -> Metric:
    return Metric(unit, null, ("workout.completed",), value, scale)


def _active(unit: str, value: str, scale: int) -> Metric:
    return Metric(unit, "no activity says it", ("activity.recorded",), value, scale)


def _body(unit: str, value: str, scale: int) -> Metric:
    return Metric(unit, "no measurement says it", ("body.measured",), value, scale)


METRICS: dict[str, Metric] = {
    "energy_kcal": _meal("kcal", "energy_cal"),
    "protein_g": _meal("g", "protein_mg"),
    "carbs_g": _meal("g", "carbs_mg"),
    "fat_g": _meal("g", "fat_mg"),
    "fibre_g": _meal("g", "fibre_mg"),
    "water_ml": Metric("ml", "no water says it", ("water.logged",), "water_ml"),
    "meals_logged": Metric("1", "no meal", ("meal.logged",)),
    "workouts_completed": _workout("1", "no workout"),
    "workout_minutes": _workout("min", "no workout says its duration", "duration_s", 60),
    "volume_kg": _workout("kg", "no set says repetitions and load", "volume_g_reps", 1000),
    "estimated_1rm_kg": _workout("kg per exercise", "no set says repetitions and load"),
    "workout_calories_kcal": _workout("kcal", "no workout says it", "calories_cal", 1000),
    "activity_calories_kcal": _active("kcal", "calories_cal", 1000),
    "calories_burned_kcal": Metric(
        "kcal", "neither activity nor workouts say it", ("activity.recorded", "workout.completed"), "calories_cal", 1000
    ),
    "steps": _active("1", "steps", 1),
    "active_minutes": _active("min", "active_s", 60),
    "distance_m": _active("m", "distance_mm", 1000),
    "sleep_minutes": Metric("min", "no sleep says its time asleep", ("sleep.recorded",), "asleep_s", 60),
    "weight_kg": _body("kg", "weight_g", 1000),
    "body_fat_pct": _body("%", "body_fat_bp", 100),
    "waist_cm": _body("cm", "waist_mm", 10),
    "entities": Metric("1", "never", _ALL),
    "sources": Metric("list", "never", _ALL),
    "first_event_at": Metric("time", "never", _ALL),
    "last_event_at": Metric("time", "never", _ALL),
    "training_load": _workout("min", "no workout says both duration and rpe", "load_s_rpe10", 600),
    "bests": _workout("name → value, entity", "no workout says any of it"),
    "meal_plan_adherence_pct": Metric("%", "no meal was planned", ("meal.logged", "plan.assigned", "plan.ended")),
    "workout_plan_adherence_pct": Metric(
        "%", "no workout was planned", ("workout.completed", "plan.assigned", "plan.ended")
    ),
    "planned": Metric(
        "item → how, pct, entity",
        "nothing was planned",
        ("meal.logged", "workout.completed", "plan.assigned", "plan.ended"),
    ),
    "rest_day": Metric("yes or no", "no plan was valid", ("plan.assigned", "plan.ended")),
    "goals": Metric("goal → metric, target, actual, delta, hit", "no goal was valid", (*_ALL, "goal.set")),
    "left_out": Metric("entity → entity", "nothing was", ("workout.completed", "sleep.recorded")),
    "coverage": Metric("complete, partial", "never", ("meal.logged", "activity.recorded", "sleep.recorded")),
    "meals_coverage": Metric("complete, partial, absent", "never", ("meal.logged", "plan.assigned", "plan.ended")),
    "activity_coverage": Metric("complete, partial, absent", "never", ("activity.recorded",)),
    "sleep_coverage": Metric("complete, partial, absent", "never", ("sleep.recorded",)),
    "rest_days": Metric("list", "no plan that was valid rests", ("plan.assigned", "plan.ended")),
}
"""Column → what it is, in the order of the columns."""
