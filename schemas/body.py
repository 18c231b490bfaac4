"""Body data: measurements, water, activity intervals from phones and watches, sleep."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.envelope import Envelope, Nothing
from schemas.fields import Model, measured


class Measurement(Model):
    weight_kg: Annotated[float, measured("Weight", "kg", 10_000, plausible_max=700)] | None = Field(
        default=None, description="Body weight [kg]"
    )
    body_fat_pct: Annotated[float, measured("Body fat", "%", 100)] | None = Field(
        default=None, description="Body fat [%]"
    )
    waist_cm: Annotated[float, measured("Waist", "cm", 10_000, plausible_max=500)] | None = Field(
        default=None, description="Waist [cm]"
    )


class Water(Model):
    ml: Annotated[float, measured("Water", "ml", 1e6, plausible_max=20_000)] = Field(description="Water drunk [ml]")


class Activity(Model):
    """What one device saw from `time` on, for `duration_s`."""

    duration_s: Annotated[float, Field(gt=0, le=1e7, json_schema_extra={"unit": "s"})] = Field(
        description="Length of the interval [s]"
    )
    steps: Annotated[int, measured("Steps", "1", 100_000_000, plausible_max=300_000)] | None = Field(
        default=None, description="Steps"
    )
    active_minutes: Annotated[float, measured("Active time", "min", 1e6, plausible_max=1_440)] | None = Field(
        default=None, description="Active time [min]"
    )
    calories_kcal: Annotated[float, measured("Energy burned", "kcal", 1e6, plausible_max=30_000)] | None = Field(
        default=None, description="Energy burned [kcal]"
    )
    distance_m: Annotated[float, measured("Distance", "m", 1e8, plausible_max=1e6)] | None = Field(
        default=None, description="Distance [m]"
    )


class Sleep(Model):
    """One sleep that ended at `time`."""

    asleep_s: Annotated[float, measured("Time asleep", "s", 1e7, plausible_max=86_400)] | None = Field(
        default=None, description="Time asleep [s]"
    )
    in_bed_s: Annotated[float, measured("Time in bed", "s", 1e7, plausible_max=86_400)] | None = Field(
        default=None, description="Time in bed [s]"
    )


class BodyMeasured(Envelope):
    type: Literal["body.measured"]
    data: Measurement


class WaterLogged(Envelope):
    type: Literal["water.logged"]
    data: Water


class ActivityRecorded(Envelope):
    type: Literal["activity.recorded"]
    data: Activity


class SleepRecorded(Envelope):
    type: Literal["sleep.recorded"]
    data: Sleep


class BodyDeleted(Envelope):
    type: Literal["body.deleted"]
    data: Nothing = Nothing()


class WaterDeleted(Envelope):
    type: Literal["water.deleted"]
    data: Nothing = Nothing()


class ActivityDeleted(Envelope):
    type: Literal["activity.deleted"]
    data: Nothing = Nothing()


class SleepDeleted(Envelope):
    type: Literal["sleep.deleted"]
    data: Nothing = Nothing()
