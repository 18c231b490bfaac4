"""kill -9 three times and a zombie once, in the middle of a replay: the stores end as one batch pass says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg

from producers import generate, truth
from schemas.tables import DAILY_METRICS

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("DAYBOOK_")}
POPULATION = {"users": 60, "days": 60, "seed": 11}
SESSION_S = 6.0
"""streams/runtime/tuning.py's session time-out: a member that is silent for longer is taken for dead."""


def daybook(*words: str, data: Path, timeout: float = 120) -> str:
    """Run a command to its end; its standard output."""
    done = subprocess.run(
        [sys.executable, "-m", "daybook", *words, "--data", str(data)],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=CLEAN,
    )
    assert done.returncode == 0, f"{words}: {done.stdout}\n{done.stderr}"
    return done.stdout


def pid_of(role: str, data: Path) -> int:
    for line in daybook("status", data=data).splitlines():
        words = line.split()
        if words[0] == role:
            return int(words[2])
    raise AssertionError(f"status names no {role}")


def test_killed_workers_and_a_zombie_lose_nothing_and_count_nothing_twice(tmp_path: Path) -> None:
    data = tmp_path / "data"
    daybook("up", "--detach", data=data)
    second: subprocess.Popen[bytes] | None = None
    shares = ["--users", "60", "--days", "60", "--seed", "11", "--rate", "2500"]
    sender = subprocess.Popen(
        [sys.executable, "-m", "daybook", "generate", *shares, "--data", str(data)],
        stdout=subprocess.DEVNULL,
        env=CLEAN,
    )
    try:
        for _ in range(3):
            time.sleep(1.5)
            os.kill(pid_of("worker-streams", data), signal.SIGKILL)
            daybook("up", "--detach", data=data)
        zombie = pid_of("worker-streams", data)
        time.sleep(1)
        assert sender.poll() is None, "the faults must fall into the replay"
        os.kill(zombie, signal.SIGSTOP)
        second = subprocess.Popen(
            [sys.executable, "-m", "daybook", "worker", "--role", "streams", "--name", "second", "--data", str(data)],
            env=CLEAN,
        )
        time.sleep(SESSION_S * 1.5)
        os.kill(zombie, signal.SIGCONT)
        assert sender.wait(120) == 0
        daybook("up", "--detach", data=data)
        daybook("wait", "--timeout", "90", data=data)
        daybook("verify", data=data)
        assert stored(data) == truth.daily_rows(generate.events(**POPULATION))
    finally:
        for process in (sender, second):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        daybook("down", data=data)


def stored(data: Path) -> dict[tuple[str, str], dict[str, object]]:
    """What PostgreSQL holds, in the words of producers/truth.py."""
    url = next(
        line.partition("=")[2] for line in daybook("env", data=data).splitlines() if line.startswith("DAYBOOK_POSTGRES")
    )
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            f"select user_id, date, {', '.join(DAILY_METRICS)} from user_metrics_daily where entities is not null"
        ).fetchall()
    found = {}
    for user_id, date, *metrics in rows:
        row = dict(zip(DAILY_METRICS, metrics, strict=True))
        for name in ("first_event_at", "last_event_at"):
            row[name] = round(row[name].timestamp() * 1000)
        found[user_id, date.isoformat()] = row
    return found
