"""The five event families, listed once: codec, topics, JSON Schema and docs read this table."""

from __future__ import annotations

from schemas import body, meals, plans, views, workouts
from schemas.envelope import Envelope, type_of

FAMILIES: dict[str, tuple[type[Envelope], ...]] = {
    "workouts": (workouts.WorkoutCompleted, workouts.WorkoutDeleted),
    "meals": (meals.MealLogged, meals.MealDeleted),
    "body": (
        body.BodyMeasured,
        body.WaterLogged,
        body.ActivityRecorded,
        body.SleepRecorded,
        body.BodyDeleted,
        body.WaterDeleted,
        body.ActivityDeleted,
        body.SleepDeleted,
    ),
    "plans": (plans.GoalSet, plans.PlanAssigned, plans.PlanEnded, plans.ProfileUpdated),
    "views": (views.ViewRecorded, views.ReactionRecorded, views.ReactionDeleted),
}
"""Family (which is also the topic's name) → the models of its event types."""


MODEL_OF: dict[str, type[Envelope]] = {type_of(m): m for models in FAMILIES.values() for m in models}
FAMILY_OF: dict[str, str] = {type_of(m): family for family, models in FAMILIES.items() for m in models}
"""CloudEvents `type` → its model, and → its family."""
