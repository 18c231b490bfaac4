"""Cells: the totals of one user's day. Whatever can be summed is summed in lanes of one integer, so that an entity is
added and taken away again exactly; what cannot (last weight, best lift) is found again from the cell's members.

The lanes of a kind (schemas/ledger.py) hold a 64-bit sum per value, a 32-bit count of how often it was there, and a
32-bit count of entities. All kinds of a cell lie side by side in one Python integer: adding a meal is one addition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

from schemas.instants import day_text
from schemas.ledger import KIND_AT, KIND_OF_TYPE, LANES, Winner, lanes_of, lifted, split_key, unpack_winner
from schemas.rows import Best, DailyRow
from streams.daily.days import Profiles, day_of

MEAL, WATER, WORKOUT, ACTIVITY, SLEEP, MEASURED = COUNTED = tuple(
    KIND_OF_TYPE[name].code
    for name in (
        "meal.logged",
        "water.logged",
        "workout.completed",
        "activity.recorded",
        "sleep.recorded",
        "body.measured",
    )
)
"""Kinds that lie on a day, in the order of their lanes."""

SIZES = {kind.code: len(kind.values) for kind in KIND_OF_TYPE.values() if kind.code in COUNTED}
"""Kind → number of values."""


def _shifts() -> dict[int, int]:
    found, bits = {}, 0
    for code in COUNTED:
        found[code] = bits
        bits += LANES[SIZES[code]].size * 8
    return found


SHIFTS = _shifts()
"""Kind → how many bits its lanes lie to the left in a cell's total."""


class Cell:
    """Totals of one (user, local day), never empty."""

    __slots__ = ("first_ms", "last_ms", "members", "platforms", "stale", "total")

    def __init__(self, key: bytes, amount: int, platform: str, ms: int) -> None:
        self.total = amount
        self.members = [key]
        self.platforms: tuple[str, ...] = (platform,)
        self.first_ms = self.last_ms = ms
        self.stale = False

    def add(self, key: bytes, amount: int, platform: str, ms: int) -> None:
        """Take an entity in; `amount` is its lanes, shifted to their place."""
        self.total += amount
        self.members.append(key)
        if platform not in self.platforms:
            self.platforms = (*self.platforms, platform)
        if ms < self.first_ms:
            self.first_ms = ms
        elif ms > self.last_ms:
            self.last_ms = ms

    def remove(self, key: bytes, amount: int) -> None:
        """The inverse of add, for the sums. Times and platforms have none: `survey` finds them again."""
        self.total -= amount
        self.members.remove(key)
        self.stale = True

    def survey(self, entities: Mapping[bytes, bytes]) -> None:
        """Find platforms, first and last event again after something was removed."""
        members = [unpack_winner(entities[key]) for key in self.members]
        self.platforms = tuple({platform_of(w.source) for w in members})
        self.first_ms, self.last_ms = min(w.ms for w in members), max(w.ms for w in members)
        self.stale = False


@lru_cache(maxsize=65_536)
def platform_of(source: str) -> str:
    """ios of ios/5.2.0."""
    return source.partition("/")[0]


def amount_of(winner: bytes) -> int:
    """A packed winner's lanes, shifted to their place in a cell; 0 for what lies on no day (deletes, goals, plans)."""
    code = winner[KIND_AT]
    return lanes_of(winner, SIZES[code]) << SHIFTS[code] if code in SHIFTS else 0


def winner_day(winner: Winner, profiles: Profiles) -> int:
    """The day that it counts on."""
    return day_of(winner.ms, winner.offset_min, winner.timezone, profiles)


def cells_of(entities: Mapping[bytes, bytes], profiles: Profiles) -> dict[int, Cell]:
    """All cells of a user, from nothing but the winners: totals are a pure function of the ledger."""
    cells: dict[int, Cell] = {}
    for key, packed in entities.items():
        if amount := amount_of(packed):
            winner = unpack_winner(packed)
            day, platform = winner_day(winner, profiles), platform_of(winner.source)
            if day in cells:
                cells[day].add(key, amount, platform, winner.ms)
            else:
                cells[day] = Cell(key, amount, platform, winner.ms)
    return cells


def _meals(out: DailyRow, lanes: tuple[int, ...]) -> None:
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


def _water(out: DailyRow, lanes: tuple[int, ...]) -> None:
    if lanes[1]:
        out.water_ml = float(lanes[0])


def _workouts(out: DailyRow, lanes: tuple[int, ...]) -> None:
    duration, calories, volume, load, n_duration, n_calories, n_volume, n_load, out.workouts_completed = lanes
    if n_duration:
        out.workout_minutes = duration / 60
    if n_volume:
        out.volume_kg = volume / 1000
    if n_calories:
        out.workout_calories_kcal = out.calories_burned_kcal = calories / 1000
    if n_load:
        out.training_load = load / 600


def _activity(out: DailyRow, lanes: tuple[int, ...]) -> None:
    steps, active, calories, distance, _, n_steps, n_active, n_calories, n_distance, _, _ = lanes
    if n_steps:
        out.steps = steps
    if n_active:
        out.active_minutes = active / 60
    if n_calories:  # an activity interval usually contains the workout: it comes after, and wins
        out.activity_calories_kcal = out.calories_burned_kcal = calories / 1000
    if n_distance:
        out.distance_m = distance / 1000


def _sleep(out: DailyRow, lanes: tuple[int, ...]) -> None:
    if lanes[2]:
        out.sleep_minutes = lanes[0] / 60


def _measured(out: DailyRow, lanes: tuple[int, ...]) -> None:
    """Nothing to sum: `_last_measured` finds the last of the day."""


_Fill = Callable[[DailyRow, tuple[int, ...]], None]
_FILL: tuple[tuple[Callable[[bytes], tuple[int, ...]], int, int, _Fill], ...] = tuple(
    (LANES[SIZES[code]].unpack, LANES[SIZES[code]].size, (1 << LANES[SIZES[code]].size * 8) - 1, fill)
    for code, fill in zip(COUNTED, (_meals, _water, _workouts, _activity, _sleep, _measured), strict=True)
)
"""Per kind: how its lanes are unpacked, their bytes, the mask of their bits, and what they mean."""


_MEASURED = 1 << SHIFTS[MEASURED]


def row(user_id: str, day: int, cell: Cell | None, entities: Mapping[bytes, bytes], version: int) -> DailyRow:
    """The row of a cell, in human units; without a cell, a row of nulls. `entities`: the user's winners."""
    out = DailyRow(user_id, day_text(day), version)
    if cell is None:
        return out
    if cell.stale:
        cell.survey(entities)
    rest = cell.total
    for unpack, size, mask, fill in _FILL:
        if rest <= mask:
            fill(out, unpack(rest.to_bytes(size, "little")))
            break
        if lanes := rest & mask:
            fill(out, unpack(lanes.to_bytes(size, "little")))
        rest >>= size * 8
    if out.workouts_completed:
        _bests(out, _winners(cell, entities, WORKOUT))
    if cell.total >= _MEASURED:
        _last_measured(out, _winners(cell, entities, MEASURED))
    out.entities = len(cell.members)
    out.sources = list(cell.platforms) if len(cell.platforms) == 1 else sorted(cell.platforms)
    out.first_event_ms, out.last_event_ms = cell.first_ms, cell.last_ms
    return out


def _winners(cell: Cell, entities: Mapping[bytes, bytes], code: int) -> list[tuple[bytes, Winner]]:
    return [(key, unpack_winner(entities[key])) for key in cell.members if entities[key][KIND_AT] == code]


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


def _bests(out: DailyRow, winners: Iterable[tuple[bytes, Winner]]) -> None:
    """What single workouts reached; of equals the earliest, then the smaller key."""
    best: dict[str, tuple[int, float, str]] = {}
    for key, w in sorted(winners, key=lambda kw: (kw[1].ms, kw[0])):
        duration, _, volume, _ = w.values
        reached = {"workout_minutes": (duration or 0, 60), "workout_volume_kg": (volume or 0, 1000)}
        for exercise, (estimate, heaviest, reps) in lifted(w.tail).items():
            reached[f"estimated_1rm_kg:{exercise}"] = (estimate, 1000)
            reached[f"heaviest_kg:{exercise}"] = (heaviest, 1000)
            reached[f"reps:{exercise}"] = (reps, 1)
        entity = split_key(key).entity
        for name, (base, scale) in reached.items():
            if base > (best[name][0] if name in best else 0):
                best[name] = (base, base / scale, entity)
    out.bests = {name: Best(value, entity) for name, (_, value, entity) in sorted(best.items())} or None
    estimates = "estimated_1rm_kg:"
    out.estimated_1rm_kg = {
        name.removeprefix(estimates): b.value for name, b in (out.bests or {}).items() if name.startswith(estimates)
    } or None
