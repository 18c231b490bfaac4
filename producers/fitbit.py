"""A month of 33 people's Fitbit data as CloudEvents, and Fitbit's own daily totals to compare with.

12 April to 12 May 2016. Furberg, Brinton, Keating, Ortiz (2016), Zenodo, doi 10.5281/zenodo.53894; the files as
published on Kaggle (arashnic/fitbit), CC0. What the source does not say, and what is written instead:

* No zone: times are local. All are written with -05:00; every day comes out as in the file, as with any fixed offset.
* Sleep and weight carry a day, no hour: both are written at 08:00. A sleep's day is the day of waking.
* Entity and event ids are made from person and time (the weight log's own LogId lost digits at the source: 55 of them
  for 67 entries), so a second replay brings the same bytes and changes nothing.
* Three rows of the sleep file are exact duplicates: they are sent, byte for byte twice.
* active_minutes is left out: hourlyIntensities adds up intensities from 0 to 3 per minute, which is not minutes.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent / "data" / "fitbit"
SOURCE = "fitbit/2016"
OFFSET = "-05:00"
EVENTS = 22_579
"""How many events a replay sends: 22,099 hours, 413 sleeps (3 of them twice), 67 weights."""
CALORIES_TOLERANCE = 13
"""Days whose hours come within this many kcal of Fitbit's own total count as close (13 itself included)."""

PersonDay = tuple[str, str]
"""Subject and local day as YYYY-MM-DD."""


class DayTotal(NamedTuple):
    """What Fitbit says that a day came to."""

    steps: int
    calories_kcal: int


class Agreement(NamedTuple):
    """On how many of Fitbit's days other daily rows say the same."""

    days: int
    steps_equal: int
    calories_close: int


SUPPORTED = Agreement(days=940, steps_equal=775, calories_close=879)
"""What the source itself supports: its hours add up to its own daily totals on so many days (last days were cut off,
some days edited by hand). A pipeline that gets other counts has lost or doubled something."""


def events() -> Iterator[bytes]:
    """The month in the order of its times, people interleaved; the same bytes on every call."""
    rows = [*_hours(), *_sleeps(), *_weights()]
    rows.sort()
    for time, type_name, person, entity, data in rows:
        subject = subject_of(person)
        yield (
            f'{{"specversion":"1.0","id":"{subject}/{entity}","source":"{SOURCE}","type":"{type_name}",'
            f'"subject":"{subject}","time":"{time}{OFFSET}","entity":"{entity}","data":{{{data}}}}}'
        ).encode()


def subject_of(person: str) -> str:
    """The user id of a person of the study."""
    return f"fitbit_{person}"


_Row = tuple[str, str, str, str, str]  # local time, event type, person, entity, inside of data


def _hours() -> Iterator[_Row]:
    calories = {_hour(row, day="Activity Day"): row["Calories"] for row in _read("hourlyCalories")}
    for row in _read("hourlySteps"):
        person, at = _hour(row, day="ActivityDay")
        data = f'"duration_s":3600,"steps":{row["StepTotal"]},"calories_kcal":{calories[person, at]}'
        yield f"{at}:00:00", "activity.recorded", person, f"activity_{at}", data


def _hour(row: dict[str, str], *, day: str) -> tuple[str, str]:
    """Person and hour as YYYY-MM-DDTHH; the files do not agree on the name of the column with the day."""
    return row["Id"], f"{_iso(row[day])}T{int(row['ActivityHour'].split(':')[0]):02}"


def _sleeps() -> Iterator[_Row]:
    for row in _read("sleepDay"):
        day = _iso(row["SleepDay"])
        asleep_s, in_bed_s = int(row["TotalMinutesAsleep"]) * 60, int(row["TotalTimeInBed"]) * 60
        data = f'"asleep_s":{asleep_s},"in_bed_s":{in_bed_s}'
        yield f"{day}T08:00:00", "sleep.recorded", row["Id"], f"sleep_{day}", data


def _weights() -> Iterator[_Row]:
    for row in _read("weightLogInfo"):
        day = _iso(row["Date"])
        fat = f',"body_fat_pct":{row["Fat"]}' if row["Fat"] else ""
        yield f"{day}T08:00:00", "body.measured", row["Id"], f"weight_{day}", f'"weight_kg":{row["WeightKg"]}{fat}'


def daily_truth() -> dict[PersonDay, DayTotal]:
    """Fitbit's own total of each person's day: an answer key that somebody else made."""
    return {
        (subject_of(row["Id"]), _iso(row["ActivityDate"])): DayTotal(int(row["TotalSteps"]), int(row["Calories"]))
        for row in _read("dailyActivity")
    }


def agreement(rows: Mapping[PersonDay, tuple[int | None, float | None]]) -> Agreement:
    """Compare daily rows, as (steps, activity calories in kcal), with Fitbit's own totals.

    A day that has no row, or no value, does not agree. Rows of other people and days are ignored.
    """
    truth = daily_truth()
    equal = close = 0
    for key, total in truth.items():
        steps, calories = rows.get(key, (None, None))
        equal += steps is not None and steps == total.steps
        close += calories is not None and abs(calories - total.calories_kcal) <= CALORIES_TOLERANCE
    return Agreement(len(truth), equal, close)


def _read(name: str) -> Iterator[dict[str, str]]:
    with gzip.open(FOLDER / f"{name}.csv.gz") as file:
        yield from csv.DictReader(io.TextIOWrapper(file, encoding="utf-8", newline=""))


def _iso(month_day_year: str) -> str:
    """The source's M/D/YYYY as YYYY-MM-DD.

    >>> _iso("4/12/2016")
    '2016-04-12'
    """
    month, day, year = map(int, month_day_year.split("/"))
    return date(year, month, day).isoformat()
