"""A made-up Apple Health export of any size: the same bytes on every machine.

A day has about 640 records: a watch's energy, distance and heart rate every few minutes, a phone's steps beside them, a
night's stages, now and then a weight, a meal, a drink, a workout. So a gigabyte is about twelve years.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

FIRST = datetime(2014, 9, 17, tzinfo=UTC)
_DEVICE = "&lt;&lt;HKDevice: 0x2810&gt;, name:Apple Watch, manufacturer:Apple Inc., model:Watch, hardware:Watch6,1&gt;"
_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE HealthData [\n<!ELEMENT HealthData (Record)*>\n]>\n'
    '<HealthData locale="en_GB">\n <ExportDate value="2026-03-10 09:30:00 +0100"/>\n'
)


def write(path: Path, size: int) -> int:
    """Write at least `size` bytes of an export, in whole days; returns how many top-level elements they are."""
    rng, day, count, written = Random(7), FIRST, 1, len(_HEAD)
    with path.open("w", encoding="utf-8") as file:
        file.write(_HEAD)
        while written < size:
            lines = list(_day(rng, day))
            text = "".join(lines)
            file.write(text)
            written += len(text)
            count += len(lines)
            day += timedelta(days=1)
        file.write("</HealthData>\n")
    return count - 1  # the date of the export is no row


def _day(rng: Random, day: datetime) -> Iterator[str]:
    for minute in range(7 * 60, 23 * 60, 5):
        at = day + timedelta(minutes=minute)
        yield _record("ActiveEnergyBurned", "Watch", at, 300, "kcal", f"{rng.random() * 9:.3f}")
        yield _record("HeartRate", "Watch", at, 0, "count/min", str(rng.randrange(55, 140)))
        if rng.random() < 0.4:
            yield _record("StepCount", "Watch", at, 280, "count", str(rng.randrange(1, 400)))
        if rng.random() < 0.4:
            yield _record("StepCount", "Phone", at, 250, "count", str(rng.randrange(1, 400)))
            yield _record("DistanceWalkingRunning", "Phone", at, 250, "km", f"{rng.random() / 4:.5f}")
    yield _record("BodyMass", "Scale", day + timedelta(hours=7), 0, "kg", f"{70 + rng.random():.2f}")
    for hour in (8, 12, 19):
        at = day + timedelta(hours=hour)
        yield _record("DietaryWater", "Bottle", at, 0, "mL", "250")
        yield _record("DietaryEnergyConsumed", "Food diary", at, 0, "kcal", str(rng.randrange(200, 900)))
        yield _record("DietaryProtein", "Food diary", at, 0, "g", str(rng.randrange(5, 50)))
    at = day + timedelta(hours=23)
    for _ in range(14):
        until = at + timedelta(minutes=rng.randrange(15, 45))
        stage = rng.choice(("AsleepCore", "AsleepDeep", "AsleepREM", "Awake"))
        yield (
            f' <Record type="HKCategoryTypeIdentifierSleepAnalysis" sourceName="Watch" sourceVersion="11.3" '
            f'device="{_DEVICE}" creationDate="{_time(until)}" startDate="{_time(at)}" endDate="{_time(until)}" '
            f'value="HKCategoryValueSleepAnalysis{stage}"/>\n'
        )
        at = until
    if rng.random() < 0.4:
        at = day + timedelta(hours=18)
        yield (
            f' <Workout workoutActivityType="HKWorkoutActivityTypeRunning" duration="31.5" durationUnit="min" '
            f'sourceName="Watch" sourceVersion="11.3" startDate="{_time(at)}" endDate="{_time(at, 1890)}">\n'
            f'  <MetadataEntry key="HKIndoorWorkout" value="0"/>\n'
            f'  <WorkoutStatistics type="HKQuantityTypeIdentifierActiveEnergyBurned" sum="310" unit="kcal"/>\n'
            f" </Workout>\n"
        )


def _record(kind: str, source: str, at: datetime, seconds: int, unit: str, value: str) -> str:
    return (
        f' <Record type="HKQuantityTypeIdentifier{kind}" sourceName="{source}" sourceVersion="11.3" device="{_DEVICE}" '
        f'unit="{unit}" creationDate="{_time(at, seconds)}" startDate="{_time(at)}" endDate="{_time(at, seconds)}" '
        f'value="{value}"/>\n'
    )


def _time(at: datetime, seconds: int = 0) -> str:
    return f"{at + timedelta(seconds=seconds):%Y-%m-%d %H:%M:%S} +0100"
