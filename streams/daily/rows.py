"""The row of a cell, in human units. Sums come from the cell's lanes; what has no inverse (last weight, best lift),
what several sources saw, and what plans and goals say of the day, from its members.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from schemas.instants import day_text
from schemas.ledger import KIND_AT, LANES, Winner, fulfilled, lifted, meal_said, split_key, unpack_winner
from schemas.rows import Best, DailyRow, PlannedDay
from streams.daily.adherence import FULL, Done, of_meals, of_workouts
from streams.daily.cells import COUNTED, MEAL, MEASURED, SHIFTS, SIZES, WORKOUT, Cell
from streams.daily.definitions import IN_BED, LARGER, STANDARD, Rules
from streams.daily.entities import Entities
from streams.daily.goals import judged
from streams.daily.sources import Group, Sources, may_hold_totals
from streams.daily.valid import EMPTY, NOTHING, Book, Valid

ABSENT, PARTIAL, COMPLETE = "absent", "partial", "complete"


def _meals(out: DailyRow, lanes: tuple[int, ...], rules: Rules) -> None:
    energy, protein, carbs, fat, fibre, n_energy, n_protein, n_carbs, n_fat, n_fibre, out.meals_logged = lanes
    if n_energy:
        out.energy_kcal = energy / 1000
    if n_protein:
        out.protein_g = protein / 1000
    if n_carbs:
        out.carbs_g = carbs / 1000
    if n_fat:
        out.fat_g = fat / 1000
    if n_fibre:
        out.fibre_g = fibre / 1000
    out.meals_coverage = COMPLETE if n_energy >= rules.meals_a_day else PARTIAL


def _water(out: DailyRow, lanes: tuple[int, ...], rules: Rules) -> None:
    if lanes[1]:
        out.water_ml = float(lanes[0])


def _workouts(out: DailyRow, lanes: tuple[int, ...], rules: Rules) -> None:
    duration, calories, volume, load, n_duration, n_calories, n_volume, n_load, out.workouts_completed = lanes
    if n_duration:
        out.workout_minutes = duration / 60
    if n_volume:
        out.volume_kg = volume / 1000
    if n_calories:
        out.workout_calories_kcal = out.calories_burned_kcal = calories / 1000
    if n_load:
        out.training_load = load / 600


def _activity(out: DailyRow, lanes: tuple[int, ...], rules: Rules) -> None:
    steps, active, calories, distance, seconds, n_steps, n_active, n_calories, n_distance, _, _ = lanes
    if n_steps:
        out.steps = steps
    if n_active:
        out.active_minutes = active / 60
    if n_calories:  # an activity interval usually contains the workout: it comes after, and wins
        workouts, out.activity_calories_kcal = out.workout_calories_kcal, calories / 1000
        larger = rules.burned_says == LARGER and workouts is not None
        out.calories_burned_kcal = max(workouts or 0.0, calories / 1000) if larger else calories / 1000
    if n_distance:
        out.distance_m = distance / 1000
    out.activity_coverage = COMPLETE if seconds >= rules.worn_h * 3600 else PARTIAL


def _sleep(out: DailyRow, lanes: tuple[int, ...], rules: Rules) -> None:
    which = 1 if rules.sleep_counts == IN_BED else 0
    if lanes[2 + which]:
        out.sleep_minutes = lanes[which] / 60
    out.sleep_coverage = COMPLETE if lanes[2] else PARTIAL


def _measured(out: DailyRow, lanes: tuple[int, ...], rules: Rules) -> None:
    """Nothing to sum: `_last_measured` finds the last of the day."""


_Fill = Callable[[DailyRow, tuple[int, ...], Rules], None]
_FILL: tuple[tuple[int, Callable[[bytes], tuple[int, ...]], int, int, _Fill], ...] = tuple(
    (code, LANES[SIZES[code]].unpack, LANES[SIZES[code]].size, (1 << LANES[SIZES[code]].size * 8) - 1, fill)
    for code, fill in zip(COUNTED, (_meals, _water, _workouts, _activity, _sleep, _measured), strict=True)
)
"""Per kind: how its lanes are unpacked, their bytes, the mask of their bits, and what they mean."""

_MEASURED = 1 << SHIFTS[MEASURED]
_WORKOUT = 1 << SHIFTS[WORKOUT]
"""A total from here on holds more than meals and water."""


def row(
    user_id: str,
    day: int,
    cell: Cell | None,
    entities: Entities,
    version: int,
    book: Book = EMPTY,
    rules: Rules = STANDARD,
) -> DailyRow:
    """The row of a cell; without a cell, a row of nulls. `entities`: the user's winners, `book`: what judges them,
    `rules`: the definitions that are in force on that day."""
    out = DailyRow(user_id, day_text(day), version)
    if cell is None:
        return out
    if cell.stale:
        cell.survey(entities)
    valid = NOTHING if book is EMPTY else book.on(day)
    sources = None
    if cell.total >= _WORKOUT and (len(cell.platforms) > 1 or may_hold_totals(cell.total)):
        sources = Sources(cell, entities, valid.priority)
    rest = cell.total
    for code, unpack, size, mask, fill in _FILL:
        if lanes := rest & mask if rest > mask else rest:
            if sources is not None and code in sources.lanes:
                fill(out, sources.lanes[code], rules)
            else:
                fill(out, unpack(lanes.to_bytes(size, "little")), rules)
        rest >>= size * 8
        if not rest:
            break
    groups = _workout_groups(cell, entities, sources) if out.workouts_completed else []
    if groups:
        _bests(out, groups)
    if cell.total >= _MEASURED:
        _last_measured(out, winners_of(cell, entities, MEASURED))
    out.entities = cell.size
    out.sources = list(cell.platforms) if len(cell.platforms) == 1 else sorted(cell.platforms)
    out.first_event_ms, out.last_event_ms = cell.first_ms, cell.last_ms
    if sources is not None:
        out.left_out = sources.left_out or None
    if valid is not NOTHING:
        _judge(out, valid, cell, entities, groups, rules)
    _cover(out)
    return out


def _cover(out: DailyRow) -> None:
    """What the row rests on, kind by kind and at worst."""
    if out.meals_coverage is None:
        out.meals_coverage = ABSENT
    if out.activity_coverage is None:
        out.activity_coverage = ABSENT
    if out.sleep_coverage is None:
        out.sleep_coverage = ABSENT
    complete = out.meals_coverage is out.activity_coverage is out.sleep_coverage is COMPLETE
    out.coverage = COMPLETE if complete else PARTIAL


def winners_of(cell: Cell, entities: Entities, code: int) -> list[tuple[bytes, Winner]]:
    """The cell's members of one kind."""
    return [(key, unpack_winner(one)) for key, one in entities.pick(cell.members) if one[KIND_AT] == code]


def _workout_groups(cell: Cell, entities: Entities, sources: Sources | None) -> list[Group]:
    if sources is not None:
        return sources.workouts
    return [[each] for each in winners_of(cell, entities, WORKOUT)]


def _last_measured(out: DailyRow, winners: Iterable[tuple[bytes, Winner]]) -> None:
    """Last value of the day: by time, then rule 1's order, then key."""
    for _, w in sorted(winners, key=lambda kw: (kw[1].ms, *kw[1][:3], kw[0])):
        weight, fat, waist = w.values
        if weight is not None:
            out.weight_kg = weight / 1000
        if fat is not None:
            out.body_fat_pct = fat / 100
        if waist is not None:
            out.waist_cm = waist / 10


_Reach = tuple[int, bytes, str, int, int]
"""When, which workout, what, how much, in how many parts of the unit."""


def _reached(group: Group) -> Iterable[_Reach]:
    """What a workout reached; what its strongest source does not say, the others do."""
    for at, name, scale in ((0, "workout_minutes", 60), (2, "workout_volume_kg", 1000)):
        for key, w in group:
            if (value := w.values[at]) is not None:
                yield w.ms, key, name, value, scale
                break
    for key, w in group:
        if lifts := lifted(w.tail):
            for exercise, (estimate, heaviest, reps) in lifts.items():
                yield w.ms, key, f"estimated_1rm_kg:{exercise}", estimate, 1000
                yield w.ms, key, f"heaviest_kg:{exercise}", heaviest, 1000
                yield w.ms, key, f"reps:{exercise}", reps, 1
            return


def _bests(out: DailyRow, groups: Iterable[Group]) -> None:
    """What single workouts reached; of equals the earliest, then the smaller key."""
    best: dict[str, tuple[int, float, bytes]] = {}
    for _, key, name, base, scale in sorted(reach for group in groups for reach in _reached(group)):
        if base > (best[name][0] if name in best else 0):
            best[name] = (base, base / scale, key)
    bests = {name: Best(value, split_key(key).entity) for name, (_, value, key) in sorted(best.items())}
    out.bests = bests or None
    estimates = "estimated_1rm_kg:"
    out.estimated_1rm_kg = {
        name.removeprefix(estimates): best.value for name, best in bests.items() if name.startswith(estimates)
    } or None


def _judge(out: DailyRow, valid: Valid, cell: Cell, entities: Entities, groups: Sequence[Group], rules: Rules) -> None:
    """What plans and goals say of the day."""
    out.rest_day = valid.rest
    out.rest_days = list(valid.rest_days) or None
    planned: dict[str, PlannedDay] = {}
    meals = [_eaten(*each) for each in winners_of(cell, entities, MEAL)] if valid.meals else []
    if eaten := of_meals(valid.meals, meals, rules.meal_substitute_pct):
        slots, out.meal_plan_adherence_pct = eaten
        planned |= {f"meal:{slot}": what for slot, what in slots.items()}
        if out.meals_logged and all(what.entity is not None for what in slots.values()):
            out.meals_coverage = COMPLETE
    done = [_trained(group) for group in groups] if valid.workouts else []
    if trained := of_workouts(valid.workouts, done, rules.workout_substitute_pct):
        items, out.workout_plan_adherence_pct = trained
        planned |= {f"workout:{item}": what for item, what in items.items()}
    out.planned = planned or None
    out.goals = judged(out, valid.goals)


def _eaten(key: bytes, w: Winner) -> Done:
    said = meal_said(w.tail)
    name = said.planned_item or (said.meal_type if said.from_plan else None)
    return Done(w.ms, key, split_key(key).entity, name, said.meal_type)


def _trained(group: Group) -> Done:
    key, w = group[0]
    said = [fulfilled(each.tail) for _, each in group]
    name = next((item for item, _ in said if item), None)
    score = next((done for _, done in said if done is not None), FULL)
    return Done(w.ms, key, split_key(key).entity, name, score=score)
