"""Apple's pieces put together: many elements, one event.

Activity   Steps, distance, active energy and exercise minutes come in pieces of seconds: added up by source and quarter
           of an hour (UTC; every zone's midnight is on one), a piece counting where it begins. What is longer than an
           hour stays as it is.
Meals      Nutrients of one source and moment are one meal, an item for each food; drinks of one moment are one drink.
Sleep      Stages of one source less than an hour apart are one sleep; where stages overlap, a minute counts once.
Memory     grows with the quarters of an hour in which something happened, not with the size of the file.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from producers.imports.apple_records import (
    HOUR_MS,
    QUARTER_MS,
    At,
    Source,
    Span,
    begin_of,
    draft,
    metadata,
    source_of,
    span_of,
    value_of,
)
from producers.imports.apple_xml import Element
from producers.imports.localtime import in_utc
from producers.imports.outcome import Draft
from producers.imports.quantities import COUNT, GRAMS, KCAL, METRES, ML, SECONDS, plain

ACTIVITY: Mapping[str, tuple[str, Mapping[str, Decimal]]] = {
    "StepCount": ("steps", COUNT),
    "DistanceWalkingRunning": ("distance_m", METRES),
    "ActiveEnergyBurned": ("calories_kcal", KCAL),
    "AppleExerciseTime": ("active_minutes", {unit: factor / 60 for unit, factor in SECONDS.items()}),
}
"""Record type → field of an activity, units."""
_PLACES = {"steps": 0}
"""Decimal places of a field, where they are not three."""
_MILLIONTHS = 1_000_000
NUTRIENTS: Mapping[str, tuple[str, Mapping[str, Decimal]]] = {
    "DietaryEnergyConsumed": ("energy_kcal", KCAL),
    "DietaryProtein": ("protein_g", GRAMS),
    "DietaryCarbohydrates": ("carbs_g", GRAMS),
    "DietaryFatTotal": ("fat_g", GRAMS),
    "DietaryFiber": ("fibre_g", GRAMS),
}
"""Record type → field of a meal's item, units."""
WATER = "DietaryWater"
SLEEP = "HKCategoryTypeIdentifierSleepAnalysis"
_STAGE = "HKCategoryValueSleepAnalysis"

_Key = tuple[str, int]  # name of the source, time in ms


@dataclass(slots=True)
class _Quarter:
    """The pieces of one source and quarter of an hour, in millionths: there are hundreds of thousands of these."""

    line: int
    source: str
    offset_min: int | None
    rows: int = 0
    steps: int | None = None
    distance_m: int | None = None
    calories_kcal: int | None = None
    active_minutes: int | None = None

    def add(self, quantity: str, value: Decimal) -> None:
        setattr(self, quantity, (getattr(self, quantity) or 0) + round(value * _MILLIONTHS))
        self.rows += 1

    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = {"duration_s": QUARTER_MS // 1000}
        for quantity, _ in ACTIVITY.values():
            if (millionths := getattr(self, quantity)) is not None:
                found[quantity] = plain(Decimal(millionths) / _MILLIONTHS, _PLACES.get(quantity, 3))
        return found


@dataclass(slots=True)
class _Sum:
    """What is added up for one source and moment."""

    line: int
    source: str
    offset_min: int | None
    rows: int = 0
    values: dict[str, Decimal] = field(default_factory=dict)

    def add(self, quantity: str, value: Decimal) -> None:
        self.values[quantity] = self.values.get(quantity, Decimal(0)) + value
        self.rows += 1


class _Stage(NamedTuple):
    span: Span
    asleep: bool
    line: int
    source: str


class Gathered:
    """Elements in one by one, drafts out at the end. All methods raise KeyError or ValueError for a bad element."""

    def __init__(self, zone: str | None) -> None:
        self._zone = zone
        self._activity: dict[str, dict[int, _Quarter]] = {}
        self._water: dict[_Key, _Sum] = {}
        self._meals: dict[_Key, dict[str, _Sum]] = {}
        self._meal_types: dict[_Key, str] = {}
        self._sleeps: dict[str, list[_Stage]] = {}

    def activity(self, element: Element, kind: str) -> Draft | None:
        """A piece to add up; or a draft, where it is too long to lie in one quarter."""
        quantity, units = ACTIVITY[kind]
        span, source, value = span_of(element, self._zone), source_of(element), value_of(element, units)
        begin = span.begin.ms
        if span.ms > HOUR_MS:
            data = {"duration_s": span.ms // 1000, quantity: plain(value, _PLACES.get(quantity, 3))}
            key = (quantity, in_utc(begin), in_utc(span.end.ms))
            return draft(element.line, "activity.recorded", span.begin, source.text, key, data)
        quarters = self._activity.setdefault(source.name, {})
        quarter = quarters.get(begin // QUARTER_MS)
        if quarter is None:
            quarter = _Quarter(element.line, source.text, span.begin.offset_min)
            quarters[begin // QUARTER_MS] = quarter
        quarter.add(quantity, value)
        return None

    def water(self, element: Element) -> None:
        at, source, value = begin_of(element, self._zone), source_of(element), value_of(element, ML)
        self._water.setdefault((source.name, at.ms), _new(element, source, at)).add("ml", value)

    def nutrient(self, element: Element, kind: str) -> None:
        quantity, units = NUTRIENTS[kind]
        at, source, value = begin_of(element, self._zone), source_of(element), value_of(element, units)
        key, told = (source.name, at.ms), metadata(element)
        self._meal_types.setdefault(key, told.get("HKFoodMeal", told.get("meal", "")).lower()[:200])
        food = told.get("HKFoodType", "")[:200] or "food"
        self._meals.setdefault(key, {}).setdefault(food, _new(element, source, at)).add(quantity, value)

    def sleep(self, element: Element) -> None:
        stage = element.attributes["value"].removeprefix(_STAGE)
        span, source = span_of(element, self._zone), source_of(element)
        asleep = stage.startswith("Asleep")
        if not asleep and stage not in ("InBed", "Awake"):
            raise ValueError(f"Expected a stage of sleep, got {stage[:60]!r}")
        self._sleeps.setdefault(source.name, []).append(_Stage(span, asleep, element.line, source.text))

    def drafts(self) -> Iterator[Draft]:
        """What came of it, each kind in the order of times."""
        for number, name in heapq.merge(*map(_numbered, self._activity, self._activity.values())):
            ms, quarter = number * QUARTER_MS, self._activity[name][number]
            at, key, rows = At(ms, quarter.offset_min), (in_utc(ms),), quarter.rows
            data = quarter.data()
            yield draft(quarter.line, "activity.recorded", at, quarter.source, key, data, rows, gathered=True)
        for (_, ms), total in _in_order(self._water):
            at, data = At(ms, total.offset_min), {"ml": plain(total.values["ml"])}
            yield draft(total.line, "water.logged", at, total.source, (in_utc(ms),), data, total.rows, gathered=True)
        yield from (self._meal(key, self._meals[key]) for key in sorted(self._meals, key=_time_first))
        for name in sorted(self._sleeps):
            yield from map(_night, _nights(sorted(self._sleeps[name])))

    def _meal(self, key: _Key, foods: Mapping[str, _Sum]) -> Draft:
        first = next(iter(foods.values()))
        items = [
            {"name": food, **{quantity: plain(value) for quantity, value in sorted(total.values.items())}}
            for food, total in sorted(foods.items())
        ]
        data = {"meal_type": self._meal_types[key] or "unspecified", "items": items}
        at, rows = At(key[1], first.offset_min), sum(total.rows for total in foods.values())
        return draft(first.line, "meal.logged", at, first.source, (in_utc(at.ms),), data, rows, gathered=True)


def _new(element: Element, source: Source, at: At) -> _Sum:
    return _Sum(element.line, source.text, at.offset_min)


def _numbered(name: str, quarters: Mapping[int, _Quarter]) -> Iterator[tuple[int, str]]:
    return ((number, name) for number in sorted(quarters))


def _time_first(key: _Key) -> tuple[int, str]:
    return key[1], key[0]


def _in_order(sums: Mapping[_Key, _Sum]) -> list[tuple[_Key, _Sum]]:
    return sorted(sums.items(), key=lambda one: _time_first(one[0]))


def _nights(stages: Sequence[_Stage]) -> Iterator[list[_Stage]]:
    """Stages of one source, sorted by their begin, cut where nothing was for more than an hour."""
    night: list[_Stage] = []
    until = 0
    for stage in stages:
        if night and stage.span.begin.ms - until > HOUR_MS:
            yield night
            night, until = [], 0
        until = max(until, stage.span.end.ms)
        night.append(stage)
    if night:
        yield night


def _night(night: Sequence[_Stage]) -> Draft:
    last = max(night, key=lambda stage: stage.span.end.ms)
    data: dict[str, Any] = {"in_bed_s": _covered_ms(night) // 1000}
    if asleep := [stage for stage in night if stage.asleep]:
        data["asleep_s"] = _covered_ms(asleep) // 1000
    key = (in_utc(night[0].span.begin.ms),)
    line, rows = night[0].line, len(night)
    return draft(line, "sleep.recorded", last.span.end, last.source, key, data, rows, gathered=True)


def _covered_ms(stages: Sequence[_Stage]) -> int:
    """Length of their union; they are sorted by their begin."""
    total, until = 0, 0
    for stage in stages:
        total += max(0, stage.span.end.ms - max(stage.span.begin.ms, until))
        until = max(until, stage.span.end.ms)
    return total
