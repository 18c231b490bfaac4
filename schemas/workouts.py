"""Workouts: one training session with its sets."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.envelope import Envelope, Nothing
from schemas.fields import Model, Name, Text, measured

HeartRate = Annotated[float, measured("Heart rate", "1/min", 1_000, plausible_max=300)]


class WorkoutSet(Model):
    """One set: repetitions with a load, or time, or distance."""

    exercise: Name = Field(description="Exercise")
    reps: Annotated[int, measured("Repetitions", "1", 100_000, plausible_max=1_000)] | None = Field(
        default=None, description="Repetitions"
    )
    load_kg: Annotated[float, measured("Load", "kg", 100_000, plausible_max=1_500)] | None = Field(
        default=None, description="Load [kg]"
    )
    seconds: Annotated[float, measured("Time under work", "s", 1e7, plausible_max=86_400)] | None = Field(
        default=None, description="Time under work [s]"
    )
    distance_m: Annotated[float, measured("Distance", "m", 1e8, plausible_max=1e6)] | None = Field(
        default=None, description="Distance [m]"
    )


class Workout(Model):
    kind: Name = Field(description="strength, run, ride, yoga or the app's own kind")
    duration_s: Annotated[float, measured("Duration", "s", 1e7, plausible_max=86_400)] | None = Field(
        default=None, description="Duration [s]; more than a day counts as missing"
    )
    calories_kcal: Annotated[float, measured("Energy burned", "kcal", 1e6, plausible_max=20_000)] | None = Field(
        default=None, description="Energy burned [kcal]"
    )
    avg_heart_rate_bpm: HeartRate | None = Field(default=None, description="Mean heart rate [1/min]")
    max_heart_rate_bpm: HeartRate | None = Field(default=None, description="Highest heart rate [1/min]")
    rpe: Annotated[float, Field(ge=1, le=10)] | None = Field(default=None, description="Perceived exertion, 1-10")
    enjoyment: Annotated[float, Field(ge=1, le=5)] | None = Field(default=None, description="Enjoyment, 1-5")
    completion_pct: Annotated[float, Field(ge=0, le=100)] | None = Field(
        default=None, description="Share of the plan that was done [%]"
    )
    planned_item: Text | None = Field(default=None, description="The planned item that it fulfils")
    sets: Annotated[list[WorkoutSet], Field(max_length=500)] = Field(default=[], description="Sets in order")


class WorkoutCompleted(Envelope):
    type: Literal["workout.completed"]
    data: Workout


class WorkoutDeleted(Envelope):
    type: Literal["workout.deleted"]
    data: Nothing = Nothing()
