"""A day against its goals: target, actual, delta and hit, in thousandths of the metric's unit, so that nothing is lost
to binary fractions. A metric that the day does not have is neither hit nor missed: null.

at_least   actual >= target - tolerance
at_most    actual <= target + tolerance
around     both                               tolerance: so many percent of the target
"""

from __future__ import annotations

from collections.abc import Iterable

from schemas.instants import day_text
from schemas.rows import DailyRow, GoalDay
from schemas.tables import GOAL_METRICS
from streams.daily.valid import Goal


def judged(row: DailyRow, goals: Iterable[Goal]) -> dict[str, GoalDay] | None:
    """Goal → how the day did, for the goals that were valid; None without any."""
    return {goal.entity: _judged(row, goal) for goal in goals} or None


def _judged(row: DailyRow, goal: Goal) -> GoalDay:
    actual = getattr(row, goal.metric) if goal.metric in GOAL_METRICS else None
    since = day_text(goal.since)
    if actual is None:
        return GoalDay(goal.metric, goal.target / 1000, goal.direction, goal.tolerance / 1000, since)
    delta = round(actual * 1000) - goal.target
    hit = is_hit(delta, goal.target, goal.tolerance, goal.direction)
    said = goal.metric, goal.target / 1000, goal.direction, goal.tolerance / 1000, since
    return GoalDay(*said, float(actual), delta / 1000, hit)


def is_hit(delta: int, target: int, tolerance: int, direction: str) -> bool:
    """All numbers in thousandths; the tolerance in thousandths of a percent.

    >>> is_hit(-100, 2000, 5_000, "at_least"), is_hit(-101, 2000, 5_000, "at_least")
    (True, False)
    """
    far, allowed = delta * 100_000, target * tolerance
    above = direction == "at_most" or far >= -allowed
    below = direction == "at_least" or far <= allowed
    return above and below
