"""Apple Health's export (export.zip, or the export.xml in it), streamed.

Where      A record's own HKTimeZone says where it was; else --timezone; else the offset as written, which is that of
           the phone, not of the journey (on what that does to days: J. Goldin, Apple Health Export Part I, 2020).
Who        `source` is the name of the app or device and its version, so that phone and watch can be told apart.
Revision   The export's own date, in minutes since 1970: what a later export says wins, in whatever order they come.
Pieces     are put together in apple_gather.py; weights and workouts are events of their own.
"""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, BinaryIO

from producers.imports.apple_gather import ACTIVITY, NUTRIENTS, SLEEP, WATER, Gathered
from producers.imports.apple_records import QUANTITY, begin_of, draft, instant, source_of, span_of, value_of
from producers.imports.apple_xml import Element, elements
from producers.imports.localtime import in_utc
from producers.imports.outcome import Bad, Draft, Options, Outcome, Skipped
from producers.imports.quantities import KCAL, KG, METRES, PER_MINUTE, PERCENT, SECONDS, measured, plain

BODY: Mapping[str, tuple[str, Mapping[str, Decimal]]] = {
    "BodyMass": ("weight_kg", KG),
    "BodyFatPercentage": ("body_fat_pct", PERCENT),
    "WaistCircumference": ("waist_cm", {unit: factor * 100 for unit, factor in METRES.items()}),
}
"""Record type → field of a measurement, units."""
KINDS = {
    **{"Running": "run", "Cycling": "ride", "Walking": "walk", "Hiking": "hike", "Swimming": "swim", "Rowing": "row"},
    **{"TraditionalStrengthTraining": "strength", "FunctionalStrengthTraining": "strength"},
}
"""Apple's workout type → the workout's kind; others keep Apple's name, as words_like_this."""


def members(found: list[zipfile.ZipInfo]) -> list[zipfile.ZipInfo]:
    """The records of an export's zip: their name is in the phone's language, beside them lie cda files and routes."""
    xml = [m for m in found if m.filename.lower().endswith(".xml") and not m.filename.lower().endswith("_cda.xml")]
    return sorted(xml, key=lambda m: -m.file_size)[:1]


def read(stream: BinaryIO, name: str, options: Options) -> Iterator[Outcome]:
    """Workouts and measurements in the order of the file, then what was gathered.

    Raises ImportProblem where it is no such export.
    """
    gathered = Gathered(options.timezone)
    skipped: Counter[str] = Counter()
    exported_min: int | None = None
    for element in elements(stream, name):
        if isinstance(element, Bad):
            yield element
            continue
        try:
            if element.name == "ExportDate":
                exported_min = instant(element.attributes["value"]).ms // 60_000
                continue
            made = _take(element, gathered, skipped, options.timezone)
        except KeyError as why:
            yield Bad(f"line {element.line}", f"{element.name} without {why.args[0]}")
        except ValueError as why:
            kind = element.attributes.get("type", element.name).removeprefix(QUANTITY)
            yield Bad(f"line {element.line}", f"{kind}: {why}")
        else:
            if made is not None:
                yield made._replace(revision=exported_min)
    yield from (Skipped(reason, rows) for reason, rows in sorted(skipped.items()))
    for made in gathered.drafts():
        yield made._replace(revision=exported_min)


def _take(element: Element, gathered: Gathered, skipped: Counter[str], zone: str | None) -> Draft | None:
    """A draft where one element is one event."""
    if element.name == "Record":
        kind = element.attributes["type"].removeprefix(QUANTITY)
        if kind in ACTIVITY:
            return gathered.activity(element, kind)
        if kind in NUTRIENTS:
            gathered.nutrient(element, kind)
        elif kind == WATER:
            gathered.water(element)
        elif kind == SLEEP:
            gathered.sleep(element)
        elif kind in BODY:
            return _body(element, kind, zone)
        else:
            skipped[kind] += 1
    elif element.name == "Workout":
        return _workout(element, zone)
    elif element.name == "Correlation":
        skipped["Correlation: its records are listed again by themselves"] += 1
    elif element.name != "Me":
        skipped[element.name] += 1
    return None


def _body(element: Element, kind: str, zone: str | None) -> Draft:
    quantity, units = BODY[kind]
    at, data = begin_of(element, zone), {quantity: plain(value_of(element, units))}
    return draft(element.line, "body.measured", at, source_of(element).text, (quantity, in_utc(at.ms)), data)


def _workout(element: Element, zone: str | None) -> Draft:
    attributes, span = element.attributes, span_of(element, zone)
    kind = kind_of(attributes["workoutActivityType"])
    duration = Decimal(span.ms) / 1000
    if "duration" in attributes:
        duration = measured(attributes["duration"], attributes.get("durationUnit", "min"), SECONDS)
    data: dict[str, Any] = {"kind": kind, "duration_s": plain(duration)}
    metres = None
    if "totalEnergyBurned" in attributes:
        unit = attributes.get("totalEnergyBurnedUnit", "kcal")
        data["calories_kcal"] = plain(measured(attributes["totalEnergyBurned"], unit, KCAL))
    if "totalDistance" in attributes:
        metres = measured(attributes["totalDistance"], attributes.get("totalDistanceUnit", "km"), METRES)
    for name, statistics in element.children:
        of, unit = statistics.get("type", "").removeprefix(QUANTITY), statistics.get("unit", "")
        if name != "WorkoutStatistics":
            continue
        if of == "ActiveEnergyBurned" and "sum" in statistics:
            data["calories_kcal"] = plain(measured(statistics["sum"], unit, KCAL))
        elif of == "HeartRate":
            for part, quantity in (("average", "avg_heart_rate_bpm"), ("maximum", "max_heart_rate_bpm")):
                if part in statistics:
                    data[quantity] = plain(measured(statistics[part], unit, PER_MINUTE))
        elif of.startswith("Distance") and "sum" in statistics:
            metres = measured(statistics["sum"], unit, METRES)
    if metres:
        data["sets"] = [{"exercise": kind, "distance_m": plain(metres), "seconds": data["duration_s"]}]
    key = (kind, in_utc(span.begin.ms))
    return draft(element.line, "workout.completed", span.begin, source_of(element).text, key, data)


def kind_of(activity_type: str) -> str:
    """Apple's name of a workout as Daybook has it.

    >>> kind_of("HKWorkoutActivityTypeMartialArts"), kind_of("HKWorkoutActivityTypeRunning")
    ('martial_arts', 'run')
    """
    name = activity_type.removeprefix("HKWorkoutActivityType")
    return KINDS.get(name) or re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower() or "other"
