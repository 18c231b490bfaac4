"""What a user's days come to, on the wire: one absolute row per user, and the milestones on the way to it.

Everything is as of a day, never as of a clock: the latest day of the user with anything on it, unless a reader asks for
a later one (streams/progress/asof.py). Missing is null, left out in JSON. Sums, means, changes and ratios are rounded
once, to a thousandth, half to even.
"""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

SHORT, LONG = 7, 28
"""Days of the two rolling windows, both ending on the as-of day."""
BASE_MAX = 2**32 - 1
"""A day's total of more base units than this is implausible and counts as missing (4,294,967 kcal, 4,294 km)."""


class Metric(NamedTuple):
    """A daily metric that is rolled."""

    name: str
    """Column of the daily row."""
    scale: int
    """Base units in one unit of the row: sums are made of whole base units, so their order does not matter."""
    is_level: bool = False
    """A level (weight, a percentage) has means; its sums say nothing."""


METRICS = (
    Metric("energy_kcal", 1000),
    Metric("protein_g", 1000),
    Metric("carbs_g", 1000),
    Metric("fat_g", 1000),
    Metric("fibre_g", 1000),
    Metric("meals_logged", 1),
    Metric("water_ml", 1),
    Metric("steps", 1),
    Metric("active_minutes", 60),
    Metric("distance_m", 1000),
    Metric("calories_burned_kcal", 1000),
    Metric("sleep_minutes", 60),
    Metric("workouts_completed", 1),
    Metric("workout_minutes", 60),
    Metric("volume_kg", 1000),
    Metric("training_load", 600),
    Metric("weight_kg", 1000, is_level=True),
    Metric("body_fat_pct", 100, is_level=True),
    Metric("waist_cm", 10, is_level=True),
    Metric("meal_plan_adherence_pct", 100, is_level=True),
    Metric("workout_plan_adherence_pct", 100, is_level=True),
)
LOAD = "training_load"

STREAKS = {"meals": "meals_logged", "workouts": "workouts_completed"}
"""Streak → the daily metric that must be there on each of its days."""
GOAL = "goal:"
"""Before the entity of a goal: the streak of the days that hit it."""
DAY_RECORDS = ("steps", "active_minutes", "distance_m")
"""Daily metrics whose best day is a record; all others come from `bests` of the daily row, with an entity."""
ESTIMATE = "estimated_1rm_kg:"
"""Prefix of the bests that say how strong somebody is in an exercise."""


class Window(msgspec.Struct, omit_defaults=True, gc=False, frozen=True):
    """One metric over the last 7 and 28 days. Means are over the days that have the metric, never over all."""

    sum_7d: Annotated[float | None, Meta(description="Σ of the last 7 days; null for levels")] = None
    mean_7d: Annotated[float | None, Meta(description="Σ / days_7d")] = None
    days_7d: Annotated[int, Meta(description="Days of the last 7 that have it")] = 0
    sum_28d: Annotated[float | None, Meta(description="Σ of the last 28 days; null for levels")] = None
    mean_28d: Annotated[float | None, Meta(description="Σ / days_28d")] = None
    days_28d: Annotated[int, Meta(description="Days of the last 28 that have it")] = 0
    change_pct: Annotated[
        float | None, Meta(description="Mean of the last 7 days against that of the 28 days before them [%]")
    ] = None


class Strength(msgspec.Struct, omit_defaults=True, gc=False, frozen=True):
    """One exercise's best estimated one-repetition maximum, lately and before."""

    best_7d_kg: Annotated[float | None, Meta(description="Best of the last 7 days [kg]")] = None
    best_before_kg: Annotated[float | None, Meta(description="Best of the 28 days before them [kg]")] = None
    change_pct: Annotated[float | None, Meta(description="The first against the second [%]")] = None


class Streak(msgspec.Struct, omit_defaults=True, gc=False, frozen=True):
    """Days in a row. Planned rest days neither break a streak nor add to it; nor does the as-of day while it lasts."""

    current: Annotated[int, Meta(description="Days of the streak that stands; 0 when it is broken")]
    since: Annotated[str, Meta(description="First day of the latest streak, broken or not")]
    until: Annotated[str, Meta(description="Its last day so far")]
    longest: Annotated[int, Meta(description="Days of the longest ever; of equals the earliest")]
    longest_since: Annotated[str, Meta(description="Its first day")]
    longest_until: Annotated[str, Meta(description="Its last day")]


class Record(msgspec.Struct, omit_defaults=True, gc=False, frozen=True):
    """A personal best: the highest value ever, on the first day that reached it."""

    value: Annotated[float, Meta(description="In the unit that the record's name ends with")]
    date: Annotated[str, Meta(description="Local day")]
    entity: Annotated[str | None, Meta(description="The workout that set it; null where a whole day did")] = None
    previous_value: Annotated[float | None, Meta(description="What stood until then")] = None
    previous_date: Annotated[str | None, Meta(description="Its local day")] = None
    previous_entity: Annotated[str | None, Meta(description="What had set that")] = None


class ProgressRow(msgspec.Struct, omit_defaults=True, gc=False):
    """One user. A row without as_of says that no day is left.

    The fields are, in this order, the columns of `progress` in ClickHouse and of `user_progress` in PostgreSQL, where
    streaks and records have tables of their own.
    """

    user_id: str
    version: Annotated[int, Meta(description="generation << 40 | flush number of the partition; the highest wins")]
    as_of: Annotated[str | None, Meta(description="Latest local day with anything on it, YYYY-MM-DD")] = None
    first_date: Annotated[str | None, Meta(description="First local day with anything on it")] = None
    covered_days: Annotated[int | None, Meta(description="Days with anything on them, ever")] = None
    acute_load: Annotated[float | None, Meta(description="Training load of the last 7 days [min × RPE]")] = None
    chronic_load: Annotated[
        float | None, Meta(description="Training load of the 28 days before them, a week [min × RPE]")
    ] = None
    acute_chronic_ratio: Annotated[
        float | None,
        Meta(description="acute_load / chronic_load; null in the first 34 days and where that is 0"),
    ] = None
    windows: Annotated[dict[str, Window] | None, Meta(description="Daily metric → its rolling windows")] = None
    strength: Annotated[
        dict[str, Strength] | None, Meta(description="Exercise → best estimated one-repetition maximum, lately, before")
    ] = None
    streaks: Annotated[dict[str, Streak] | None, Meta(description="meals, workouts, goal:ENTITY → days in a row")] = (
        None
    )
    records: Annotated[
        dict[str, Record] | None,
        Meta(description="steps, active_minutes, distance_m of a day; and all names of daily bests → personal best"),
    ] = None

    @property
    def is_null(self) -> bool:
        """Whether no day is left: such a row equals no row (DESIGN §8 rule 10)."""
        return self.as_of is None


MilestoneType = Literal["record.set", "record.revoked", "streak.extended", "streak.broken", "streak.restored"]


class Milestone(msgspec.Struct, omit_defaults=True, gc=False, frozen=True):
    """Something worth telling the user, or worth taking back.

    Told once per change of what is committed; a repeat has the same id, because ids are made of what they say.
    """

    id: Annotated[str, Meta(description="user|type|name|…: the same words, the same id")]
    type: MilestoneType
    user_id: str
    name: Annotated[str, Meta(description="Of the record or streak")]
    date: Annotated[str, Meta(description="Local day that it is about: a client may keep silent about old ones")]
    value: Annotated[float | None, Meta(description="Of the record that was set or revoked")] = None
    entity: Annotated[str | None, Meta(description="What set it")] = None
    length: Annotated[int | None, Meta(description="Days of the streak that grew, came back or broke")] = None
    since: Annotated[str | None, Meta(description="Its first day")] = None
    now: Annotated[
        float | None, Meta(description="What stands now: the record's value or the streak's days; null: nothing")
    ] = None


def progress_key(row: ProgressRow) -> bytes:
    """Kafka key of a progress row."""
    return row.user_id.encode()


decode_progress = msgspec.json.Decoder(ProgressRow).decode
decode_milestone = msgspec.json.Decoder(Milestone).decode
