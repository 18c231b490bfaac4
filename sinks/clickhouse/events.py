"""Accepted events as columns of `events`. Pure.

Rows are taken type by type, and a column comes into being only when a row has a value for it: a batch of meals does not
pay for the columns of videos.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from operator import attrgetter
from typing import Any

from schemas.codec import canonical
from schemas.instants import parse_instant
from schemas.ledger import register_of
from schemas.plausible import LIMITS, implausible
from schemas.structs import TYPE_OF
from sinks.batch import EventRow

Columns = dict[str, Sequence[Any]]

_SHOWN = {name: name for name in ("content", "creator", "hashtags", "sound", "category", "region")}
_FIELDS: dict[str, dict[str, str]] = {
    "meal.logged": {"kind": "meal_type"},
    "workout.completed": {"kind": "kind", "duration_s": "duration_s", "calories_kcal": "calories_kcal"},
    "water.logged": {"water_ml": "ml"},
    "activity.recorded": {n: n for n in ("duration_s", "steps", "active_minutes", "calories_kcal", "distance_m")},
    "sleep.recorded": {n: n for n in ("asleep_s", "in_bed_s")},
    "body.measured": {n: n for n in ("weight_kg", "body_fat_pct", "waist_cm")},
    "goal.set": {"kind": "metric"} | {n: n for n in ("target", "effective_from", "effective_until")},
    "plan.assigned": {n: n for n in ("effective_from", "effective_until")},
    "plan.ended": {"effective_until": "effective_until"},
    "profile.updated": {"effective_from": "effective_from"},
    "view.recorded": _SHOWN | {n: n for n in ("watched_s", "length_s")},
    "reaction.recorded": _SHOWN | {"kind": "kind"},
}
"""Type → column → field of its data."""

_NUTRIENTS = ("energy_kcal", "protein_g", "carbs_g", "fat_g", "fibre_g")
_EMPTY: dict[str, Any] = {"warnings": [], "hashtags": [], "register": ""}
"""What stands where a type has no such value; elsewhere null."""
_NONE: list[str] = []


def columns(rows: Iterable[EventRow]) -> Columns:
    """Columns of the rows, all of one length; those that would be null throughout are left out."""
    groups: dict[type, list[EventRow]] = {}
    for row in rows:
        groups.setdefault(type(row.event), []).append(row)
    ordered = [row for group in groups.values() for row in group]
    events = [row.event for row in ordered]
    found: Columns = {
        "topic": [row.topic for row in ordered],
        "partition": [row.partition for row in ordered],
        "offset": [row.offset for row in ordered],
        "received_at": [row.received_ms for row in ordered],
        "subject": [e.subject for e in events],
        "id": [e.id for e in events],
        "source": [e.source for e in events],
        "type": [TYPE_OF[tp] for tp, group in groups.items() for _ in group],
        "entity": [e.entity or e.id for e in events],
        "revision": [e.revision for e in events],
        "deleted": [TYPE_OF[tp].endswith(".deleted") for tp, group in groups.items() for _ in group],
        "digest": [sha256(canonical(e)).digest()[:16] for e in events],
        "time": [row.ms for row in ordered],
        "utc_offset_min": [row.offset_min for row in ordered],
        "timezone": [e.timezone for e in events],
        "sentat": [None if e.sentat is None else parse_instant(e.sentat).ms for e in events],
        "raw": [row.raw for row in ordered],
    }
    typed: dict[str, list[Any]] = {}
    start = 0
    for tp, group in groups.items():
        for name, values in _typed(TYPE_OF[tp], group).items():
            column = typed.setdefault(name, [])
            column += [_EMPTY.get(name)] * (start - len(column))
            column += values
        start += len(group)
    for name, column in typed.items():
        column += [_EMPTY.get(name)] * (start - len(column))
    return found | typed


def _typed(type_name: str, rows: Sequence[EventRow]) -> dict[str, Sequence[Any]]:
    """What is particular to one type."""
    datas = [row.event.data for row in rows]
    limits = LIMITS[type_name]
    found: dict[str, Sequence[Any]] = {}
    for column, field in _FIELDS.get(type_name, {}).items():
        values: list[Any] = list(map(attrgetter(field), datas))
        if (limit := limits.get(field)) is not None:
            values = [v if v is None or v <= limit else None for v in values]
        found[column] = values
    exceeds: Iterable[bool]
    if type_name == "meal.logged":
        *sums, exceeds = zip(*map(nutrients, datas), strict=True)
        found |= zip(_NUTRIENTS, sums, strict=True)
    else:
        exceeds = map(_EXCEEDS[type_name], datas)
    if type_name == "workout.completed":
        found["volume_kg"] = list(map(volume_kg, datas))
    if rows[0].topic == "plans":
        found["register"] = [register_of(row.event, type_name) for row in rows]
    warnings = [implausible(type_name, data) if over else _NONE for data, over in zip(datas, exceeds, strict=True)]
    if any(warnings):
        found["warnings"] = warnings
    return found


def nutrients(data: Any) -> tuple[float | None, float | None, float | None, float | None, float | None, bool]:
    """Σ items × portion of each nutrient, null where no item says it; and whether a value was implausible.

    For analysts: floats, while daily rows are summed exactly. Written out, because it runs for every meal.
    """
    energy = protein = carbs = fat = fibre = None
    exceeds = False
    for item in data.items:
        if (v := item.energy_kcal) is not None:
            if v <= _ENERGY_MAX:
                energy = v if energy is None else energy + v
            else:
                exceeds = True
        if (v := item.protein_g) is not None:
            if v <= _GRAMS_MAX:
                protein = v if protein is None else protein + v
            else:
                exceeds = True
        if (v := item.carbs_g) is not None:
            if v <= _GRAMS_MAX:
                carbs = v if carbs is None else carbs + v
            else:
                exceeds = True
        if (v := item.fat_g) is not None:
            if v <= _GRAMS_MAX:
                fat = v if fat is None else fat + v
            else:
                exceeds = True
        if (v := item.fibre_g) is not None:
            if v <= _GRAMS_MAX:
                fibre = v if fibre is None else fibre + v
            else:
                exceeds = True
    if (portion := data.portion) != 1:
        energy, protein, carbs, fat, fibre = (
            None if v is None else v * portion for v in (energy, protein, carbs, fat, fibre)
        )
    return energy, protein, carbs, fat, fibre, exceeds


_ENERGY_MAX = LIMITS["meal.logged"]["items[].energy_kcal"]
_GRAMS_MAX = LIMITS["meal.logged"]["items[].protein_g"]


def volume_kg(data: Any) -> float | None:
    """Σ reps × load over the sets that have both."""
    limits = LIMITS["workout.completed"]
    most_reps, most_load = limits["sets[].reps"], limits["sets[].load_kg"]
    lifted = [
        s.reps * s.load_kg
        for s in data.sets
        if s.reps is not None and s.load_kg is not None and s.reps <= most_reps and s.load_kg <= most_load
    ]
    return round(sum(lifted), 3) if lifted else None


def _exceeds(type_name: str) -> Callable[[Any], bool]:
    """A fast test for `implausible`, which is slow because it names what it finds."""
    limits = [(*name.rpartition("[]."), limit) for name, limit in LIMITS[type_name].items()]
    own = [(name, limit) for items, _, name, limit in limits if not items]
    listed = [(items, name, limit) for items, _, name, limit in limits if items]

    def test(data: Any) -> bool:
        for name, limit in own:
            if (value := getattr(data, name)) is not None and value > limit:
                return True
        return any(
            (value := getattr(item, name)) is not None and value > limit
            for items, name, limit in listed
            for item in getattr(data, items)
        )

    return test


_EXCEEDS = {name: _exceeds(name) for name in LIMITS}


__all__ = ["columns", "nutrients", "volume_kg"]
