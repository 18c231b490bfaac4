"""Goals, plans and profiles: registers by (entity, effective_from), judged by what was valid on a day (DESIGN §6)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.envelope import Envelope
from schemas.fields import LocalDay, Model, Name, Timezone, measured

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Weekdays = Annotated[list[Weekday], Field(max_length=7)]
MetricName = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[a-z][a-z0-9_]*$")]
DayStart = Annotated[str, StringConstraints(pattern=r"^(0[0-9]|1[01]):[0-5][0-9]$")]


class Goal(Model):
    metric: MetricName = Field(description="Daily metric that is judged, such as energy_kcal")
    target: Annotated[float, Field(ge=0, le=1e9)] = Field(description="Target, in the metric's unit")
    direction: Literal["at_least", "at_most", "around"] = Field(description="When it counts as hit")
    tolerance_pct: Annotated[float, Field(ge=0, le=100)] = Field(default=0.0, description="Allowed deviation [%]")
    effective_from: LocalDay = Field(description="First local day that it is valid on")
    effective_until: LocalDay | None = Field(default=None, description="Last local day; none: until replaced")


class PlannedWorkout(Model):
    item: Name = Field(description="Name that completed workouts refer to")
    weekdays: Weekdays = Field(description="Days that it is planned on")


class PlannedMeal(Model):
    item: Name = Field(description="Name of the slot that logged meals refer to")
    weekdays: Weekdays = Field(description="Days that it is planned on")
    energy_kcal: Annotated[float, measured("Energy", "kcal", 100_000)] | None = Field(
        default=None, description="Planned energy [kcal]"
    )


class Plan(Model):
    effective_from: LocalDay = Field(description="First local day that it is valid on")
    effective_until: LocalDay | None = Field(default=None, description="Last local day; none: until ended")
    workouts: Annotated[list[PlannedWorkout], Field(max_length=200)] = Field(default=[], description="Weekly workouts")
    meals: Annotated[list[PlannedMeal], Field(max_length=200)] = Field(default=[], description="Weekly meal slots")
    rest_days: Weekdays = Field(default=[], description="Planned rest: breaks no streak")


class PlanEnd(Model):
    effective_until: LocalDay = Field(description="Last local day that the plan is valid on; it only shortens")


class Profile(Model):
    timezone: Timezone | None = Field(default=None, description="IANA zone; used where an event's time ends in Z")
    day_start: DayStart = Field(default="00:00", description="Local time at which the user's day begins, before noon")
    source_priority: Annotated[list[Name], Field(max_length=50)] | None = Field(
        default=None, description="Platforms, weakest first; default: phone < watch"
    )
    effective_from: LocalDay | None = Field(
        default=None, description="First local day that it is valid on; default: the date written in time"
    )


class GoalSet(Envelope):
    type: Literal["goal.set"]
    data: Goal


class PlanAssigned(Envelope):
    type: Literal["plan.assigned"]
    data: Plan


class PlanEnded(Envelope):
    type: Literal["plan.ended"]
    data: PlanEnd


class ProfileUpdated(Envelope):
    type: Literal["profile.updated"]
    data: Profile
