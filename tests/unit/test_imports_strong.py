"""Strong's CSV: every set once, in the right unit, whatever dialect it is written in."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from importing import Imported, imported, sample

from producers.imports.outcome import ImportProblem
from producers.truth import daily_rows

HEAD = "Date,Workout Name,Duration,Exercise Name,Set Order,Weight,Reps,Distance,Seconds,Notes,Workout Notes,RPE\n"


def strong(text: str, **options: Any) -> Imported:
    chosen = {"timezone": "Europe/Berlin", "unit": "kg"} | options
    return imported("strong", text.encode(), **chosen)


def sets(found: Imported) -> list[dict[str, Any]]:
    return [one for event in found.events for one in event["data"]["sets"]]


def test_the_sample_comes_to_its_facts() -> None:
    found = imported("strong", sample("strong.csv"), timezone="Europe/Berlin", unit="kg")
    days = daily_rows(found.raw)
    upper, run, legs = (days["u_1", f"2026-03-0{day}"] for day in (2, 3, 5))
    assert (upper["volume_kg"], upper["workout_minutes"]) == (80 * 5 + 82.5 * 5, 65)
    assert (run["volume_kg"], run["workout_minutes"]) == (None, 31)
    assert (legs["volume_kg"], legs["workout_minutes"]) == (900, None)
    assert legs["workouts_completed"] == 1
    assert found.tally.skipped == {"rest timers": 1, "notes": 1, "warm-up sets": 1}
    assert (found.tally.read, found.tally.used, found.tally.bad, found.tally.warnings) == (11, 7, 1, 1)
    assert [event["time"] for event in found.events] == [
        "2026-03-02T18:05:12+01:00",
        "2026-03-03T06:58:00+01:00",
        "2026-03-05T17:30:00+01:00",
    ]
    assert [event["data"].get("rpe") for event in found.events] == [8, None, 9]
    assert [event["data"]["kind"] for event in found.events] == ["strength", "cardio", "strength"]
    assert found.events[1]["data"]["sets"] == [{"exercise": "Running", "distance_m": 5200, "seconds": 1840}]


def test_a_bad_row_is_named_by_file_and_line_and_57_hours_are_warned_of() -> None:
    found = imported("strong", sample("strong.csv"), name="mine.csv", timezone="Europe/Berlin", unit="kg")
    assert found.told == [
        "mine.csv: line 12: bad: Expected a number, got 'five'",
        "mine.csv: line 11: warning: $.data.duration_s 205380 counts as missing: more than 86400 is implausible",
    ]
    assert found.events[2]["data"]["duration_s"] == 205_380


def test_the_newer_dialect_has_semicolons_decimal_commas_and_its_own_units() -> None:
    found = imported("strong", sample("strong_semicolons.csv"), timezone="Europe/Berlin")
    (event,) = found.events
    assert event["data"]["duration_s"] == 3600
    assert event["data"]["sets"] == [
        {"exercise": "Deadlift (Barbell)", "reps": 5, "load_kg": 102.058},  # 225 lb
        {"exercise": "Deadlift (Barbell)", "reps": 8, "load_kg": 84.141},  # 185.5 lb
        {"exercise": "Rowing (Machine)", "seconds": 480, "distance_m": 2000},
    ]


def test_warm_ups_count_where_they_are_asked_for() -> None:
    found = imported("strong", sample("strong.csv"), timezone="Europe/Berlin", unit="kg", warm_ups=True)
    assert daily_rows(found.raw)["u_1", "2026-03-02"]["volume_kg"] == 40 * 10 + 80 * 5 + 82.5 * 5
    assert "warm-up sets" not in found.tally.skipped


def test_a_workout_of_nothing_but_warm_ups_is_still_a_workout() -> None:
    found = strong(HEAD + "2026-03-02 18:00:00,A,10m,Squat,W,20,5,0,0,,,\n")
    assert found.events[0]["data"] == {"kind": "strength", "duration_s": 600, "sets": []}


@pytest.mark.parametrize(
    ("written", "time"),
    [
        ("2026-03-29 02:30:00", "2026-03-29T02:30:00+01:00"),  # left out by the clocks of that night
        ("2025-10-26 02:30:00", "2025-10-26T02:30:00+02:00"),  # came twice
        ("2026-07-05 07:30", "2026-07-05T07:30:00+02:00"),
        ("2026-07-05 7:30:00\N{NARROW NO-BREAK SPACE}PM", "2026-07-05T19:30:00+02:00"),
        ("2026-07-05 12:00:00 AM", "2026-07-05T00:00:00+02:00"),
    ],
)
def test_local_times_get_the_offset_of_their_moment(written: str, time: str) -> None:
    assert strong(HEAD + f"{written},A,10m,Squat,1,20,5,0,0,,,\n").events[0]["time"] == time


@pytest.mark.parametrize(
    "row",
    [
        "someday,A,10m,Squat,1,20,5,0,0,,,",
        "2026-02-30 10:00:00,A,10m,Squat,1,20,5,0,0,,,",
        "2026-03-02 10:00:00,A,10m,,1,20,5,0,0,,,",
        "2026-03-02 10:00:00,A,10m,Squat,X,20,5,0,0,,,",
        "2026-03-02 10:00:00,A,10m,Squat,1,-20,5,0,0,,,",
        "2026-03-02 10:00:00,A,10m,Squat,1,20,4.5,0,0,,,",
        "2026-03-02 10:00:00,A,10m,Squat,1,20,5,0,0,,,8,and more",
    ],
)
def test_a_bad_row_stops_no_other(row: str) -> None:
    good = "2026-03-02 10:00:00,A,10m,Squat,1,20,5,0,0,,,\n"
    found = strong(HEAD + row + "\n" + good)
    assert sets(found) == [{"exercise": "Squat", "reps": 5, "load_kg": 20}]
    assert found.tally.bad == 1
    assert found.told[0].startswith("export: line 2: bad: Expected")


def test_a_quote_that_never_closes_costs_its_row_and_no_other() -> None:
    rows = [f"2026-03-02 10:00:00,A,10m,Squat,{n},20,5,0,0,,,\n" for n in range(1, 301)]
    rows[4] = '2026-03-02 10:00:00,A,10m,Squat,5,20,5,0,0,"so good,,\n'
    found = strong(HEAD + "".join(rows))
    assert len(sets(found)) == 299
    assert found.told == ["export: line 6: bad: a quote opens here and does not close"]
    assert len(sets(strong(HEAD + "".join(rows[:8])))) == 7, "also near the end of the file"


def test_fields_out_of_range_are_left_out_with_a_warning_and_their_row_counts() -> None:
    row = "2026-03-02 10:00:00,A,9999h,Squat,1,200000,5,0,0,,,11\n2026-03-02 10:00:00,A,,Squat,2,100,5,0,0,,,9\n"
    found = strong(HEAD + row)
    assert found.events[0]["data"]["sets"] == [
        {"exercise": "Squat", "reps": 5},
        {"exercise": "Squat", "reps": 5, "load_kg": 100},
    ]
    assert "duration_s" not in found.events[0]["data"]
    assert found.events[0]["data"]["rpe"] == 9
    assert (found.tally.bad, found.tally.warnings, found.tally.used) == (0, 3, 2)
    assert any("$.data.sets[0].load_kg 200000 is left out" in line for line in found.told)


def test_without_a_zone_or_a_unit_nothing_is_guessed() -> None:
    with pytest.raises(ImportProblem, match="--timezone"):
        strong(HEAD, timezone=None)
    with pytest.raises(ImportProblem, match="--unit kg or --unit lb"):
        strong(HEAD, unit=None)
    with pytest.raises(ImportProblem, match="'Europe/Nowhere' is none"):
        strong(HEAD, timezone="Europe/Nowhere")
    with pytest.raises(ImportProblem, match="is no Strong export: no column workout name, exercise name, set order"):
        strong("Date,Meal,Calories\n")
    with pytest.raises(ImportProblem, match="is no Strong export"):
        strong("")


WEIGHTS = st.integers(0, 4000).map(lambda tenths: tenths / 10)
ROWS = st.lists(
    st.tuples(
        st.integers(1, 5),
        st.sampled_from(["Squat", 'Press, "strict"', "Row;s", "Dead\nlift"]),
        WEIGHTS,
        st.integers(1, 30),
        st.sampled_from(["1", "2", "D", "F", "W", "Rest Timer", "Note"]),
    ),
    min_size=1,
    max_size=30,
)


def written(rows: list[tuple[int, str, float, int, str]], dialect: str) -> str:
    """The same rows, as the older app or the newer one writes them."""
    out = io.StringIO()
    if dialect == "older":
        out.write(HEAD)
        lines = csv.writer(out, lineterminator="\r\n")
        for day, exercise, weight, reps, order in rows:
            lines.writerow([f"2026-03-0{day} 10:00:00", "A", "1h", exercise, order, weight, reps, 0, 0, "", "", ""])
    else:
        columns = "Workout #,Date,Workout Name,Duration (sec),Exercise Name,Set Order,Weight (kg),Reps,RPE,Seconds"
        lines = csv.writer(out, delimiter=";", quoting=csv.QUOTE_ALL, lineterminator="\n")
        lines.writerow(columns.split(","))
        for day, exercise, weight, reps, order in rows:
            decimal_comma = str(weight).replace(".", ",")
            lines.writerow([day, f"2026-03-0{day} 10:00:00", "A", 3600, exercise, order, decimal_comma, reps, "", ""])
    return out.getvalue()


@given(ROWS, st.sampled_from(["older", "newer"]))
def test_volume_is_the_sum_over_sets_that_are_no_warm_ups_in_either_dialect(
    rows: list[tuple[int, str, float, int, str]], dialect: str
) -> None:
    found = strong(written(rows, dialect))
    expected: dict[str, float] = {}
    for day, _, weight, reps, order in rows:
        if order in ("1", "2", "D", "F"):
            expected[f"2026-03-0{day}"] = expected.get(f"2026-03-0{day}", 0) + weight * reps
    days = daily_rows(found.raw)
    volumes = {day: row["volume_kg"] for (_, day), row in days.items() if row["volume_kg"] is not None}
    assert volumes == pytest.approx(expected)
    assert found.tally.read == len(rows)
    assert (found.tally.bad, found.tally.warnings) == (0, 0)


@given(ROWS)
def test_both_dialects_say_the_same(rows: list[tuple[int, str, float, int, str]]) -> None:
    assert strong(written(rows, "older")).raw == strong(written(rows, "newer")).raw


@given(ROWS)
def test_pounds_are_pounds(rows: list[tuple[int, str, float, int, str]]) -> None:
    loads = [one.get("load_kg") for one in sets(strong(written(rows, "older"), unit="lb"))]
    expected = [row[2] * 0.45359237 for row in rows if row[4] in ("1", "2", "D", "F")]
    assert sorted(loads) == pytest.approx(sorted(expected), abs=0.0005)
