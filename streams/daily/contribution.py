"""What one event adds to its day, as integers in base units: sums cannot depend on order (DESIGN §4).

Every quantity is rounded once, half to even, when it enters: round(kcal × 1000) calories. A missing or implausible
value adds nothing and is not zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from schemas.families import FAMILY_OF
from schemas.ledger import FAMILY_LETTERS, KIND_OF_TYPE, LANES, Lifted, Values, pack_contribution
from schemas.plausible import LIMITS
from schemas.structs import STRUCT_OF
from streams.daily.cells import ACTIVITY, MEAL, MEASURED, SHIFTS, SIZES, SLEEP, WATER, WORKOUT

_MEAL = LIMITS["meal.logged"]
NUTRIENTS = ("energy_kcal", "protein_g", "carbs_g", "fat_g", "fibre_g")
ENERGY_MAX = _MEAL["items[].energy_kcal"] * 1000
GRAMS_MAX = min(_MEAL[f"items[].{nutrient}"] for nutrient in NUTRIENTS[1:]) * 1000
_HALF_EVEN = 6755399441055744.0
"""1.5 × 2**52: adding it to a float below 2**51 leaves no room for a fraction, so adding and taking it away rounds half
to even, as round() does, for a third of its price. A whole number of base units stays exact in a float up to 2**53."""
_pack_tail = msgspec.msgpack.Encoder().encode
_pack_meal = LANES[SIZES[MEAL]].pack
_int = int.from_bytes

Contribution = tuple[bytes, int]
"""Packed lanes with their tail, and the lanes as one integer in their place of a cell (0: lies on no day)."""


def meal(data: Any) -> Contribution:
    """Σ items × portion: (energy_cal, protein_mg, carbs_mg, fat_mg, fibre_mg); half a unit rounds up. MealSaid."""
    energy = protein = carbs = fat = fibre = 0.0
    n_energy = n_protein = n_carbs = n_fat = n_fibre = 0
    for item in data.items:
        if (v := item.energy_kcal) is not None:
            energy += v * 1000.0 + _HALF_EVEN - _HALF_EVEN
            n_energy = 1
        if (v := item.protein_g) is not None:
            protein += v * 1000.0 + _HALF_EVEN - _HALF_EVEN
            n_protein = 1
        if (v := item.carbs_g) is not None:
            carbs += v * 1000.0 + _HALF_EVEN - _HALF_EVEN
            n_carbs = 1
        if (v := item.fat_g) is not None:
            fat += v * 1000.0 + _HALF_EVEN - _HALF_EVEN
            n_fat = 1
        if (v := item.fibre_g) is not None:
            fibre += v * 1000.0 + _HALF_EVEN - _HALF_EVEN
            n_fibre = 1
    if energy > ENERGY_MAX or protein > GRAMS_MAX or carbs > GRAMS_MAX or fat > GRAMS_MAX or fibre > GRAMS_MAX:
        sums = [_plausible_sum(data.items, nutrient) for nutrient in NUTRIENTS]
        energy, protein, carbs, fat, fibre = [v or 0 for v in sums]
        n_energy, n_protein, n_carbs, n_fat, n_fibre = [v is not None for v in sums]
    portion = data.portion
    if portion == 1.0:
        lanes = _pack_meal(
            int(energy), int(protein), int(carbs), int(fat), int(fibre),
            n_energy, n_protein, n_carbs, n_fat, n_fibre, 1,
        )  # fmt: skip
    else:
        milli = round(portion * 1000)
        lanes = _pack_meal(
            (int(energy) * milli + 500) // 1000,
            (int(protein) * milli + 500) // 1000,
            (int(carbs) * milli + 500) // 1000,
            (int(fat) * milli + 500) // 1000,
            (int(fibre) * milli + 500) // 1000,
            n_energy, n_protein, n_carbs, n_fat, n_fibre, 1,
        )  # fmt: skip
    item = data.planned_item or None
    tail = (data.meal_type, data.from_plan, item) if item or data.from_plan else data.meal_type
    return lanes + _pack_tail(tail), _int(lanes, "little")  # meals lie at the right end: nothing to shift


def _plausible_sum(items: Any, field: str) -> int | None:
    """The sum without implausible values: only needed where the whole sum is above what one item may have."""
    limit = _MEAL[f"items[].{field}"]
    values = [round(v * 1000) for item in items if (v := getattr(item, field)) is not None and v <= limit]
    return sum(values) if values else None


def _counted(code: int, values: Values, tail: Any = None) -> Contribution:
    packed = pack_contribution(values, tail)
    return packed, _int(packed[: LANES[len(values)].size], "little") << SHIFTS[code]


def _base(value: float | None, scale: int, limit: float | None = None) -> int | None:
    if value is None or (limit is not None and value > limit):
        return None
    return round(value * scale)


def epley_g(load_g: int, reps: int) -> int:
    """Estimated one-repetition maximum [g]: load × (1 + reps / 30), one repetition being itself (Epley 1985).

    >>> epley_g(80_000, 5), epley_g(100_000, 1)
    (93333, 100000)
    """
    return load_g if reps == 1 else (load_g * (30 + reps) + 15) // 30


_NOTHING = Lifted(0)


def workout(data: Any) -> Contribution:
    """(duration_s, calories_cal, volume_g_reps, load_s_rpe10), and exercise → the best of its sets (ledger.Lifted),
    with the planned item and how much of it was done.

    The load is the session's duration times its perceived exertion on the scale of ten (session RPE: Foster et al.,
    J Strength Cond Res 15(1), 2001); without one of both there is none.
    """
    limits = LIMITS["workout.completed"]
    volume: int | None = None
    best: dict[str, Lifted] = {}
    for each in data.sets:
        reps = _base(each.reps, 1, limits["sets[].reps"])
        load = _base(each.load_kg, 1000, limits["sets[].load_kg"])
        if reps is None:
            continue
        if load is not None:
            volume = (volume or 0) + reps * load
        if reps > 0:
            before = best.get(each.exercise, _NOTHING)
            estimate = epley_g(load, reps) if load else 0
            best[each.exercise] = Lifted(*map(max, before, (estimate, load or 0, reps)))
    duration = _base(data.duration_s, 1, limits["duration_s"])
    calories = _base(data.calories_kcal, 1000, limits["calories_kcal"])
    session = None if duration is None or data.rpe is None else duration * round(data.rpe * 10)
    sets, item, done = dict(sorted(best.items())) or None, data.planned_item or None, _base(data.completion_pct, 100)
    tail = sets if item is None and done is None else [sets, item, done]
    return _counted(WORKOUT, (duration, calories, volume, session), tail)


def water(data: Any) -> Contribution:
    """(water_ml,)"""
    return _counted(WATER, (_base(data.ml, 1, LIMITS["water.logged"]["ml"]),))


def activity(data: Any) -> Contribution:
    """(steps, active_s, calories_cal, distance_mm, duration_s)"""
    limits = LIMITS["activity.recorded"]
    values = (
        _base(data.steps, 1, limits["steps"]),
        _base(data.active_minutes, 60, limits["active_minutes"]),
        _base(data.calories_kcal, 1000, limits["calories_kcal"]),
        _base(data.distance_m, 1000, limits["distance_m"]),
        round(data.duration_s),
    )
    return _counted(ACTIVITY, values)


def sleep(data: Any) -> Contribution:
    """(asleep_s, in_bed_s)"""
    limits = LIMITS["sleep.recorded"]
    values = (_base(data.asleep_s, 1, limits["asleep_s"]), _base(data.in_bed_s, 1, limits["in_bed_s"]))
    return _counted(SLEEP, values)


def measurement(data: Any) -> Contribution:
    """(weight_g, body_fat_bp, waist_mm)"""
    limits = LIMITS["body.measured"]
    values = (
        _base(data.weight_kg, 1000, limits["weight_kg"]),
        _base(data.body_fat_pct, 100),
        _base(data.waist_cm, 10, limits["waist_cm"]),
    )
    return _counted(MEASURED, values)


def register(data: Any) -> Contribution:
    """Goals, plans, profiles: the data as it is."""
    return pack_contribution((), msgspec.to_builtins(data)), 0


def nothing(data: Any) -> Contribution:
    """A delete."""
    return pack_contribution(()), 0


Contribute = Callable[[Any], Contribution]

_BY_TYPE: dict[str, Contribute] = {
    "meal.logged": meal,
    "workout.completed": workout,
    "water.logged": water,
    "activity.recorded": activity,
    "sleep.recorded": sleep,
    "body.measured": measurement,
    "goal.set": register,
    "plan.assigned": register,
    "plan.ended": register,
    "profile.updated": register,
}


class Fold(NamedTuple):
    """How one event type becomes a winner."""

    type: str
    letter: str
    """Of its family, in ledger keys."""
    code: int
    deleted: bool
    contribute: Contribute
    is_register: bool


FOLDS: dict[type, Fold] = {
    STRUCT_OF[name]: Fold(
        name,
        FAMILY_LETTERS[FAMILY_OF[name]],
        kind.code,
        name.endswith(".deleted"),
        _BY_TYPE.get(name, nothing),
        FAMILY_OF[name] == "plans",
    )
    for name, kind in KIND_OF_TYPE.items()
}
"""Struct → how its events are folded."""
