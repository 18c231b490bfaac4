"""Apple Health: every piece counts once, on the day of its own clock, however the file is cut, spoiled or repeated."""

from __future__ import annotations

import zipfile
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from importing import Imported, imported, sample

from bench.imports.export import write
from producers.imports import apple_xml
from producers.imports.outcome import ImportProblem
from producers.truth import daily_rows

HEAD = '<?xml version="1.0"?>\n<!DOCTYPE HealthData [\n<!ELEMENT broken\n]>\n<HealthData locale="en_GB">\n'
EXPORTED = ' <ExportDate value="2026-03-10 09:30:00 +0100"/>\n'


def health(*lines: str, exported: str = EXPORTED, **options: Any) -> Imported:
    text = HEAD + exported + "".join(f" {line}\n" for line in lines) + "</HealthData>\n"
    return imported("apple-health", text.encode(), **options)


def record(kind: str, begin: str, end: str | None = None, *, unit: str = "count", value: object = 1, by: str = "Phone",
           inside: str = "") -> str:  # fmt: skip
    full = kind if kind.startswith("HK") else f"HKQuantityTypeIdentifier{kind}"
    return (
        f'<Record type="{full}" sourceName="{by}" sourceVersion="1.0" unit="{unit}" startDate="{begin}" '
        f'endDate="{end or begin}" value="{value}">{inside}</Record>'
    )


def test_the_sample_comes_to_its_facts() -> None:
    found = imported("apple-health", sample("apple_health.xml"))
    second, third, fifth = (daily_rows(found.raw)["u_1", f"2026-03-0{day}"] for day in (2, 3, 5))
    assert second["steps"] == 980 + 77  # the watch's: the phone's 1,365 lie in the same quarter of an hour
    assert second["distance_m"] == 804.672  # half a mile
    assert (second["activity_calories_kcal"], second["active_minutes"]) == (50, 1)  # 209.2 kJ
    assert second["water_ml"] == 723  # 16 US fluid ounces and 250 ml
    assert (second["energy_kcal"], second["protein_g"], second["meals_logged"]) == (620, 27.5, 1)
    assert (second["weight_kg"], second["body_fat_pct"]) == (75.07, 21.5)  # 165.5 lb; a share of 0.215
    assert third["sleep_minutes"] == 120 + 310
    assert (third["workout_minutes"], third["workout_calories_kcal"]) == (31.5, 310.25)
    assert (fifth["workouts_completed"], fifth["workout_minutes"]) == (1, None)
    assert fifth["workout_calories_kcal"] == 500  # 2092 kJ
    assert second["sources"] == ["Bottle", "Food diary", "Phone", "Scale", "Watch"]
    assert (found.tally.read, found.tally.used, found.tally.bad, found.tally.warnings) == (27, 22, 2, 1)
    assert found.told == [
        "export: line 23: bad: StepCount: Expected a number, got 'lots'",
        "export: line 52: warning: $.data.duration_s 205200 counts as missing: more than 86400 is implausible",
        "export: line 53: bad: not well-formed XML: not well-formed (invalid token)",
    ]
    assert {event["revision"] for event in found.events} == {29_552_190}


def test_where_it_was_beats_where_the_export_was_made() -> None:
    found = imported("apple-health", sample("apple_health.xml"))
    (run,) = [event for event in found.of("workout.completed") if event["data"]["kind"] == "run"]
    assert run["time"] == "2026-03-03T11:43:00+05:45"
    assert run["data"]["sets"] == [{"exercise": "run", "distance_m": 5200, "seconds": 1890}]
    (weight,) = health(record("BodyMass", "2026-07-05 23:30:00 +0100", unit="kg"), timezone="Asia/Kathmandu").events
    assert weight["time"] == "2026-07-06T04:15:00+05:45"


def test_a_later_export_from_another_zone_names_the_same_entities_and_wins() -> None:
    first = health(
        record("StepCount", "2026-03-02 08:20:00 +0100", "2026-03-02 08:25:00 +0100", value=5),
        record("BodyMass", "2026-03-02 07:00:00 +0100", unit="kg", value=75),
    )
    later = health(
        record("StepCount", "2026-03-02 12:50:00 +0530", "2026-03-02 12:55:00 +0530", value=7),
        record("BodyMass", "2026-03-02 11:30:00 +0530", unit="kg", value=74),
        exported=' <ExportDate value="2026-03-11 09:30:00 +0530"/>\n',
    )
    assert [event["entity"] for event in first.events] == [event["entity"] for event in later.events]
    for order in (first.raw + later.raw, later.raw + first.raw):
        row = daily_rows(order)["u_1", "2026-03-02"]
        assert (row["steps"], row["weight_kg"]) == (7, 74)


def test_a_new_version_of_an_app_within_a_quarter_of_an_hour_loses_nothing() -> None:
    lines = [record("StepCount", f"2026-03-02 08:0{n}:00 +0100", value=10) for n in range(4)]
    lines[2] = lines[2].replace('sourceVersion="1.0"', 'sourceVersion="2.0"')
    (event,) = health(*lines).events
    assert (event["data"], event["source"]) == ({"duration_s": 900, "steps": 40}, "Phone/1.0")


def test_what_is_longer_than_an_hour_stays_as_it_is() -> None:
    (event,) = health(record("StepCount", "2026-03-02 00:00:00 +0100", "2026-03-03 00:00:00 +0100", value=9000)).events
    assert event["data"] == {"duration_s": 86_400, "steps": 9000}


def test_stages_of_sleep_count_each_minute_once_and_are_cut_by_an_hour_without_any() -> None:
    def stage(begin: str, end: str, value: str) -> str:
        kind = "HKCategoryTypeIdentifierSleepAnalysis"
        begin, end = f"2026-03-02 {begin}:00 +0100", f"2026-03-02 {end}:00 +0100"
        return record(kind, begin, end, value=f"HKCategoryValueSleepAnalysis{value}")

    found = health(
        stage("00:00", "07:00", "InBed"),
        stage("00:30", "03:00", "AsleepCore"),
        stage("02:00", "06:00", "AsleepUnspecified"),
        stage("14:00", "14:40", "Asleep"),
    )
    assert [(event["time"][11:16], event["data"]) for event in found.of("sleep.recorded")] == [
        ("07:00", {"in_bed_s": 7 * 3600, "asleep_s": 19_800}),
        ("14:40", {"in_bed_s": 2400, "asleep_s": 2400}),
    ]


@pytest.mark.parametrize(
    ("kind", "unit", "value", "field", "expected"),
    [
        ("BodyMass", "lb", "165.5", "weight_kg", 75.07),
        ("BodyMass", "st", "11.8", "weight_kg", 74.933),
        ("BodyMass", "g", "75000", "weight_kg", 75),
        ("WaistCircumference", "in", "32", "waist_cm", 81.28),
        ("DietaryWater", "L", "0.33", "ml", 330),
        ("DietaryWater", "cup_us", "1", "ml", 236.588),
        ("DistanceWalkingRunning", "ft", "1000", "distance_m", 304.8),
        ("ActiveEnergyBurned", "Cal", "12.5", "calories_kcal", 12.5),
    ],
)
def test_units_are_read_as_the_attribute_says(kind: str, unit: str, value: str, field: str, expected: float) -> None:
    (event,) = health(record(kind, "2026-03-02 08:00:00 +0100", unit=unit, value=value)).events
    assert event["data"][field] == expected


@pytest.mark.parametrize(
    "line",
    [
        record("BodyMass", "2026-03-02 08:00:00 +0100", unit="stone"),
        record("BodyMass", "2026-03-02 08:00:00 +0100", unit="kg", value=-1),
        record("BodyMass", "2026-03-02 25:00:00 +0100", unit="kg"),
        record("BodyMass", "2026-03-02", unit="kg"),
        record("StepCount", "2026-03-02 08:00:00 +0100", "2026-03-02 07:00:00 +0100"),
        record("HKCategoryTypeIdentifierSleepAnalysis", "2026-03-02 08:00:00 +0100", value="Dozing"),
        '<Record type="HKQuantityTypeIdentifierBodyMass"/>',
        "<Workout/>",
        "<Record & more/>",
        "<Record><open></Record>",
        '<Workout workoutActivityType="HKWorkoutActivityTypeYoga"><WorkoutEvent></Workout>',
    ],
)
def test_a_bad_element_is_named_by_its_line_and_stops_no_other(line: str) -> None:
    good = record("BodyMass", "2026-03-02 08:00:00 +0100", unit="kg", value=75)
    found = health(good.replace("08:00", "07:00"), line, good)
    assert len(found.events) == 2
    assert (found.tally.used, found.tally.bad) == (2, 1)
    assert found.told[0].startswith("export: line 8: bad: ")


def test_a_file_that_breaks_off_says_so_and_keeps_what_came_before() -> None:
    whole = sample("apple_health.xml")
    found = imported("apple-health", whole[: whole.index(b'sourceName="Bottle"')])
    assert found.told[-1] == "export: line 27: bad: the file breaks off here"
    assert found.tally.made["activity.recorded"] == 3


def test_characters_that_xml_forbids_are_dropped() -> None:
    line = record("BodyMass", "2026-03-02 08:00:00 +0100", unit="kg", by="Sca\x0ble")
    assert health(line).events[0]["source"] == "Scale/1.0"


def test_twelve_hour_clocks_are_read() -> None:
    (event,) = health(record("BodyMass", "2026-03-02 7:10:00\N{NARROW NO-BREAK SPACE}PM +0100", unit="kg")).events
    assert event["time"] == "2026-03-02T19:10:00+01:00"


def test_the_records_of_an_exports_zip_are_found_whatever_their_name() -> None:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("apple_health_export/export_cda.xml", b"x" * 100_000)
        archive.writestr("apple_health_export/workout-routes/route.gpx", b"x")
        archive.writestr("apple_health_export/Exportieren.xml", sample("apple_health.xml"))
    found = imported("apple-health", packed.getvalue(), name="export.zip")
    assert found.raw == imported("apple-health", sample("apple_health.xml")).raw


@pytest.mark.parametrize("text", ["", "<x/>", "Date,Meal\n", "<!DOCTYPE HealthData [\n]>\n<Health/>"])
def test_other_files_are_refused_in_one_line(text: str) -> None:
    with pytest.raises(ImportProblem, match="is no Apple Health export"):
        imported("apple-health", text.encode())


def test_entities_cannot_be_defined() -> None:
    bomb = '<!DOCTYPE HealthData [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;">]>\n<HealthData>\n'
    line = record("BodyMass", "2026-03-02 08:00:00 +0100", unit="kg", by="&b;")
    found = imported("apple-health", f"{bomb} {line}\n</HealthData>".encode())
    assert found.events == []
    assert found.told == ["export: line 3: bad: not well-formed XML: undefined entity"]


@pytest.mark.parametrize("chunk", [1, 7, 300])
def test_it_does_not_matter_how_the_file_is_cut_into_chunks(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = imported("apple-health", sample("apple_health.xml"))
    monkeypatch.setattr(apple_xml, "CHUNK", chunk)
    cut = imported("apple-health", sample("apple_health.xml"))
    assert (cut.raw, cut.tally) == (whole.raw, whole.tally)
    assert [line.partition("bad: ")[0] for line in cut.told] == [line.partition("bad: ")[0] for line in whole.told]


@given(st.binary(max_size=40), st.integers(0, 9_000))
def test_whatever_is_spoiled_the_rest_is_read_and_nothing_raises(spoil: bytes, at: int) -> None:
    whole = sample("apple_health.xml")
    body = whole.index(b" <Me ")
    at = min(max(at, body), len(whole))
    found = imported("apple-health", whole[:at] + spoil + whole[at + len(spoil) :])
    assert found.tally.made.total() >= 1


START = datetime(2026, 3, 1, tzinfo=UTC)
PIECES = st.lists(
    st.tuples(
        st.integers(0, 3 * 86_400),
        st.integers(0, 3_600),
        st.integers(0, 5_000),
        st.just("Phone"),  # of several sources the stronger one counts: tests/unit/test_overlap*.py
        st.sampled_from([-570, -300, 0, 60, 345, 525]),
    ),
    max_size=60,
)


@given(PIECES)
def test_steps_of_a_day_are_the_sum_of_the_pieces_that_began_on_it(
    pieces: list[tuple[int, int, int, str, int]],
) -> None:
    offset = pieces[0][4] if pieces else 0  # an export is written in one zone
    zone, days, lines = timezone(timedelta(minutes=offset)), Counter[str](), []
    for second, length, steps, by, _ in pieces:
        begin = (START + timedelta(seconds=second)).astimezone(zone)
        days[f"{begin:%Y-%m-%d}"] += steps
        end = begin + timedelta(seconds=length)
        lines.append(
            record("StepCount", f"{begin:%Y-%m-%d %H:%M:%S %z}", f"{end:%Y-%m-%d %H:%M:%S %z}", value=steps, by=by)
        )
    found = health(*lines)
    rows = daily_rows(found.raw)
    assert {day: row["steps"] for (_, day), row in rows.items()} == days
    assert (found.tally.used, found.tally.bad) == (len(pieces), 0)
    assert health(*reversed(lines)).tally.made == found.tally.made


def test_a_generated_year_is_read_to_the_last_row(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("year") / "export.xml"
    rows = write(path, 2_000_000)
    found = imported("apple-health", path.read_bytes())
    assert (found.tally.read, found.tally.bad) == (rows, 0)
