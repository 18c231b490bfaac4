"""The Strong app's CSV: one row a set, the sets of one workout sharing date and name.

What is in the wild and how it is read: the older export (commas, `Duration` in words, no units) and the newer one
(semicolons, `Workout #`, `Duration (sec)`, `Weight (kg)`, decimal commas), and one between with a column `Weight Unit`.

* A load's unit is the row's, else the column's, else --unit; without any the import is refused, not guessed.
* A distance's likewise; where the file names none it is km beside kg and miles beside lb.
* `W` in Set Order is a warm-up: it counts neither for volume nor for records, unless --warm-ups asks for it. `D` (drop
  set) and `F` (to failure) count. `Rest Timer` and `Note` rows are no sets.
* Zeros stand for what a set does not have: repetitions of a plank, the distance of a squat. 0 kg with repetitions is
  body weight, and stays 0 kg.
* Strong rates sets, Daybook workouts: a workout's RPE is the mean of its rated sets.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, BinaryIO

from producers.imports.localtime import local_time
from producers.imports.outcome import Bad, Draft, ImportProblem, Options, Outcome, Skipped, Warned
from producers.imports.quantities import KG, METRES, measured, number, plain, seconds
from producers.imports.table import Row, Table

REQUIRED = ("date", "workout name", "exercise name", "set order")
SOURCE = "strong/csv"
_NO_SETS = {"rest timer": "rest timers", "note": "notes"}
_KNOWN_ORDERS = ("w", "d", "f")
_DURATIONS = ("duration", "workout duration")


@dataclass(slots=True)
class _Workout:
    place: str
    time: str
    date: str
    name: str
    duration_s: int | None = None
    sets: list[dict[str, Any]] = field(default_factory=list)
    rpes: list[Decimal] = field(default_factory=list)
    rows: int = 0


def read(stream: BinaryIO, name: str, options: Options) -> Iterator[Outcome]:
    """Workouts in the order of the file. Raises ImportProblem where it is no Strong export or lacks its units."""
    table = Table(stream, name, "Strong export", REQUIRED)
    zone_name, weight_unit = options.local_zone(name), _weight_unit(table, name, options)
    workouts: dict[tuple[str, str], _Workout] = {}
    for row in table.rows():
        if isinstance(row, Bad):
            yield row
            continue
        cell = row.cells
        order = cell["set order"].lower()
        if not any(cell.values()):
            yield Skipped("blank rows")
            continue
        if order in _NO_SETS:
            yield Skipped(_NO_SETS[order])
            continue
        try:
            key = (cell["date"], cell["workout name"])
            workout = workouts.get(key)
            if workout is None:
                time = local_time(cell["date"], zone_name)
                workout = _Workout(row.place, time, *key)
            one = _set(row, table, weight_unit)
        except ValueError as why:
            yield Bad(row.place, str(why))
            continue
        workouts[key] = workout
        yield from _add(workout, row, table, one, order == "w" and not options.warm_ups)
    yield from map(_draft, workouts.values())


def _weight_unit(table: Table, name: str, options: Options) -> str:
    """Of rows that name none; empty where every row must."""
    named = table.units.get("weight", "")
    if named and named not in KG:
        raise ImportProblem(f"{name}: column weight is in {named!r}: expected kg or lb")
    if not named and not options.unit and "weight" in table.columns and "weight unit" not in table.columns:
        raise ImportProblem(f"{name}: column weight names no unit: say --unit kg or --unit lb")
    return named or options.unit or ""


def _set(row: Row, table: Table, weight_unit: str) -> dict[str, Any]:
    """One set, without what it does not have. Raises ValueError for a cell that cannot be read."""
    cell = row.cells
    order = cell["set order"]
    if not (order.isdecimal() or order.lower() in _KNOWN_ORDERS):
        raise ValueError(f"Expected a set order such as 1, W, D, F or Rest Timer, got {order[:40]!r}")
    if not cell["exercise name"]:
        raise ValueError("Expected an exercise name, got nothing")
    weight_in = cell.get("weight unit") or weight_unit
    miles = KG.get(weight_in) == KG["lb"]
    distance_in = cell.get("distance unit") or table.units.get("distance") or ("mi" if miles else "km")
    one: dict[str, Any] = {"exercise": cell["exercise name"][:200]}
    if reps := number(cell.get("reps", "")):
        if reps != int(reps):
            raise ValueError(f"Expected whole repetitions, got {cell['reps']!r}")
        one["reps"] = int(reps)
    load = number(cell.get("weight", ""))
    if load or (load is not None and reps):
        one["load_kg"] = plain(measured(cell["weight"], weight_in, KG) if load else Decimal(0))
    if time := number(cell.get("seconds", "")):
        one["seconds"] = plain(time)
    if number(cell.get("distance", "")):
        one["distance_m"] = plain(measured(cell["distance"], distance_in, METRES))
    for quantity, value in one.items():
        if quantity != "exercise" and value < 0:
            raise ValueError(f"Expected {quantity} of at least 0, got {value}")
    return one


def _add(workout: _Workout, row: Row, table: Table, one: dict[str, Any], left_out: bool) -> Iterator[Outcome]:
    cell = row.cells
    if workout.duration_s is None:
        try:
            workout.duration_s = _duration(cell, table)
        except ValueError as why:
            yield Warned(row.place, f"no duration: {why}")
    if left_out:
        yield Skipped("warm-up sets")
        return
    workout.rows += 1
    workout.sets.append(one)
    try:
        rpe = number(cell.get("rpe", ""))
        if rpe is not None and not 1 <= rpe <= 10:
            raise ValueError(f"Expected an RPE from 1 to 10, got {rpe}")
        workout.rpes += [rpe] if rpe is not None else []
    except ValueError as why:
        yield Warned(row.place, f"no RPE: {why}")


def _duration(cell: dict[str, str], table: Table) -> int | None:
    """Of the whole workout, in s; every row of a workout repeats it."""
    for column in _DURATIONS:
        if text := cell.get(column, ""):
            if table.units.get(column, "").startswith("sec") or text.isdecimal():
                value = number(text)
                return None if value is None else round(value)
            return seconds(text)
    return None


def _draft(workout: _Workout) -> Draft:
    data: dict[str, Any] = {"kind": "strength" if _lifts(workout) else "cardio", "sets": workout.sets}
    if workout.duration_s is not None:
        data["duration_s"] = workout.duration_s
    if workout.rpes:
        data["rpe"] = plain(statistics.mean(workout.rpes), 2)
    key = (workout.date, workout.name)
    return Draft(workout.place, "workout.completed", workout.time, SOURCE, key, data, workout.rows)


def _lifts(workout: _Workout) -> bool:
    return not workout.sets or any("reps" in one for one in workout.sets)
