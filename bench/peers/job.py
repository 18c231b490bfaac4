"""The duty: meals with edits in, one row per user and local day out; and the offline answer that every peer is held to.

Of each meal the highest revision counts. A nutrient of a meal is Σ round(item × 1000), times portion in thousandths,
half a unit rounded up: integers, so that whoever is right is right to the unit.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from producers.bench_events import meal_events
from producers.dice import dice

INPUT, OUTPUT, PARTITIONS = "meals", "daily", 8
EDITED = 0.02
"""Share of the events that are the second revision of a meal logged shortly before."""
NUTRIENTS = ("energy_kcal", "protein_g", "carbs_g", "fat_g")

Day = tuple[str, str]
"""Subject and local day."""


class Totals(NamedTuple):
    """One user's day, in calories and milligrams."""

    energy_cal: int
    protein_mg: int
    carbs_mg: int
    fat_mg: int
    meals: int


def events(n: int, users: int, seed: int = 1) -> Iterator[tuple[bytes, bytes]]:
    """`n` events as (key, value): meals, and now and then an earlier one again as revision 2 with another portion."""
    random = dice(seed, "peers").random
    recent: list[tuple[bytes, bytes]] = []
    made, meals = 0, meal_events(n, users, seed)
    while made < n:
        if recent and random() < EDITED:
            key, value = recent.pop(int(random() * len(recent)))
            value = value.replace(b'"entity":"', b'"revision":2,"entity":"', 1)
            for before, after in ((b'"portion":1.0', b'"portion":0.5'), (b'"portion":', b'"portion":0.75,"was":')):
                if before in value:
                    value = value.replace(before, after, 1)
                    break
            yield key, value
        else:
            key, value = next(meals)
            if len(recent) < 1000:
                recent.append((key, value))
            elif made % 7 == 0:
                recent[int(random() * 1000)] = (key, value)
            yield key, value
        made += 1


def contribution(event: dict[str, Any]) -> Totals:
    """What a meal adds to its day."""
    data = event["data"]
    milli = round(data.get("portion", 1.0) * 1000)
    sums = [sum(round((item.get(name) or 0) * 1000) for item in data["items"]) for name in NUTRIENTS]
    return Totals(*((total * milli + 500) // 1000 for total in sums), 1)


def answer(log: Iterable[tuple[bytes, bytes]]) -> dict[Day, Totals]:
    """The offline fold: one pass for the winners, one for the sums."""
    winners: dict[tuple[str, str], tuple[int, str, Totals]] = {}
    for _, value in log:
        event = json.loads(value)
        entity = event["subject"], event.get("entity") or event["id"]
        revision = event.get("revision", 1)
        if entity not in winners or revision > winners[entity][0]:
            winners[entity] = revision, event["time"][:10], contribution(event)
    days: dict[Day, Totals] = {}
    for (subject, _), (_, day, adds) in winners.items():
        old = days.get((subject, day))
        days[subject, day] = adds if old is None else Totals(*map(sum, zip(old, adds, strict=True)))
    return days


def row_of(value: bytes) -> tuple[Day, Totals]:
    """What a peer's row says. Ours says it in human units (schemas/rows.py), the others in base units."""
    row = json.loads(value)
    if "user_id" in row:
        base = (row.get(name) or 0 for name in NUTRIENTS)
        return (row["user_id"], row["date"]), Totals(*(round(v * 1000) for v in base), row.get("meals_logged", 0))
    return (row["user"], row["day"]), Totals(*(int(row[name] or 0) for name in Totals._fields))
