"""What was valid on a local day: goals, plans, rest days, the order of sources. Pure, from the winners of plans events.

goal, plan    of one entity's versions, the latest that begins on or before the day; past its own end there is none
plan.ended    shortens every version of its plan, never lengthens one
profile       the latest that begins on or before the day, whoever set it

A day is judged by this and by nothing later: a version that begins today leaves yesterday alone (DESIGN §6, §8 rule 5).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

from schemas.instants import day_number
from schemas.ledger import KIND_AT, KIND_OF_TYPE, Winner, split_key, unpack_winner
from streams.daily.days import Profiles, profiles_of

_GOAL, _PLAN, _END, _PROFILE = (
    KIND_OF_TYPE[name].code for name in ("goal.set", "plan.assigned", "plan.ended", "profile.updated")
)
REGISTERS = frozenset({_GOAL, _PLAN, _END, _PROFILE})
"""Kinds that lie on no day and judge days."""
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FOREVER = 1 << 30


class Goal(NamedTuple):
    """One version of a goal; numbers in thousandths."""

    entity: str
    metric: str
    target: int
    direction: str
    tolerance: int
    since: int
    """First local day of this version."""


class Plan(NamedTuple):
    """One version of a plan, by weekday from Monday."""

    meals: tuple[tuple[str, ...], ...]
    workouts: tuple[tuple[str, ...], ...]
    rest: tuple[bool, ...]


class Valid(NamedTuple):
    """What judges one day."""

    goals: tuple[Goal, ...] = ()
    """By entity."""
    meals: tuple[str, ...] = ()
    """Names of the planned slots, sorted, each once."""
    workouts: tuple[str, ...] = ()
    rest: bool | None = None
    """Whether rest is planned; None without a plan."""
    rest_days: tuple[str, ...] = ()
    """Weekdays on which these plans rest, from Monday."""
    priority: tuple[str, ...] | None = None
    """Platforms, weakest first; None: the default."""

    def differs(self, other: Valid, several: bool) -> bool:
        """Whether a day is judged otherwise by the other; their order matters only where `several` platforms are."""
        return self != other if several else self[:-1] != other[:-1]


NOTHING = Valid()
_Versions = tuple[tuple[int, int, Any], ...]
"""First day, last day and what is valid, the latest first."""


class Book(NamedTuple):
    """All that one user ever set."""

    profiles: Profiles = ()
    goals: tuple[_Versions, ...] = ()
    """By entity."""
    plans: tuple[_Versions, ...] = ()

    def on(self, day: int) -> Valid:
        """What was valid on a local day."""
        goals = tuple([goal for versions in self.goals if (goal := _at(versions, day)) is not None])
        plans: list[Plan] = [plan for versions in self.plans if (plan := _at(versions, day)) is not None]
        priority = next((profile.priority for profile in self.profiles if profile.since <= day), None)
        if not plans:
            return Valid(goals, priority=priority) if goals or priority else NOTHING
        weekday = (day + 3) % 7  # 1970-01-01 was a Thursday
        week = _resting(tuple(plans))
        meals = {name for plan in plans for name in plan.meals[weekday]}
        workouts = {name for plan in plans for name in plan.workouts[weekday]}
        rest = _WEEKDAYS[weekday] in week
        return Valid(goals, tuple(sorted(meals)), tuple(sorted(workouts)), rest, week, priority)


EMPTY = Book()


@lru_cache(maxsize=4096)
def _resting(plans: tuple[Plan, ...]) -> tuple[str, ...]:
    """Weekdays on which one of the plans rests and none has a workout."""
    return tuple(
        [
            name
            for at, name in enumerate(_WEEKDAYS)
            if any(plan.rest[at] for plan in plans) and not any(plan.workouts[at] for plan in plans)
        ]
    )


def _at(versions: _Versions, day: int) -> Any:
    for first, last, what in versions:
        if first <= day:
            return what if day <= last else None
    return None


def book_of(entities: Mapping[bytes, bytes]) -> Book:
    """The book among a user's winners."""
    winners = [(key, unpack_winner(packed)) for key, packed in entities.items() if b"\0p\0" in key]
    if not winners:
        return EMPTY
    of_kind: dict[int, list[tuple[bytes, Winner]]] = {code: [] for code in REGISTERS}
    for key, winner in winners:
        of_kind[winner.kind.code].append((key, winner))
    ends = {split_key(key).entity: _day(winner.tail["effective_until"]) for key, winner in of_kind[_END]}
    return Book(
        profiles_of(of_kind[_PROFILE]),
        _by_entity([_goal(split_key(key).entity, w.tail) for key, w in of_kind[_GOAL]]),
        _by_entity([_plan(split_key(key).entity, w.tail, ends) for key, w in of_kind[_PLAN]]),
    )


def first_day(key: bytes, packed: bytes) -> int:
    """The first local day that a register may be about. Of a profile: any, because it may move what lies on a day."""
    if packed[KIND_AT] == _PROFILE:
        return -_FOREVER
    if packed[KIND_AT] == _END:
        return _day(unpack_winner(packed).tail["effective_until"]) + 1
    return _day(split_key(key).register or "")


def _by_entity(found: Iterable[tuple[str, int, int, Any]]) -> tuple[_Versions, ...]:
    entities: dict[str, list[tuple[int, int, Any]]] = {}
    for entity, first, last, what in found:
        entities.setdefault(entity, []).append((first, last, what))
    return tuple([tuple(sorted(entities[entity], reverse=True)) for entity in sorted(entities)])


def _goal(entity: str, said: Any) -> tuple[str, int, int, Goal]:
    since = _day(said["effective_from"])
    goal = Goal(
        entity,
        said["metric"],
        round(said["target"] * 1000),
        said["direction"],
        round((said.get("tolerance_pct") or 0) * 1000),
        since,
    )
    return entity, since, _last(said), goal


def _plan(entity: str, said: Any, ends: Mapping[str, int]) -> tuple[str, int, int, Plan]:
    """A rest day plans no workouts of the same plan."""
    resting = set(said.get("rest_days") or ())
    workouts = [_listed(said.get("workouts"), name) if name not in resting else () for name in _WEEKDAYS]
    plan = Plan(
        tuple([_listed(said.get("meals"), name) for name in _WEEKDAYS]),
        tuple(workouts),
        tuple([name in resting for name in _WEEKDAYS]),
    )
    return entity, _day(said["effective_from"]), min(_last(said), ends.get(entity, _FOREVER)), plan


def _listed(planned: Any, weekday: str) -> tuple[str, ...]:
    return tuple(sorted({each["item"] for each in planned or () if weekday in each["weekdays"]}))


def _last(said: Any) -> int:
    return _FOREVER if said.get("effective_until") is None else _day(said["effective_until"])


def _day(text: str) -> int:
    return day_number(date.fromisoformat(text))
