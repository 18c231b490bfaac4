"""MyFitnessPal's nutrition export: days come to the totals that it writes itself, and no total counts twice."""

from __future__ import annotations

import zipfile
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from importing import Imported, imported, sample

from producers.imports.outcome import ImportProblem
from producers.truth import daily_rows

HEAD = "Date,Meal,Calories,Fat (g),Carbohydrates (g),Fiber,Protein (g),Note\n"


def diary(text: str, **options: Any) -> Imported:
    return imported("myfitnesspal", text.encode(), **({"timezone": "Europe/Berlin"} | options))


def test_the_sample_comes_to_the_daily_total_that_it_has_itself() -> None:
    found = imported("myfitnesspal", sample("myfitnesspal.csv"), timezone="America/New_York")
    day = daily_rows(found.raw)["u_1", "2026-03-02"]
    assert {
        name: day[name] for name in ("energy_kcal", "protein_g", "carbs_g", "fat_g", "fibre_g", "meals_logged")
    } == {
        "energy_kcal": 2297.5,
        "protein_g": 114.6,
        "carbs_g": 274.4,
        "fat_g": 79.7,
        "fibre_g": 30,
        "meals_logged": 4,
    }
    assert found.told == ["export: line 8: bad: Expected a number, got 'many'"]
    assert daily_rows(found.raw)["u_1", "2026-03-03"]["energy_kcal"] == 398 + 720.25
    assert (found.tally.read, found.tally.used, found.tally.skipped) == (8, 6, {"totals of other rows": 1})
    assert found.events[0]["time"] == "2026-03-02T08:00:00-05:00"


def test_foods_of_one_meal_are_items_of_one_meal() -> None:
    text = "Date,Meal,Food,Time,Calories,Protein\n2026-03-02,Lunch,Soup,1:10 PM,200,10\n2026-03-02,Lunch,Bread,,150,5\n"
    (event,) = diary(text).events
    assert event["time"] == "2026-03-02T13:10:00+01:00"
    assert event["data"] == {
        "meal_type": "lunch",
        "items": [
            {"name": "Soup", "energy_kcal": 200, "protein_g": 10},
            {"name": "Bread", "energy_kcal": 150, "protein_g": 5},
        ],
    }


def test_without_meals_each_row_is_a_day() -> None:
    found = diary("Date,Energy (kJ),Calories\n2026-03-02,,1800\n2026-03-03,8368,\n")
    assert [event["data"]["meal_type"] for event in found.events] == ["day", "day"]
    assert [event["data"]["items"][0]["energy_kcal"] for event in found.events] == [1800, 2000]


def test_what_is_blank_is_missing_and_not_zero() -> None:
    (event,) = diary(HEAD + "2026-03-02,Lunch,300,,,,0,\n").events
    assert event["data"]["items"] == [{"name": "Lunch", "energy_kcal": 300, "protein_g": 0}]


def test_the_nutrition_file_of_an_exports_zip_is_found() -> None:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(zipfile.ZipInfo("Exercise-Summary.csv", (2026, 3, 4, 12, 0, 0)), "Date,Exercise\n")
        archive.writestr(zipfile.ZipInfo("Nutrition-Summary.csv", (2026, 3, 4, 12, 0, 0)), sample("myfitnesspal.csv"))
    found = imported("myfitnesspal", packed.getvalue(), name="x.zip", timezone="Europe/Berlin")
    assert found.tally.made == {"meal.logged": 6}
    assert found.told[0].startswith("x.zip:Nutrition-Summary.csv: line 8: bad:")
    later = imported("myfitnesspal", packed.getvalue(), name="x.zip", changed_s=1_780_000_000, timezone="Europe/Berlin")
    assert later.raw == found.raw, "a copy of a zip is the same export"


@pytest.mark.parametrize("row", ["3/2/2026,Lunch,300", "2026-03-02,,300", "2026-03-02,Lunch,-1", "2026-03-02,Lunch,1e"])
def test_a_bad_row_stops_no_other(row: str) -> None:
    found = diary(HEAD + row + "\n2026-03-02,Dinner,500\n")
    assert [event["data"]["meal_type"] for event in found.events] == ["dinner"]
    assert found.tally.bad == 1
    assert found.told[0].startswith("export: line 2: bad: Expected")


def test_other_files_are_refused_in_one_line() -> None:
    with pytest.raises(ImportProblem, match="is no MyFitnessPal nutrition export: no column calories"):
        diary("Date,Exercise\n")
    with pytest.raises(ImportProblem, match="--timezone"):
        diary(HEAD, timezone=None)


KCAL = st.integers(0, 30_000).map(lambda tenths: tenths / 10)


@given(st.lists(st.tuples(st.integers(1, 9), st.sampled_from(["Breakfast", "Lunch", "Tea time"]), KCAL), max_size=40))
def test_the_energy_of_a_day_is_the_sum_of_its_rows(rows: list[tuple[int, str, float]]) -> None:
    found = diary(HEAD + "".join(f'2026-03-0{day},{meal},"{kcal:,}"\n' for day, meal, kcal in rows))
    expected: dict[tuple[str, str], float] = {}
    for day, _, kcal in rows:
        expected["u_1", f"2026-03-0{day}"] = expected.get(("u_1", f"2026-03-0{day}"), 0) + kcal
    assert {key: row["energy_kcal"] for key, row in daily_rows(found.raw).items()} == pytest.approx(expected)
    assert (found.tally.used, found.tally.bad) == (len(rows), 0)
