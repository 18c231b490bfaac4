"""The first run, as a newcomer makes it."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

from command_line import DAYBOOK, daybook, processes_of, started


def test_a_month_of_real_data_agrees_with_its_own_totals_and_leaves_nothing_running(tmp_path: Path) -> None:
    done = daybook("demo", "--json", timeout_s=240, env={"TMPDIR": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures.pop("events_per_second") > 0
    assert 0 < figures.pop("seconds") < 120
    assert figures == {
        "ok": True,
        "events_sent": 22_579,
        "events_applied": 22_576,
        "duplicates": 3,
        "rejected": 0,
        "steps_days_equal": 775,
        "steps_days": 940,
        "calories_days_close": 879,
        "verify_mismatches": 0,
    }
    assert processes_of(tmp_path) == []
    assert not list(tmp_path.glob("daybook-demo-*")), "its temporary folder is gone"


def test_ctrl_c_stops_the_demo_with_all_that_it_started(tmp_path: Path) -> None:
    folder, told = tmp_path / "data", tmp_path / "told"
    with told.open("w") as out, started([*DAYBOOK, "demo", "--data", folder, "--json"], out) as demo:
        deadline = time.monotonic() + 90
        while not (folder / "run" / "kafka.json").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        demo.send_signal(signal.SIGINT)
        assert demo.wait(60) == 130, told.read_text()
    lines = told.read_text().splitlines()
    assert "interrupted: stopping what was started" in lines
    assert json.loads(lines[-1])["ok"] is False
    assert processes_of(folder) == []


def test_the_demo_refuses_a_folder_with_something_in_it(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    done = daybook("demo", "--data", tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"daybook: --data: {tmp_path} is not an empty folder")
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]
