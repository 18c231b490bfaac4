"""MyFitnessPal's nutrition export (Nutrition-Summary-….csv, or the zip with it): one row a day and meal.

* It has days and names of meals, no hours unless a column `Time` has them: breakfast is written at 08:00, lunch at
  12:00, snacks at 15:00, dinner at 18:00, anything else at 12:00.
* Rows of one day and meal are one meal with an item each: exports that list foods come out as meals too.
* A row that adds others up (`Totals`, `Daily Total`) is skipped, so that nothing counts twice. Without a column `Meal`
  each row is a whole day, and becomes one meal of type `day`.
* Weight, exercise and the other files of the zip are not read: this is its nutrition export.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from producers.imports.localtime import local_time
from producers.imports.outcome import Bad, Draft, Options, Outcome, Skipped
from producers.imports.quantities import KCAL, number, plain
from producers.imports.table import Row, Table
from schemas.instants import parse_day

REQUIRED = ("date", "calories")
SOURCE = "myfitnesspal/csv"
HOURS = {"breakfast": "08:00", "lunch": "12:00", "snack": "15:00", "dinner": "18:00"}
COLUMNS = {
    "energy_kcal": ("calories", "energy"),
    "protein_g": ("protein",),
    "carbs_g": ("carbohydrates", "carbs"),
    "fat_g": ("fat",),
    "fibre_g": ("fiber", "fibre", "dietary fiber"),
}
"""Field of an item → columns that may hold it, without their units."""
_TOTALS = ("total", "totals", "daily total", "daily totals")


def members(found: list[zipfile.ZipInfo]) -> list[zipfile.ZipInfo]:
    """The nutrition file of an export's zip."""
    return [m for m in found if "nutrition" in m.filename.lower() and m.filename.lower().endswith(".csv")]


@dataclass(slots=True)
class _Meal:
    place: str
    day: str
    name: str
    clock: str
    items: list[dict[str, Any]] = field(default_factory=list)


def read(stream: BinaryIO, name: str, options: Options) -> Iterator[Outcome]:
    """Meals in the order of the file. Raises ImportProblem where it is no nutrition export."""
    table = Table(stream, name, "MyFitnessPal nutrition export", REQUIRED)
    zone_name = options.local_zone(name)
    meals: dict[tuple[str, str], _Meal] = {}
    for row in table.rows():
        if isinstance(row, Bad):
            yield row
            continue
        cell = row.cells
        if not any(cell.values()):
            yield Skipped("blank rows")
        elif cell["date"].lower() in _TOTALS or cell.get("meal", "").lower() in _TOTALS:
            yield Skipped("totals of other rows")
        else:
            try:
                meal = _meal(row, zone_name)
                item = _item(row, table)
            except ValueError as why:
                yield Bad(row.place, str(why))
            else:
                meals.setdefault((meal.day, meal.name), meal).items.append(item)
    for meal in meals.values():
        time = local_time(f"{meal.day} {meal.clock}", zone_name)
        data = {"meal_type": meal.name, "items": meal.items}
        yield Draft(meal.place, "meal.logged", time, SOURCE, (meal.day, meal.name), data, len(meal.items))


def _meal(row: Row, zone_name: str) -> _Meal:
    day = parse_day(row.cells["date"]).isoformat()
    name = row.cells["meal"].lower() if "meal" in row.cells else "day"
    if not name:
        raise ValueError("Expected the name of a meal, got nothing")
    name = "snack" if name in ("snacks", "snack") else name
    clock = row.cells.get("time") or HOURS.get(name, "12:00")
    local_time(f"{day} {clock}", zone_name)  # a clock that cannot be read makes this row bad, no other
    return _Meal(row.place, day, name, clock)


def _item(row: Row, table: Table) -> dict[str, Any]:
    cell = row.cells
    item: dict[str, Any] = {"name": (cell.get("food") or cell.get("meal") or "day")[:200]}
    for quantity, columns in COLUMNS.items():
        for column in columns:
            if (value := number(cell.get(column, ""), grouped=True)) is not None:
                if value < 0:
                    raise ValueError(f"Expected {column} of at least 0, got {value}")
                in_kilojoules = quantity == "energy_kcal" and table.units.get(column) == "kj"
                item[quantity] = plain(value * KCAL["kJ"] if in_kilojoules else value)
                break
    return item
