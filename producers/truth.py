"""The daily rows that a set of events must come to: one slow, plain batch pass that shares nothing with streams/.

Written from DESIGN §2, §6 and §8 (rules 1, 2, 5) alone, so that two independent readings of the same page can be
compared. Every quantity is a whole number of base units (cal, mg, g, mm, s, ml, hundredths of a percent); a value is
rounded half to even when it comes in, and rows leave in human units.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from producers.truth_plans import Deed, Version, judge, reach, valid_on
from producers.truth_sources import Seen, activity, alike, by_strength
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
    def name(self) -> str:
        return self.event.id if self.event.entity is None else str(self.event.entity)

    @property
    def platform(self) -> str:
        return str(self.event.source).split("/")[0]

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
    return rows_of(winners(events))


def rows_of(entities: Iterable[Entity]) -> dict[DayKey, Row]:
    """The rows that the winners come to: all the winners there are of each of their users."""
    by_subject: dict[str, list[Entity]] = defaultdict(list)
    for entity in entities:
        by_subject[entity.event.subject].append(entity)
    rows: dict[DayKey, Row] = {}
    for subject, own in by_subject.items():
        profiles = _profiles(own)
        days: dict[int, list[Entity]] = defaultdict(list)
        for entity in own:
            if FAMILY_OF[entity.type] != "plans" and not entity.rank[1]:
                days[_local_day(entity.event, profiles)].append(entity)
        registers = _registers(own)
        for day, found in days.items():
            order = next((profile.order for profile in profiles if profile.effective_from <= day), None)
            rows[subject, day_text(day)] = _row(day, found, order, *registers)
    return rows


def winners(events: Iterable[bytes]) -> list[Entity]:
    """Rule 1: of every entity of the families that daily rows rest on, the greatest."""
    best: dict[bytes, Entity] = {}
    for raw in events:
        event = decode(raw)
        if isinstance(event, Rejected) or FAMILY_OF[type_name(event)] == "views":
            continue
        entity = entity_of(event)
        if entity.key not in best or entity.rank > best[entity.key].rank:
            best[entity.key] = entity
    return list(best.values())


def entity_of(event: Event) -> Entity:
    """What an event says about its entity, with its rank."""
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
    order: list[str] | None


def _profiles(entities: Iterable[Entity]) -> list[_Profile]:
    """One user's profiles, the latest first."""
    found = []
    for entity in entities:
        if entity.type == "profile.updated":
            hours, minutes = entity.event.data.day_start.split(":")
            start = int(hours) * 60 + int(minutes)
            data = entity.event.data
            since = _effective_from(entity.event)
            found.append(_Profile(since, entity.key, data.timezone, start, data.source_priority))
    return sorted(found, key=lambda profile: (profile.effective_from, profile.key), reverse=True)


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


_Registers = tuple[list[Version], list[Version], dict[str, int]]


def _registers(entities: Iterable[Entity]) -> _Registers:
    """One user's goals, plans, and the last days of plans that were ended."""
    goals: list[Version] = []
    plans: list[Version] = []
    ends = {}
    for entity in entities:
        if entity.type in ("goal.set", "plan.assigned"):
            version = Version(entity.name, _effective_from(entity.event), entity.event)
            (goals if entity.type == "goal.set" else plans).append(version)
        elif entity.type == "plan.ended":
            ends[entity.name] = day_number(entity.event.data.effective_until)
    return goals, plans, ends


# ── rows ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Thing:
    """A workout or a sleep, with the others that are the same thing: the one that counts comes first."""

    def __init__(self, ones: list[Entity]) -> None:
        self.ones = ones
        self.key, self.ms, self.name, self.type = ones[0].key, ones[0].ms, ones[0].name, ones[0].type

    def value(self, field: str, scale: int) -> int | None:
        """What the first says that says it."""
        return next((value for one in self.ones if (value := one.value(field, scale)) is not None), None)

    def first(self, field: str) -> Any:
        return next((said for one in self.ones if (said := getattr(one.event.data, field)) not in (None, "")), None)


def _things(entities: Sequence[Entity], order: Sequence[str] | None) -> list[_Thing]:
    seen = []
    for one in entities:
        if one.type == "sleep.recorded":
            seconds = one.value("in_bed_s", 1) or one.value("asleep_s", 1) or 0
            begin, end = one.ms - seconds * 1000, one.ms
        else:
            begin, end = one.ms, one.ms + (one.value("duration_s", 1) or 0) * 1000
        if end > begin:
            seen.append(Seen(one.key, one.platform, begin, end))
    left_out = alike(seen, order)
    strongest = by_strength({one.platform for one in entities}, order)
    entities = sorted(entities, key=lambda one: (strongest.index(one.platform), _begin(seen, one), one.key))
    groups: dict[bytes, list[Entity]] = {one.key: [one] for one in entities if one.key not in left_out}
    for one in entities:
        if one.key in left_out:
            groups[left_out[one.key]].append(one)
    return [_Thing(ones) for ones in groups.values()]


def _begin(seen: Iterable[Seen], one: Entity) -> int:
    return next((each.begin for each in seen if each.key == one.key), one.ms)


def _moved(activities: Sequence[Entity], field: str, scale: int, order: Sequence[str] | None) -> int | None:
    seen = []
    for one in activities:
        end = one.ms + max(1, round(one.event.data.duration_s)) * 1000
        if (value := one.value(field, scale)) is not None:
            seen.append(Seen(one.key, one.platform, one.ms, end, value))
    return activity(seen, order)


def _row(
    day: int,
    entities: Sequence[Entity],
    order: Sequence[str] | None,
    goals: Sequence[Version],
    plans: Sequence[Version],
    ends: Mapping[str, int],
) -> Row:
    """One day's row from its live entities."""
    of_type: dict[str, list[Entity]] = defaultdict(list)
    for entity in entities:
        of_type[entity.type].append(entity)
    meals, activities = of_type["meal.logged"], of_type["activity.recorded"]
    workouts, sleeps = (_things(of_type[name], order) for name in ("workout.completed", "sleep.recorded"))
    measured = sorted(of_type["body.measured"], key=lambda e: (e.ms, e.rank, e.key))
    burned = _over(_moved(activities, "calories_kcal", 1000, order), 1000)
    trained = _total(workouts, "calories_kcal", 1000, 1000)
    times = [entity.ms for entity in entities]
    planned, is_eaten = judge(
        day, valid_on(day, plans, ends), [_meal_deed(meal) for meal in meals], [_workout_deed(one) for one in workouts]
    )
    seconds: dict[str, int] = defaultdict(int)
    for one in activities:
        seconds[one.platform] += round(one.event.data.duration_s)
    fed = sum(_nutrient(meal, "energy_kcal") is not None for meal in meals)
    coverage = [
        _cover(meals, fed >= 3 or is_eaten),
        _cover(activities, max(seconds.values(), default=0) >= 36_000),
        _cover(sleeps, any(sleep.value("asleep_s", 1) is not None for sleep in sleeps)),
    ]
    row = {
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
        "steps": _moved(activities, "steps", 1, order),
        "active_minutes": _over(_moved(activities, "active_minutes", 60, order), 60),
        "distance_m": _over(_moved(activities, "distance_m", 1000, order), 1000),
        "sleep_minutes": _total(sleeps, "asleep_s", 1, 60),
        "weight_kg": _last(measured, "weight_kg", 1000, 1000),
        "body_fat_pct": _last(measured, "body_fat_pct", 100, 100),
        "waist_cm": _last(measured, "waist_cm", 10, 10),
        "entities": len(entities),
        "sources": sorted({entity.platform for entity in entities}),
        "first_event_at": min(times),
        "last_event_at": max(times),
        "training_load": _over(_sum(_session(workout) for workout in workouts), 600),
        "bests": _bests(workouts) or None,
        "meal_plan_adherence_pct": planned["meal_plan_adherence_pct"],
        "workout_plan_adherence_pct": planned["workout_plan_adherence_pct"],
        "planned": planned["planned"],
        "rest_day": planned["rest_day"],
    }
    return row | {
        "goals": reach(row, valid_on(day, goals, {})),
        "left_out": {
            f"{one.type.partition('.')[0]}:{one.name}": thing.name
            for thing in (*workouts, *sleeps)
            for one in thing.ones[1:]
        }
        or None,
        "coverage": "complete" if set(coverage) == {"complete"} else "partial",
        "meals_coverage": coverage[0],
        "activity_coverage": coverage[1],
        "sleep_coverage": coverage[2],
        "rest_days": planned["rest_days"],
    }


def _cover(reported: Sequence[object], is_complete: bool) -> str:
    return "absent" if not reported else "complete" if is_complete else "partial"


def _meal_deed(meal: Entity) -> Deed:
    data = meal.event.data
    item = data.planned_item or (data.meal_type if data.from_plan else None)
    return Deed(meal.ms, meal.key, meal.name, item, 10_000, data.meal_type)


def _workout_deed(workout: _Thing) -> Deed:
    done = workout.value("completion_pct", 100)
    return Deed(workout.ms, workout.key, workout.name, workout.first("planned_item"), 10_000 if done is None else done)


def _sum(values: Iterable[int | None]) -> int | None:
    """The sum of what is there; None where nothing is."""
    there = [value for value in values if value is not None]
    return sum(there) if there else None


def _over(total: int | None, divisor: int) -> float | None:
    return None if total is None else total / divisor


def _total(entities: Sequence[Entity | _Thing], field: str, scale: int, divisor: int) -> float | None:
    return _over(_sum(entity.value(field, scale) for entity in entities), divisor)


def _last(entities: Sequence[Entity], field: str, scale: int, divisor: int) -> float | None:
    there = [value for entity in entities if (value := entity.value(field, scale)) is not None]
    return _over(there[-1], divisor) if there else None


def _nutrient(meal: Entity, field: str) -> int | None:
    """Σ items, times the portion in thousandths, rounded half up to a base unit."""
    total = _sum(meal.value(field, 1000, item, "items") for item in meal.event.data.items)
    return None if total is None else (total * round(meal.event.data.portion * 1000) + 500) // 1000


def _sets(workout: _Thing) -> Iterator[tuple[Entity, str, int, int | None]]:
    """Entity, exercise, repetitions and load in g of the sets that have repetitions."""
    for one in workout.ones:
        for part in one.event.data.sets:
            reps, load = one.value("reps", 1, part, "sets"), one.value("load_kg", 1000, part, "sets")
            if reps is not None:
                yield one, part.exercise, reps, load


def _lifting(workout: _Thing) -> Entity | None:
    """Whose best sets count: the first that has a set with repetitions."""
    return next((one for one, _, reps, _ in _sets(workout) if reps), None)


def _measuring(workout: _Thing) -> Entity | None:
    """Whose volume counts: the first that has a set with repetitions and load."""
    return next((one for one, _, _, load in _sets(workout) if load is not None), None)


def _volume(workout: _Thing) -> int | None:
    who = _measuring(workout)
    return _sum(reps * load for one, _, reps, load in _sets(workout) if one is who and load is not None)


def _session(workout: _Thing) -> int | None:
    """Seconds × tenths of perceived exertion (session RPE, Foster 2001), of the first that says both."""
    for one in workout.ones:
        seconds, exertion = one.value("duration_s", 1), one.value("rpe", 10)
        if seconds is not None and exertion is not None:
            return seconds * exertion
    return None


def _bests(workouts: Sequence[_Thing]) -> dict[str, tuple[float, str]]:
    """What single workouts reached, and which: of equals the earliest."""
    reached: dict[str, list[tuple[float, Entity]]] = defaultdict(list)
    for workout in workouts:
        for one in workout.ones:
            if (seconds := one.value("duration_s", 1)) is not None:
                reached["workout_minutes"].append((seconds / 60, one))
                break
        if (who := _measuring(workout)) is not None:
            reached["workout_volume_kg"].append(((_volume(workout) or 0) / 1000, who))
        for exercise, kg in _best_estimates([workout]).items():
            reached[f"estimated_1rm_kg:{exercise}"].append((kg, _lifting(workout) or workout.ones[0]))
        for one, exercise, reps, load in _sets(workout):
            if one is _lifting(workout) and reps >= 1:
                reached[f"reps:{exercise}"].append((float(reps), one))
                reached[f"heaviest_kg:{exercise}"].append(((load or 0) / 1000, one))
    found = {}
    for name, those in reached.items():
        value = max(value for value, _ in those)
        first = min((workout.ms, workout.key) for reach, workout in those if reach == value)
        if value > 0:
            found[name] = (value, first[1].decode().split("\0")[2])
    return found


def _best_estimates(workouts: Iterable[_Thing]) -> dict[str, float]:
    """Exercise → best estimated one-repetition maximum of the day in kg (Epley 1985)."""
    best: dict[str, int] = {}
    for workout in workouts:
        who = _lifting(workout)
        for one, exercise, reps, load in _sets(workout):
            if one is who and reps >= 1 and load:
                estimate = load if reps == 1 else (load * (30 + reps) + 15) // 30
                best[exercise] = max(estimate, best.get(exercise, 0))
    return {exercise: estimate / 1000 for exercise, estimate in best.items()}


__all__ = ["DayKey", "Entity", "Row", "daily_rows", "entity_of", "rows_of", "winners"]
