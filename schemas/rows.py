"""Rows on the wire: what leaves the streams, absolute, versioned, in human units. Missing is null, left out in JSON."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta


class Best(NamedTuple):
    """The best of something on one day, and the entity (a workout) that set it; of equals the earliest."""

    value: float
    entity: str


class GoalDay(msgspec.Struct, frozen=True, gc=False):
    """One goal on one day, judged by the version that was valid then; numbers in the metric's unit, to a thousandth."""

    metric: str
    target: float
    direction: str
    tolerance_pct: float
    effective_from: str
    """First local day of the version that was used, as YYYY-MM-DD."""
    actual: float | None = None
    delta: float | None = None
    """Actual less target."""
    hit: bool | None = None
    """None where the day does not have the metric."""


class PlannedDay(msgspec.Struct, frozen=True, gc=False):
    """What became of one planned meal or workout."""

    how: str
    """as planned, substituted or missed."""
    pct: float
    entity: str | None = None
    """The meal or workout that fulfilled it."""


class DailyRow(msgspec.Struct, omit_defaults=True, gc=False):
    """One user and local day. A row whose metrics are all null says that nothing is left on that day.

    The fields are, in this order, the columns of `user_metrics_daily` in every store (first_event_ms and last_event_ms
    become first_event_at and last_event_at).
    """

    user_id: str
    date: Annotated[str, Meta(description="Local day as YYYY-MM-DD")]
    version: Annotated[int, Meta(description="generation << 40 | flush number of the partition; the highest wins")]
    energy_kcal: Annotated[float | None, Meta(description="Σ items × portion [kcal]")] = None
    protein_g: Annotated[float | None, Meta(description="Σ items × portion [g]")] = None
    carbs_g: Annotated[float | None, Meta(description="Σ items × portion [g]")] = None
    fat_g: Annotated[float | None, Meta(description="Σ items × portion [g]")] = None
    fibre_g: Annotated[float | None, Meta(description="Σ items × portion [g]")] = None
    water_ml: Annotated[float | None, Meta(description="Σ water drunk [ml]")] = None
    meals_logged: Annotated[int | None, Meta(description="Meals")] = None
    workouts_completed: Annotated[int | None, Meta(description="Workouts")] = None
    workout_minutes: Annotated[float | None, Meta(description="Σ duration [min]")] = None
    volume_kg: Annotated[float | None, Meta(description="Σ reps × load [kg]")] = None
    estimated_1rm_kg: Annotated[
        dict[str, float] | None, Meta(description="Best estimated one-repetition maximum per exercise, Epley [kg]")
    ] = None
    workout_calories_kcal: Annotated[float | None, Meta(description="Energy burned in workouts [kcal]")] = None
    activity_calories_kcal: Annotated[float | None, Meta(description="Energy burned by activity intervals [kcal]")] = (
        None
    )
    calories_burned_kcal: Annotated[float | None, Meta(description="Activity where there is any, else workouts")] = None
    steps: Annotated[int | None, Meta(description="Steps")] = None
    active_minutes: Annotated[float | None, Meta(description="Active time [min]")] = None
    distance_m: Annotated[float | None, Meta(description="Distance of activity intervals [m]")] = None
    sleep_minutes: Annotated[float | None, Meta(description="Time asleep, of sleeps that ended on the day [min]")] = (
        None
    )
    weight_kg: Annotated[float | None, Meta(description="Last of the day [kg]")] = None
    body_fat_pct: Annotated[float | None, Meta(description="Last of the day [%]")] = None
    waist_cm: Annotated[float | None, Meta(description="Last of the day [cm]")] = None
    entities: Annotated[int | None, Meta(description="Live entities that the row rests on")] = None
    sources: Annotated[list[str] | None, Meta(description="Platforms that reported them, sorted")] = None
    first_event_ms: Annotated[int | None, Meta(description="Earliest of their times [ms since 1970 UTC]")] = None
    last_event_ms: Annotated[int | None, Meta(description="Latest of their times [ms since 1970 UTC]")] = None
    training_load: Annotated[
        float | None, Meta(description="Σ duration × perceived exertion of workouts that say both, session RPE [min]")
    ] = None
    bests: Annotated[
        dict[str, Best] | None,
        Meta(
            description="What a single workout reached, with its entity: workout_minutes, workout_volume_kg, and per"
            " exercise heaviest_kg:E, reps:E, estimated_1rm_kg:E"
        ),
    ] = None
    meal_plan_adherence_pct: Annotated[
        float | None, Meta(description="Mean over the planned meal slots: done 100, substituted 50, missed 0 [%]")
    ] = None
    workout_plan_adherence_pct: Annotated[
        float | None,
        Meta(description="Mean over the planned workouts: done its completion, substituted half of it, missed 0 [%]"),
    ] = None
    planned: Annotated[
        dict[str, PlannedDay] | None,
        Meta(description="What became of each planned meal:SLOT and workout:ITEM, and the entity that did it"),
    ] = None
    rest_day: Annotated[bool | None, Meta(description="Whether rest was planned; null without a plan")] = None
    goals: Annotated[
        dict[str, GoalDay] | None,
        Meta(description="Per goal that was valid on the day: metric, target, actual, delta, hit"),
    ] = None
    left_out: Annotated[
        dict[str, str] | None,
        Meta(
            description="Each workout:ENTITY and sleep:ENTITY that does not count, because a stronger source saw it too"
            " → the entity that does"
        ),
    ] = None
    coverage: Annotated[str | None, Meta(description="complete where meals, activity and sleep are, else partial")] = (
        None
    )
    meals_coverage: Annotated[
        str | None,
        Meta(
            description="complete: 3 meals say their energy, or no planned slot missed; absent: no meal; else partial"
        ),
    ] = None
    activity_coverage: Annotated[
        str | None, Meta(description="complete: one source saw 10 h; absent: no interval; else partial")
    ] = None
    sleep_coverage: Annotated[
        str | None, Meta(description="complete: a sleep says its time asleep; absent: no sleep; else partial")
    ] = None
    rest_days: Annotated[
        list[str] | None,
        Meta(
            description="Weekdays of planned rest, by the plans of the day: they hold for days after it without a row"
        ),
    ] = None

    @property
    def is_null(self) -> bool:
        """Whether nothing is left on that day: such a row equals no row (DESIGN §8 rule 10)."""
        return self.entities is None


class RejectedRow(msgspec.Struct, omit_defaults=True, gc=False):
    """One refused event with where it came from; identity is (topic, partition, offset)."""

    topic: str
    partition: int
    offset: int
    received_ms: Annotated[int, Meta(description="Broker's append time [ms since 1970 UTC]")]
    reason: str
    path: Annotated[str, Meta(description="JSON path of what broke the rule")]
    raw: Annotated[bytes | None, Meta(description="The bytes as they came (base64 in JSON)")]
    key: bytes | None = None
    original_ms: Annotated[int | None, Meta(description="Of a replay: the first receipt, which it was judged by")] = (
        None
    )


class ReplayedRow(msgspec.Struct, gc=False):
    """A refused event, by its place, was sent again to its own topic: a fact, written in the same transaction."""

    topic: str
    partition: int
    offset: int
    to_partition: int
    to_offset: Annotated[int, Meta(description="Where on its topic the replay lies")]
    replayed_ms: Annotated[int, Meta(description="Clock of who sent it [ms since 1970 UTC]")]


def daily_key(row: DailyRow) -> bytes:
    """Kafka key of a daily row; the date has ten characters, so a subject may hold any sign."""
    return f"{row.user_id}|{row.date}".encode()


def rejected_key(row: RejectedRow | ReplayedRow) -> bytes:
    return f"{row.topic}/{row.partition}/{row.offset}".encode()


encode_row = msgspec.json.Encoder().encode
decode_daily = msgspec.json.Decoder(DailyRow).decode
decode_rejected = msgspec.json.Decoder(RejectedRow).decode
decode_replayed = msgspec.json.Decoder(ReplayedRow).decode
