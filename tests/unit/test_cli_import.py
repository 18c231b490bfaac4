"""What cannot be imported is told in one clear line, by the command itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from importing import SAMPLES

from daybook.cli import run

BERLIN = ("--timezone", "Europe/Berlin")
STRONG = SAMPLES / "strong.csv"


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (("strong", "missing.csv"), 1, "missing.csv: No such file or directory"),
        (("strong", SAMPLES / "myfitnesspal.csv", *BERLIN), 1, "myfitnesspal.csv: is no Strong export: no column"),
        (("fit", STRONG), 1, "strong.csv: is no FIT file:"),
        (("apple-health", STRONG), 1, "strong.csv: is no Apple Health export:"),
        (("strong", STRONG, "--timezone", "Europe/Nowhere"), 1, "'Europe/Nowhere' is none"),
        (("strong", STRONG, "--unit", "kg"), 1, "say where with --timezone, such as Europe/Berlin"),
        (("strong", STRONG, *BERLIN), 1, "say --unit kg or --unit lb"),
        (("polar", STRONG), 2, "'polar' is not one of"),
        (("strong",), 2, "Missing argument"),
    ],
)
def test_what_cannot_work_is_one_clear_line(
    arguments: tuple[object, ...], code: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["import", *map(str, arguments), "--subject", "u_1", "--dry-run"]) == code
    out, told = capsys.readouterr()
    assert out == ""
    assert told.startswith("daybook: ")
    assert line in told
    assert told.count("\n") == 1


def test_an_import_without_a_user_is_asked_in_the_wrong_way(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["import", "strong", str(STRONG), "--dry-run"]) == 2
    assert "--subject" in capsys.readouterr().err
    assert run(["import", "fit", str(SAMPLES / "weight.fit"), "--subject", "", "--dry-run"]) == 1
    assert capsys.readouterr().err == "daybook: Expected a subject of 1 to 200 characters, got ''\n"


def test_a_dry_run_prints_events_for_programs_and_the_summary_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["import", "fit", str(SAMPLES / "weight.fit"), "--subject", "u_1", "--dry-run"]) == 0
    out, told = capsys.readouterr()
    assert out.count("\n") == 1
    assert out.startswith('{"specversion":"1.0"')
    assert "events 1" in told.splitlines()


def test_a_long_file_shows_how_far_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "long.csv"
    path.write_bytes(STRONG.read_bytes() + b",,,,,,,,,,,\n" * 90_000)
    assert run(["import", "strong", str(path), "--unit", "kg", *BERLIN, "--subject", "u_1", "--dry-run"]) == 1
    told = capsys.readouterr().err
    assert "long.csv: line 12: bad: " in told
    assert "1.1/1.1 MB" in told
    assert "skipped 90000 blank rows" in told.splitlines()
