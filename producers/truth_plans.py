"""What goals and plans say of a day, once more and slowly: for producers/truth.py. Written from docs/metrics.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from schemas.codec import Event
from schemas.instants import day_number, day_text

_DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class Version(NamedTuple):
    """One register of a goal or a plan."""

    entity: str
    first: int
    event: Event


def valid_on(day: int, versions: Iterable[Version], ends: Mapping[str, int]) -> list[Version]:
    """Of each entity the version that is valid on a day, by entity; `ends`: entity → its last day by plan.ended."""
    begun: dict[str, Version] = {}
    for version in versions:
        if version.first <= day and (version.entity not in begun or begun[version.entity].first < version.first):
            begun[version.entity] = version
    found = []
    for entity in sorted(begun):
        until = begun[entity].event.data.effective_until
        if (until is None or day <= day_number(until)) and day <= ends.get(entity, day):
            found.append(begun[entity])
    return found


def _weekday(day: int) -> str:
    return _DAYS[(day - day_number_of_a_monday) % 7]


day_number_of_a_monday = 4  # 1970-01-05


class Deed(NamedTuple):
    """A meal or a workout, as far as plans are concerned."""

    ms: int
    key: bytes
    entity: str
    item: str | None
    pct: int
    """Hundredths of a percent."""
    kind: str | None = None


def judge(
    day: int, plans: Sequence[Version], meals: Sequence[Deed], workouts: Sequence[Deed]
) -> tuple[dict[str, Any], bool]:
    """Columns about plans; and whether there are planned slots, all of which were filled."""
    weekday = _weekday(day)
    slots, items, rests = set(), set(), False
    for plan in plans:
        slots |= {one.item for one in plan.event.data.meals if weekday in one.weekdays}
        if weekday in plan.event.data.rest_days:
            rests = True
        else:
            items |= {one.item for one in plan.event.data.workouts if weekday in one.weekdays}
    planned: dict[str, dict[str, Any]] = {}
    columns: dict[str, Any] = {"rest_day": (rests and not items) if plans else None}
    trained = {
        weekday
        for plan in plans
        for one in plan.event.data.workouts
        for weekday in one.weekdays
        if weekday not in plan.event.data.rest_days
    }
    rested = {weekday for plan in plans for weekday in plan.event.data.rest_days} - trained
    columns["rest_days"] = sorted(rested, key=_DAYS.index) or None
    for name, wanted, deeds in (("meal", slots, meals), ("workout", items, workouts)):
        points = []
        others = sorted([deed for deed in deeds if deed.item not in wanted], key=_best_first)
        for item in sorted(wanted):
            doing = sorted([deed for deed in deeds if deed.item == item], key=_best_first)
            instead = [deed for deed in others if name == "workout" or deed.kind == item]
            if doing:
                said: tuple[str, int, str | None] = ("as planned", doing[0].pct, doing[0].entity)
            elif instead:
                others.remove(instead[0])
                said = ("substituted", instead[0].pct // 2, instead[0].entity)
            else:
                said = ("missed", 0, None)
            points.append(said[1])
            planned[f"{name}:{item}"] = {"how": said[0], "pct": said[1] / 100, "entity": said[2]}
        columns[f"{name}_plan_adherence_pct"] = sum(points) / (100 * len(points)) if points else None
    columns["planned"] = planned or None
    return columns, bool(slots) and all(planned[f"meal:{slot}"]["how"] != "missed" for slot in slots)


def _best_first(deed: Deed) -> tuple[int, int, bytes]:
    return -deed.pct, deed.ms, deed.key


def reach(row: Mapping[str, Any], goals: Iterable[Version]) -> dict[str, dict[str, Any]] | None:
    """What became of the goals that were valid."""
    found = {}
    for version in goals:
        goal = version.event.data
        target, tolerance = _thousandth(goal.target), _thousandth(goal.tolerance_pct)
        actual = row.get(goal.metric)
        judged: dict[str, Any] = {"actual": None, "delta": None, "hit": None}
        if isinstance(actual, int | float) and not isinstance(actual, bool) and goal.metric not in _NO_METRICS:
            delta = _thousandth(actual) - target
            slack = target * tolerance / 100
            low, high = goal.direction != "at_most", goal.direction != "at_least"
            hit = not (low and delta < -slack) and not (high and delta > slack)
            judged = {"actual": float(actual), "delta": float(delta), "hit": hit}
        found[version.entity] = {
            "metric": goal.metric,
            "target": float(target),
            "direction": goal.direction,
            "tolerance_pct": float(tolerance),
            "effective_from": day_text(version.first),
            **judged,
        }
    return found or None


_NO_METRICS = {"entities", "first_event_at", "last_event_at"}


def _thousandth(value: float) -> Fraction:
    return Fraction(round(value * 1000), 1000)
