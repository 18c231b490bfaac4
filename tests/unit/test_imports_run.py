"""What holds for every format: the same bytes twice, a corrected export wins, rows are conserved, nothing raises."""

from __future__ import annotations

import contextlib
import json
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from importing import CHANGED_S, SAMPLES, imported, sample

from producers.imports.outcome import ImportProblem
from producers.imports.run import FORMATS, find
from producers.truth import daily_rows
from schemas.codec import Rejected, decode

FILES = {
    "strong.csv": "strong",
    "strong_semicolons.csv": "strong",
    "myfitnesspal.csv": "myfitnesspal",
    "activity.fit": "fit",
    "monitoring.fit": "fit",
    "weight.fit": "fit",
    "sleep.fit": "fit",
    "apple_health.xml": "apple-health",
}
OPTIONS: dict[str, Any] = {"timezone": "Europe/Berlin", "unit": "kg"}


def test_every_sample_is_tested_and_every_format_has_one() -> None:
    assert {path.name for path in SAMPLES.iterdir()} == {*FILES, "README.md"}
    assert set(FILES.values()) == set(FORMATS)


@pytest.mark.parametrize("name", FILES)
def test_importing_twice_gives_the_same_bytes_with_ids_and_entities_of_their_own(name: str) -> None:
    once, again = (imported(FILES[name], sample(name), **OPTIONS) for _ in range(2))
    assert once == again
    assert len({event["id"] for event in once.events}) == len(once.raw)
    assert len({(event["type"], event["entity"]) for event in once.events}) == len(once.raw)
    assert not any(isinstance(decode(event), Rejected) for event in once.raw)


@pytest.mark.parametrize("name", FILES)
def test_a_file_twice_in_one_import_counts_once(name: str) -> None:
    once = imported(FILES[name], sample(name), **OPTIONS)
    twice = imported(FILES[name], sample(name), sample(name), **OPTIONS)
    assert daily_rows(twice.raw) == daily_rows(once.raw)
    assert twice.tally.warnings == 2 * once.tally.warnings, "nothing contradicts itself"


@pytest.mark.parametrize(("name", "form"), [(name, form) for name, form in FILES.items() if form != "apple-health"])
def test_the_revision_is_the_minute_of_the_files_last_change_or_what_the_user_says(name: str, form: str) -> None:
    if name == "monitoring.fit":
        return
    assert {event["revision"] for event in imported(form, sample(name), **OPTIONS).events} == {CHANGED_S // 60}
    assert {event["revision"] for event in imported(form, sample(name), revision=7, **OPTIONS).events} == {7}


def test_a_corrected_export_wins_in_whatever_order_they_come() -> None:
    wrong = imported("strong", sample("strong.csv"), **OPTIONS)
    right = imported("strong", sample("strong.csv").replace(b",82.5,", b",85,"), changed_s=CHANGED_S + 60, **OPTIONS)
    assert [event["entity"] for event in wrong.events] == [event["entity"] for event in right.events]
    for order in (wrong.raw + right.raw, right.raw + wrong.raw, wrong.raw + right.raw + wrong.raw):
        assert daily_rows(order)["u_1", "2026-03-02"]["volume_kg"] == (80 + 85) * 5


def test_a_wrong_unit_is_corrected_by_a_higher_revision() -> None:
    wrong = imported("strong", sample("strong.csv"), timezone="Europe/Berlin", unit="lb")
    higher = wrong.events[0]["revision"] + 1
    right = imported("strong", sample("strong.csv"), revision=higher, **OPTIONS)
    assert daily_rows(wrong.raw + right.raw) == daily_rows(right.raw)


def test_users_do_not_meet() -> None:
    (one,) = imported("strong", sample("strong_semicolons.csv"), **OPTIONS).events
    assert one["subject"] == "u_1"
    assert one["id"] != "-"


def test_repeated_rows_are_skipped_and_contradicting_ones_are_told() -> None:
    def scale(*kilograms: int) -> bytes:
        lines = "".join(
            f' <Record type="HKQuantityTypeIdentifierBodyMass" sourceName="Scale" unit="kg" value="{kg}" '
            f'startDate="2026-03-02 07:00:00 +0100" endDate="2026-03-02 07:00:00 +0100"/>\n'
            for kg in kilograms
        )
        return f"<HealthData>\n{lines}</HealthData>".encode()

    same = imported("apple-health", scale(75, 75))
    assert (len(same.raw), same.tally.skipped, same.told) == (1, {"repeated rows": 1}, [])
    other = imported("apple-health", scale(75, 80))
    assert len(other.raw) == 2
    assert "line 3: warning: contradicts an earlier row about apple-health/body/Scale" in other.told[0]


def test_names_that_are_too_long_still_tell_workouts_apart() -> None:
    head = "Date,Workout Name,Exercise Name,Set Order,Weight,Reps\n"
    rows = "".join(f"2026-03-02 10:00:00,{'x' * 300}{n},{'y' * 300},1,20,5\n" for n in range(2))
    found = imported("strong", (head + rows).encode(), **OPTIONS)
    assert len({event["entity"] for event in found.events}) == 2
    assert found.tally.bad == 0


def test_a_time_to_come_is_refused() -> None:
    found = imported("myfitnesspal", b"Date,Meal,Calories\n2099-01-01,Lunch,500\n", **OPTIONS)
    assert found.raw == []
    assert found.told == [
        "export: line 2: bad: time is more than 24 h ahead of this machine's clock at $.time",
    ]


def test_missing_files_and_empty_zips_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(ImportProblem, match=r"missing\.csv: No such file or directory"):
        find("strong", [tmp_path / "missing.csv"])
    with pytest.raises(ImportProblem, match="Is a directory"):
        find("strong", [tmp_path])
    packed = tmp_path / "export.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("readme.txt", "nothing")
    for form, what in (("fit", "FIT file"), ("apple-health", "export.xml"), ("strong", "CSV file")):
        with pytest.raises(ImportProblem, match=f"holds no {what}"):
            find(form, [packed])
    packed.write_bytes(packed.read_bytes()[:-30])
    with pytest.raises(ImportProblem, match="not a zip file"):
        find("strong", [packed])


def test_all_fit_files_of_a_zip_are_read() -> None:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in ("activity.fit", "weight.fit"):
            archive.writestr(name, sample(name))
    assert imported("fit", packed.getvalue()).tally.made == {"workout.completed": 2, "body.measured": 1}


def test_one_file_of_another_kind_among_many_stops_no_other() -> None:
    found = imported("fit", sample("weight.fit"), b"no such thing", sample("sleep.fit"))
    assert found.tally.made == {"body.measured": 1, "sleep.recorded": 1}
    assert found.tally.bad == 1
    assert found.told[0].startswith("export1: is no FIT file: ")
    assert found.told[0].endswith(": bad, this file or the rest of it")


def test_a_zip_that_is_damaged_inside_keeps_what_came_before() -> None:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        filling = b' <Record type="HKQuantityTypeIdentifierHeartRate"/>\n' * 20_000
        archive.writestr("export.xml", sample("apple_health.xml").replace(b"</HealthData>", filling + b"</HealthData>"))
    damaged = packed.getvalue().replace(b'value="74.8"', b'value="74.9"')
    found = imported("apple-health", damaged, name="export.zip")
    assert found.tally.made["body.measured"] == 3
    assert found.told[-1].startswith("export.zip:export.xml: Bad CRC-32")


@given(st.sampled_from(sorted(FORMATS)), st.binary(max_size=300))
def test_whatever_the_bytes_they_are_read_or_refused_in_one_line(form: str, content: bytes) -> None:
    with contextlib.suppress(ImportProblem):
        imported(form, content, **OPTIONS)


HEADS = {
    "strong": "Date,Workout Name,Duration,Exercise Name,Set Order,Weight,Reps,Distance,Seconds,RPE",
    "myfitnesspal": "Date,Meal,Calories,Protein",
}
CELLS = st.lists(
    st.lists(
        st.one_of(
            st.sampled_from(
                [
                    "2026-03-02",
                    "2026-03-02 10:00:00",
                    "1",
                    "W",
                    "Lunch",
                    "1h",
                    '"',
                    "1e9",
                    "1e99",
                    "9" * 30,
                    "9" * 9 + "h",
                    "-",
                    "1,5",
                    "١",
                ]
            ),
            st.text(max_size=6),
        ),
        max_size=11,
    ),
    max_size=8,
)


@given(st.sampled_from(sorted(HEADS)), CELLS)
def test_whatever_the_cells_rows_are_conserved_and_events_are_good(form: str, rows: list[list[str]]) -> None:
    text = "\n".join([HEADS[form], *(",".join(cells) for cells in rows)])
    found = imported(form, text.encode(errors="replace"), **OPTIONS)
    assert all(json.loads(event)["subject"] == "u_1" for event in found.raw)
    assert len(found.told) <= found.tally.bad + found.tally.warnings
