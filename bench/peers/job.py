"""The duty: meals with edits in, one row per user and local day out; and the offline answer that every peer is held to.

Of each meal the highest revision counts. A nutrient of a meal is Σ round(item × 1000), times portion in thousandths,
half a unit rounded up: integers, so that whoever is right is right to the unit.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache
from operator import add
from typing import NamedTuple

import msgspec

from producers.bench_events import meal_events
from producers.dice import dice

INPUT, OUTPUT, PARTITIONS = "meals", "daily", 8
EDITED = 0.02
"""Share of the events that are the second revision of a meal logged shortly before."""
LOADS = {"dense": 20_000, "sparse": 1_000_000}
"""Users of each load: of the dense one a day has several meals, of the sparse one nearly every key is new."""

Day = tuple[str, str]
"""Subject and local day."""


class Totals(NamedTuple):
    """One user's day, in calories and milligrams."""

    energy_cal: int
    protein_mg: int
    carbs_mg: int
    fat_mg: int
    meals: int


NOTHING = Totals(0, 0, 0, 0, 0)


def events(n: int, users: int, seed: int = 1, edited: float = EDITED) -> Iterator[tuple[bytes, bytes]]:
    """`n` events as (key, value): meals, and now and then an earlier one again as revision 2 with another portion."""
    random = dice(seed, "peers").random
    recent: list[tuple[bytes, bytes]] = []
    meals = meal_events(n, users, seed)
    for made in range(n):
        if recent and random() < edited:
            key, value = recent.pop(int(random() * len(recent)))
            yield key, _edit(value)
        else:
            key, value = next(meals)
            if len(recent) < 1000:
                recent.append((key, value))
            elif made % 7 == 0:
                recent[int(random() * 1000)] = (key, value)
            yield key, value


def _edit(value: bytes) -> bytes:
    value = value.replace(b'"entity":"', b'"revision":2,"entity":"', 1)
    for before, after in ((b'"portion":1.0', b'"portion":0.5'), (b'"portion":', b'"portion":0.75,"was":')):
        if before in value:
            return value.replace(before, after, 1)
    return value


class _Item(msgspec.Struct):
    energy_kcal: float = 0.0
    protein_g: float = 0.0
    carbs_g: float = 0.0
    fat_g: float = 0.0


class _Data(msgspec.Struct):
    items: list[_Item]
    portion: float = 1.0


class _Meal(msgspec.Struct):
    id: str
    subject: str
    time: str
    data: msgspec.Raw
    entity: str | None = None
    revision: int = 1


_meal = msgspec.json.Decoder(_Meal).decode
_data = msgspec.json.Decoder(_Data).decode


def contribution(portion: float, items: Iterable[_Item]) -> Totals:
    """What a meal adds to its day."""
    milli = round(portion * 1000)
    e = p = c = f = 0
    for item in items:
        e += round(item.energy_kcal * 1000)
        p += round(item.protein_g * 1000)
        c += round(item.carbs_g * 1000)
        f += round(item.fat_g * 1000)
    energy, protein, carbs, fat = ((total * milli + 500) // 1000 for total in (e, p, c, f))
    return Totals(energy, protein, carbs, fat, 1)


@lru_cache(maxsize=10_000)  # a load has some thousand different contents
def _contribution_of(data: bytes) -> Totals:
    known = _data(data)
    return contribution(known.portion, known.items)


class Offline:
    """The offline fold: every event's revision is looked at first, the sums are made at the end."""

    def __init__(self) -> None:
        self._winners: dict[str, tuple[int, str, str, Totals]] = {}

    def add(self, value: bytes) -> None:
        """One event, in any order."""
        meal = _meal(value)
        entity = f"{meal.subject}|{meal.entity or meal.id}"
        before = self._winners.get(entity)
        if before is None or meal.revision > before[0]:
            adds = _contribution_of(bytes(meal.data))
            self._winners[entity] = meal.revision, meal.subject, sys.intern(meal.time[:10]), adds

    def days(self) -> dict[Day, Totals]:
        """What the rows shall be."""
        days: dict[Day, Totals] = {}
        for _, subject, date, adds in self._winners.values():
            old = days.get((subject, date))
            days[subject, date] = adds if old is None else Totals._make(map(add, old, adds))
        return days


def answer(log: Iterable[tuple[bytes, bytes]]) -> dict[Day, Totals]:
    """The offline fold of a whole log."""
    offline = Offline()
    for _, value in log:
        offline.add(value)
    return offline.days()


def day_of(value: bytes) -> Day:
    """The user-day that a meal's event names."""
    meal = _meal(value)
    return meal.subject, meal.time[:10]


def adds_of(value: bytes) -> Totals:
    """What a meal's event adds to its day, whatever was before it."""
    return _contribution_of(bytes(_meal(value).data))


class _Row(msgspec.Struct):
    """What a peer's row says. Ours says it in human units (schemas/rows.py), the others in base units."""

    user: str = ""
    day: str = ""
    energy_cal: int | None = None
    protein_mg: int | None = None
    carbs_mg: int | None = None
    fat_mg: int | None = None
    meals: int | None = None
    user_id: str = ""
    date: str = ""
    energy_kcal: float | None = None
    protein_g: float | None = None
    carbs_g: float | None = None
    fat_g: float | None = None
    meals_logged: int | None = None


_row = msgspec.json.Decoder(_Row).decode


def row_of(value: bytes) -> tuple[Day, Totals]:
    """The user-day of a row, and its totals in base units; what is missing or null counts as nothing."""
    row = _row(value)
    if row.user_id:
        human = (row.energy_kcal, row.protein_g, row.carbs_g, row.fat_g)
        return (row.user_id, row.date), Totals._make((*(round((v or 0) * 1000) for v in human), row.meals_logged or 0))
    base = (row.energy_cal, row.protein_mg, row.carbs_mg, row.fat_mg, row.meals)
    return (row.user, row.day), Totals(*(v or 0 for v in base))


class Wrong(NamedTuple):
    """How rows differ from the offline answer."""

    days: int
    """User-days that are missing, differ, or should not be; a row of zeros equals no row."""
    meals_lost: int
    meals_twice: int


def differences(found: dict[Day, Totals], answer: dict[Day, Totals]) -> Wrong:
    """Whoever is right gets (0, 0, 0)."""
    days = lost = twice = 0
    for day in {*found, *answer}:
        got, due = found.get(day, NOTHING), answer.get(day, NOTHING)
        if got != due:
            days += 1
            lost += max(0, due.meals - got.meals)
            twice += max(0, got.meals - due.meals)
    return Wrong(days, lost, twice)
