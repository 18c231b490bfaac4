"""A day against its plans: every planned meal slot and workout once, with a score in hundredths of a percent.

as planned    something names the planned item (a meal from the plan may name its slot by its meal type): 100 %, of a
              workout its completion percentage where it says one
substituted   done, but another item: a meal of the slot's type that names no slot of this day, or a workout that names
              no workout of this day; half of that, or what the definition in force says (definitions.py)
missed        0 %

Each meal or workout fulfils at most one item. The day's percentage is the mean over what was planned; where nothing
was planned there is none. Days without any live entity have no row, so they are not judged (docs/adr).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from schemas.rows import PlannedDay

FULL = 10_000
HALF = 50
"""What a substitute counts in percent, unless the metric's definition says otherwise (definitions.py)."""


class Done(NamedTuple):
    """A meal or workout that may fulfil something planned."""

    ms: int
    key: bytes
    entity: str
    name: str | None
    """The planned item that it says to fulfil."""
    slot: str | None = None
    """A meal's type."""
    score: int = FULL


Planned = dict[str, PlannedDay]


def of_meals(slots: Sequence[str], meals: Iterable[Done], substitute_pct: int = HALF) -> tuple[Planned, float] | None:
    """Slot → what became of it, and the day's adherence in percent."""
    return _judged(slots, list(meals), substitute_pct, by_slot=True)


def of_workouts(
    items: Sequence[str], workouts: Iterable[Done], substitute_pct: int = HALF
) -> tuple[Planned, float] | None:
    """Item → what became of it, and the day's adherence in percent."""
    return _judged(items, list(workouts), substitute_pct, by_slot=False)


def _judged(
    items: Sequence[str], done: list[Done], substitute_pct: int, *, by_slot: bool
) -> tuple[Planned, float] | None:
    if not items:
        return None
    done.sort(key=lambda one: (-one.score, one.ms, one.key))
    spare = [one for one in done if one.name not in items]
    found: Planned = {}
    total = 0
    for item in items:
        score, how, by = 0, "missed", next((one for one in done if one.name == item), None)
        if by is not None:
            score, how = by.score, "as planned"
        elif (by := next((one for one in spare if not by_slot or one.slot == item), None)) is not None:
            spare.remove(by)
            score, how = by.score * substitute_pct // 100, "substituted"
        total += score
        found[item] = PlannedDay(how, score / 100, None if by is None else by.entity)
    return found, total / (100 * len(items))
