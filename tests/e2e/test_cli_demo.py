"""The first run, as a newcomer makes it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("DAYBOOK_")}


def _started_for(folder: Path) -> list[str]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and str(folder) in " ".join([process.cwd(), *process.cmdline()]):
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


def test_a_month_of_real_data_agrees_with_its_own_totals_and_leaves_nothing_running(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "daybook", "demo", "--json"]
    env = {**CLEAN, "TMPDIR": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=env)
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
    assert _started_for(tmp_path) == []
    assert not list(tmp_path.glob("daybook-demo-*")), "its temporary folder is gone"


def test_ctrl_c_stops_the_demo_with_all_that_it_started(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    command = [sys.executable, "-m", "daybook", "demo", "--data", str(folder), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=CLEAN) as demo:
        deadline = time.monotonic() + 30
        while not (folder / "run" / "kafka.json").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        demo.send_signal(signal.SIGINT)
        out, err = demo.communicate(timeout=60)
    assert demo.returncode == 130, err
    assert json.loads(out.splitlines()[-1])["ok"] is False
    assert "interrupted" in err
    assert _started_for(folder) == []


def test_the_demo_refuses_a_folder_with_something_in_it(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    command = [sys.executable, "-m", "daybook", "demo", "--data", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, env=CLEAN)
    assert done.returncode == 2
    assert done.stderr.startswith(f"daybook: --data: {tmp_path} is not an empty folder")
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]
