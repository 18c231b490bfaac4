"""Imports through the whole stack: exports in, daily totals in PostgreSQL; again, and nothing changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from command_line import daybook
from importing import SAMPLES
from psycopg.rows import dict_row

from daybook.cli import run

BERLIN = ("--timezone", "Europe/Berlin")
STRONG = ("strong", SAMPLES / "strong.csv", "--unit", "kg", *BERLIN)
IMPORTS = (
    STRONG,
    ("strong", SAMPLES / "strong_semicolons.csv", *BERLIN),
    ("myfitnesspal", SAMPLES / "myfitnesspal.csv", *BERLIN),
    ("fit", *sorted(SAMPLES.glob("*.fit"))),
)


class Command:
    """The command line in this process: it starts a dozen times faster than one of its own."""

    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capfd = folder, capfd

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        """Exit code, stdout, stderr."""
        self._capfd.readouterr()
        code = run([*map(str, arguments), "--data", str(self.folder)])
        return code, *self._capfd.readouterr()

    def days(self, subject: str) -> dict[str, dict[str, Any]]:
        """Date → what PostgreSQL says of a user's day, its version included, once all that was sent is there."""
        code, _, told = self("wait", "--timeout", 90)
        assert code == 0, told
        env = dict(line.split("=", 1) for line in self("env")[1].splitlines())
        with psycopg.connect(env["DAYBOOK_POSTGRES"], row_factory=dict_row) as postgres:
            query = "SELECT * FROM user_metrics_daily WHERE user_id = %s"
            return {str(row["date"]): row for row in postgres.execute(query, [subject]).fetchall()}


@pytest.fixture
def command(shared: Path, capfd: pytest.CaptureFixture[str]) -> Command:
    return Command(shared, capfd)


def counts(out: str) -> dict[str, int]:
    """What the summary says: name → number."""
    words = [line.split(maxsplit=2) for line in out.splitlines()]
    return {" ".join([word[0], *word[2:]]): int(word[1]) for word in words}


def test_four_exports_come_to_their_totals_and_again_change_nothing(command: Command) -> None:
    for arguments in IMPORTS:
        code, _, told = command("import", *arguments, "--subject", "u_mover")
        assert code == int("bad:" in told), told
    before = command.days("u_mover")
    second, third, fifth = (before[f"2026-03-0{day}"] for day in (2, 3, 5))
    assert (second["volume_kg"], second["workout_minutes"]) == (812.5, 65)
    assert (second["energy_kcal"], second["protein_g"], second["fibre_g"]) == (2297.5, 114.6, 30)
    assert (second["steps"], second["weight_kg"], second["body_fat_pct"]) == (9500, 75.07, 21.5)
    assert (third["workouts_completed"], third["volume_kg"], third["sleep_minutes"]) == (
        2,
        890,
        430,
    )  # two saw the same
    assert (fifth["workouts_completed"], fifth["volume_kg"], fifth["workout_minutes"]) == (1, 900, None)

    for arguments in IMPORTS:
        command("import", *arguments, "--subject", "u_mover")
    assert command.days("u_mover") == before, "no row is written again, not even with a new version"


def test_an_apple_export_comes_to_its_totals_and_a_corrected_one_wins_whichever_comes_last(
    command: Command, tmp_path: Path
) -> None:
    first, later = SAMPLES / "apple_health.xml", tmp_path / "export.xml"
    text = first.read_text(encoding="utf-8").replace("2026-03-10 09:30:00", "2026-03-11 09:30:00")
    later.write_text(text.replace('value="980"', 'value="1000"'), encoding="utf-8")
    code, out, _ = command("import", "apple-health", first, "--subject", "u_apple")
    assert code == 1
    assert counts(out) == {
        **{"read": 27, "used": 22, "bad": 2, "warnings": 1, "events": 12},
        **{"skipped HeartRate": 1, "skipped ActivitySummary": 1},
        "skipped Correlation: its records are listed again by themselves": 1,
        **{"activity.recorded": 3, "body.measured": 3, "meal.logged": 1, "sleep.recorded": 2, "water.logged": 1},
        "workout.completed": 2,
    }
    found = command.days("u_apple")
    assert found["2026-03-02"]["steps"] == 1057  # the watch's: the phone counted the same quarter of an hour
    assert found["2026-03-02"]["water_ml"] == 723
    assert found["2026-03-02"]["sources"] == ["Bottle", "Food diary", "Phone", "Scale", "Watch"]
    assert found["2026-03-03"]["sleep_minutes"] == 430
    for export in (later, first):
        command("import", "apple-health", export, "--subject", "u_apple")
    assert command.days("u_apple")["2026-03-02"]["steps"] == 1077
    code, differences, told = command("verify")
    assert (code, differences) == (0, ""), told


def test_a_dry_run_prints_events_that_send_takes_and_needs_no_server(command: Command, tmp_path: Path) -> None:
    done = daybook("import", *STRONG, "--subject", "u_dry", "--dry-run", cwd=tmp_path)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["subject"] for event in events] == ["u_dry"] * 3
    assert "read 11" in done.stderr.splitlines()
    (tmp_path / "events").write_text(done.stdout, encoding="utf-8")
    code, _, told = command("send", tmp_path / "events")
    assert (code, told.splitlines()[-1]) == (0, "3 accepted, 0 refused")
