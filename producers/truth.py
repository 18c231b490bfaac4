"""The daily rows that a set of events must come to: one slow, plain batch pass that shares nothing with streams/.

Written from DESIGN §2, §6 and §8 (rules 1, 2, 5) alone, so that two independent readings of the same page can be
compared. Every quantity is a whole number of base units (cal, mg, g, mm, s, ml, hundredths of a percent); a value is
rounded half to even when it comes in, and rows leave in human units.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from schemas.codec import Event, Rejected, canonical, decode, type_name
from schemas.families import FAMILY_OF
from schemas.instants import day_number, day_text, parse_day, parse_instant, zone_offset_min
from schemas.plausible import LIMITS

DayKey = tuple[str, str]
"""Subject and local day as YYYY-MM-DD."""
Row = dict[str, Any]
"""Column of the daily row (all of schemas.tables.DAILY_METRICS) → value, None where it is missing."""


class Entity(NamedTuple):
    """One entity as its winner has it. Compared as a tuple, the rank is rule 1's order."""

    rank: tuple[int, bool, bytes]
    """Revision, is-delete, SHA-256 of the canonical content."""
    key: bytes
    type: str
    event: Event

    @property
    def ms(self) -> int:
        return parse_instant(self.event.time).ms

    def value(self, field: str, scale: int, part: Any = None, parts: str = "") -> int | None:
        """A field of `data` in base units; None where it is missing or implausible. `part`: one of `data.parts`."""
        value = getattr(self.event.data if part is None else part, field)
        limit = LIMITS[self.type].get(f"{parts}[].{field}" if parts else field)
        return None if value is None or (limit is not None and value > limit) else round(value * scale)


def daily_rows(events: Iterable[bytes]) -> dict[DayKey, Row]:
    """The rows of all local days on which anything is left. Refused events count for nothing; order does not matter."""
    by_subject: dict[str, list[Entity]] = defaultdict(list)
    for entity in winners(events):
        by_subject[entity.event.subject].append(entity)
    rows: dict[DayKey, Row] = {}
    for subject, entities in by_subject.items():
        profiles = _profiles(entities)
        days: dict[int, list[Entity]] = defaultdict(list)
        for entity in entities:
            if FAMILY_OF[entity.type] != "plans" and not entity.rank[1]:
                days[_local_day(entity.event, profiles)].append(entity)
        rows |= {(subject, day_text(day)): _row(found) for day, found in days.items()}
    return rows


def winners(events: Iterable[bytes]) -> list[Entity]:
    """Rule 1: of every entity of the families that daily rows rest on, the greatest."""
    best: dict[bytes, Entity] = {}
    for raw in events:
        event = decode(raw)
        if isinstance(event, Rejected) or FAMILY_OF[type_name(event)] == "views":
            continue
        entity = _entity(event)
        if entity.key not in best or entity.rank > best[entity.key].rank:
            best[entity.key] = entity
    return list(best.values())


def _entity(event: Event) -> Entity:
    name = type_name(event)
    rank = (event.revision, name.endswith(".deleted"), hashlib.sha256(canonical(event)).digest())
    parts = [event.subject, FAMILY_OF[name], event.entity if event.entity is not None else event.id]
    if name == "plan.ended":
        parts.append("ended")
    elif FAMILY_OF[name] == "plans":
        parts.append(day_text(_effective_from(event)))
    return Entity(rank, "\0".join(parts).encode(), name, event)


def _effective_from(event: Event) -> int:
    """First day of a goal, plan or profile; a profile without one is valid from the date written in its time."""
    day = event.data.effective_from
    return day_number(parse_day(event.time[:10]) if day is None else day)


# ── days ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Profile(NamedTuple):
    effective_from: int
    key: bytes
    timezone: str | None
    day_start_min: int


def _profiles(entities: Iterable[Entity]) -> list[_Profile]:
    """One user's profiles, the latest first."""
    found = []
    for entity in entities:
        if entity.type == "profile.updated":
            hours, minutes = entity.event.data.day_start.split(":")
            start = int(hours) * 60 + int(minutes)
            found.append(_Profile(_effective_from(entity.event), entity.key, entity.event.data.timezone, start))
    return sorted(found, reverse=True)


def _local_day(event: Event, profiles: Sequence[_Profile]) -> int:
    """The day the user lived: by the first profile, latest first, that is valid on the day it gives itself."""
    for profile in profiles:
        day = _day_by(event, profile.timezone, profile.day_start_min)
        if profile.effective_from <= day:
            return day
    return _day_by(event, None, 0)


def _day_by(event: Event, profile_zone: str | None, day_start_min: int) -> int:
    at = parse_instant(event.time)
    offset = at.offset_min
    if offset is None:
        name = event.timezone or profile_zone
        offset = zone_offset_min(name, at.ms) if name else 0
    return (at.ms + (offset - day_start_min) * 60_000) // 86_400_000


# ── rows ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _row(entities: Sequence[Entity]) -> Row:
    """One day's row from its live entities."""
    of_type: dict[str, list[Entity]] = defaultdict(list)
    for entity in entities:
        of_type[entity.type].append(entity)
    meals, workouts, activities = (of_type[t] for t in ("meal.logged", "workout.completed", "activity.recorded"))
    measured = sorted(of_type["body.measured"], key=lambda e: (e.ms, e.rank, e.key))
    burned = _total(activities, "calories_kcal", 1000, 1000)
    trained = _total(workouts, "calories_kcal", 1000, 1000)
    times = [entity.ms for entity in entities]
    return {
        "energy_kcal": _over(_sum(_nutrient(meal, "energy_kcal") for meal in meals), 1000),
        "protein_g": _over(_sum(_nutrient(meal, "protein_g") for meal in meals), 1000),
        "carbs_g": _over(_sum(_nutrient(meal, "carbs_g") for meal in meals), 1000),
        "fat_g": _over(_sum(_nutrient(meal, "fat_g") for meal in meals), 1000),
        "fibre_g": _over(_sum(_nutrient(meal, "fibre_g") for meal in meals), 1000),
        "water_ml": _total(of_type["water.logged"], "ml", 1, 1),
        "meals_logged": len(meals) or None,
        "workouts_completed": len(workouts) or None,
        "workout_minutes": _total(workouts, "duration_s", 1, 60),
        "volume_kg": _over(_sum(_volume(workout) for workout in workouts), 1000),
        "estimated_1rm_kg": _best_estimates(workouts) or None,
        "workout_calories_kcal": trained,
        "activity_calories_kcal": burned,
        "calories_burned_kcal": trained if burned is None else burned,
        "steps": _sum(activity.value("steps", 1) for activity in activities),
        "active_minutes": _total(activities, "active_minutes", 60, 60),
        "distance_m": _total(activities, "distance_m", 1000, 1000),
        "sleep_minutes": _total(of_type["sleep.recorded"], "asleep_s", 1, 60),
        "weight_kg": _last(measured, "weight_kg", 1000, 1000),
        "body_fat_pct": _last(measured, "body_fat_pct", 100, 100),
        "waist_cm": _last(measured, "waist_cm", 10, 10),
        "entities": len(entities),
        "sources": sorted({entity.event.source.split("/")[0] for entity in entities}),
        "first_event_at": min(times),
        "last_event_at": max(times),
        "training_load": _over(_sum(_session(workout) for workout in workouts), 600),
        "bests": _bests(workouts) or None,
    }


def _sum(values: Iterable[int | None]) -> int | None:
    """The sum of what is there; None where nothing is."""
    there = [value for value in values if value is not None]
    return sum(there) if there else None


def _over(total: int | None, divisor: int) -> float | None:
    return None if total is None else total / divisor


def _total(entities: Sequence[Entity], field: str, scale: int, divisor: int) -> float | None:
    return _over(_sum(entity.value(field, scale) for entity in entities), divisor)


def _last(entities: Sequence[Entity], field: str, scale: int, divisor: int) -> float | None:
    there = [value for entity in entities if (value := entity.value(field, scale)) is not None]
    return _over(there[-1], divisor) if there else None


def _nutrient(meal: Entity, field: str) -> int | None:
    """Σ items, times the portion in thousandths, rounded half up to a base unit."""
    total = _sum(meal.value(field, 1000, item, "items") for item in meal.event.data.items)
    return None if total is None else (total * round(meal.event.data.portion * 1000) + 500) // 1000


def _lifted(workout: Entity) -> list[tuple[str, int, int]]:
    """Exercise, repetitions and load in g of the sets that have both."""
    found = []
    for part in workout.event.data.sets:
        reps, load = workout.value("reps", 1, part, "sets"), workout.value("load_kg", 1000, part, "sets")
        if reps is not None and load is not None:
            found.append((part.exercise, reps, load))
    return found


def _volume(workout: Entity) -> int | None:
    return _sum(reps * load for _, reps, load in _lifted(workout))


def _session(workout: Entity) -> int | None:
    """Seconds × tenths of perceived exertion (session RPE, Foster 2001)."""
    seconds, exertion = workout.value("duration_s", 1), workout.value("rpe", 10)
    return None if seconds is None or exertion is None else seconds * exertion


def _bests(workouts: Sequence[Entity]) -> dict[str, tuple[float, str]]:
    """What single workouts reached, and which: of equals the earliest."""
    reached: dict[str, list[tuple[float, Entity]]] = defaultdict(list)
    for workout in workouts:
        reached["workout_minutes"].append(((workout.value("duration_s", 1) or 0) / 60, workout))
        reached["workout_volume_kg"].append(((_volume(workout) or 0) / 1000, workout))
        for exercise, kg in _best_estimates([workout]).items():
            reached[f"estimated_1rm_kg:{exercise}"].append((kg, workout))
        for exercise, reps, load in _lifted(workout):
            if reps >= 1:
                reached[f"heaviest_kg:{exercise}"].append((load / 1000, workout))
        for part in workout.event.data.sets:
            if done := workout.value("reps", 1, part, "sets"):
                reached[f"reps:{part.exercise}"].append((float(done), workout))
    found = {}
    for name, those in reached.items():
        value = max(value for value, _ in those)
        first = min((workout.ms, workout.key) for reach, workout in those if reach == value)
        if value > 0:
            found[name] = (value, first[1].decode().split("\0")[2])
    return found


def _best_estimates(workouts: Iterable[Entity]) -> dict[str, float]:
    """Exercise → best estimated one-repetition maximum of the day in kg (Epley 1985)."""
    best: dict[str, int] = {}
    for workout in workouts:
        for exercise, reps, load in _lifted(workout):
            if reps >= 1 and load > 0:
                estimate = load if reps == 1 else (load * (30 + reps) + 15) // 30
                best[exercise] = max(estimate, best.get(exercise, 0))
    return {exercise: estimate / 1000 for exercise, estimate in best.items()}


__all__ = ["DayKey", "Entity", "Row", "daily_rows", "winners"]
