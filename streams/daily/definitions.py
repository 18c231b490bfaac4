"""What of a daily metric may be defined otherwise without folding anew, and which definition judges which day.

A definition is a set of parameters; each is one line of PARAMETERS and one field of `Rules`, read where the row of a
day is made from its cell (rows.py). What the fold itself keeps of an event (contribution.py) is no definition: changing
that is a new GENERATION. Rules are chosen by the local day that is judged, never by when it is judged, so a day stays a
pure function of the winners and of what is in force.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from schemas.definitions import NONE, Definitions, Value, Version
from schemas.instants import day_number

ASLEEP, IN_BED = "asleep", "in_bed"
ACTIVITY, LARGER = "activity", "larger"


class Rules(NamedTuple):
    """The parameters of all metrics on one day; the defaults are version 1."""

    meal_substitute_pct: int = 50
    workout_substitute_pct: int = 50
    burned_says: str = ACTIVITY
    sleep_counts: str = ASLEEP
    meals_a_day: int = 3
    worn_h: int = 10
    """The usual limit of a valid day in studies with worn sensors: Troiano et al., Med Sci Sports Exerc 40(1), 2008."""


STANDARD = Rules()


class Parameter(NamedTuple):
    """One parameter of one metric's definition."""

    metric: str
    name: str
    field: str
    """Of `Rules`."""
    what: str
    low: int = 0
    high: int = 0
    words: tuple[str, ...] = ()
    """The words that it may be; none: a whole number from `low` to `high`."""

    @property
    def standard(self) -> Value:
        """What version 1 says."""
        value: Value = getattr(STANDARD, self.field)
        return value

    @property
    def range(self) -> str:
        """What it may be, in words."""
        return " or ".join(self.words) or f"{self.low} to {self.high}"

    def parse(self, text: str) -> Value:
        """Read a value. Raises ValueError, saying what is expected.

        >>> PARAMETERS[0].parse("75")
        75
        """
        if self.words:
            if text in self.words:
                return text
        elif text.isascii() and text.isdigit() and self.low <= int(text) <= self.high:
            return int(text)
        raise ValueError(f"{self.name}: expected {self.range}, got {text!r}")


PARAMETERS = (
    Parameter(
        *("meal_plan_adherence_pct", "substitute_pct", "meal_substitute_pct"),
        *("what a substituted meal counts, in percent of one as planned", 0, 100),
    ),
    Parameter(
        *("workout_plan_adherence_pct", "substitute_pct", "workout_substitute_pct"),
        *("what a substituted workout counts, in percent of one as planned", 0, 100),
    ),
    Parameter(
        *("calories_burned_kcal", "says", "burned_says"),
        "where activity and workouts both say it: activity alone, or the larger of both",
        words=(ACTIVITY, LARGER),
    ),
    Parameter(
        *("sleep_minutes", "counts", "sleep_counts", "which time of a sleep counts"),
        words=(ASLEEP, IN_BED),
    ),
    Parameter(
        *("meals_coverage", "meals_a_day", "meals_a_day"),
        *("so many meals that say their energy make a day's eating complete", 1, 20),
    ),
    Parameter(
        *("activity_coverage", "worn_h", "worn_h"),
        *("so many hours seen by one source make a day's activity complete", 1, 24),
    ),
)
"""One line a parameter."""


def parameters_of(metric: str) -> tuple[Parameter, ...]:
    """Those of one metric; none: its definition cannot be changed this way."""
    return tuple([each for each in PARAMETERS if each.metric == metric])


def values_of(metric: str, rules: Rules = STANDARD) -> dict[str, Value]:
    """Parameter → value of one metric."""
    return {each.name: getattr(rules, each.field) for each in parameters_of(metric)}


class InForce:
    """Local day → the rules that judge it."""

    __slots__ = ("_rules", "_starts", "said")

    def __init__(self, said: Definitions = NONE) -> None:
        """Versions of metrics or parameters that this code does not know change nothing."""
        self.said = said
        spans = [(_first(each.since), _end(each.until), _fields(each)) for each in said.versions]
        starts = sorted({edge for first, end, _ in spans for edge in (first, end) if edge is not None})
        self._starts = [float("-inf"), *starts] if spans else []
        self._rules = [_on(day, spans) for day in self._starts]

    def on(self, day: int) -> Rules:
        """What judges a local day."""
        if not self._starts:
            return STANDARD
        return self._rules[bisect_right(self._starts, day) - 1]


_Span = tuple[int | None, int | None, Mapping[str, Value]]


def _on(day: float, spans: Sequence[_Span]) -> Rules:
    found: dict[str, Any] = {}
    for first, end, fields in spans:  # the later one judges
        if (first is None or first <= day) and (end is None or day < end):
            found |= fields
    return STANDARD._replace(**found)


def _fields(version: Version) -> dict[str, Value]:
    return {
        each.field: version.values[each.name] for each in parameters_of(version.metric) if each.name in version.values
    }


def _first(day: str | None) -> int | None:
    return None if day is None else day_number(date.fromisoformat(day))


def _end(day: str | None) -> int | None:
    return None if day is None else day_number(date.fromisoformat(day)) + 1


AS_CODED = InForce()
"""Nothing was ever changed."""
