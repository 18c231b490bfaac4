"""kill -9 three times and a zombie once, in the middle of a replay: the stores end as one batch pass says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import clickhouse_connect
import msgspec
import psycopg
import pytest
from command_line import CLEAN, guard
from stored_days import stored_days

from producers import generate, truth
from producers.progress import progress_rows
from producers.publish import publish
from sinks.postgres import progress

POPULATION = {"users": 60, "days": 60, "seed": 11}
SESSION_S = 6.0
"""streams/runtime/tuning.py's session time-out: a member that is silent for longer is taken for dead."""


def daybook(*words: str, data: Path, timeout: float = 120, fails: bool = False) -> str:
    """Run a command to its end, which must be the expected one; its standard output."""
    done = subprocess.run(
        [sys.executable, "-m", "daybook", *words, "--data", str(data)],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=CLEAN,
    )
    assert done.returncode == int(fails), f"{words}: {done.stdout}\n{done.stderr}"
    return done.stdout


def pid_of(role: str, data: Path) -> int:
    for line in daybook("status", data=data).splitlines():
        words = line.split()
        if words[0] == role:
            return int(words[2])
    raise AssertionError(f"status names no {role}")


def paced(calm: threading.Event) -> Iterator[bytes]:
    """The population's events, some hundred a second as long as there is trouble, then as fast as they go; the last
    thousand only then, however slow the machine is."""
    events = list(generate.events(**POPULATION))
    for number, event in enumerate(events):
        if not calm.is_set():
            time.sleep(0.0015)
        if number >= len(events) - 1_000:
            calm.wait(300)
        yield event


def address(server: str, data: Path) -> str:
    lines = dict(line.split("=", 1) for line in daybook("env", data=data).splitlines())
    return lines[f"DAYBOOK_{server.upper()}"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder in which everything runs."""
    folder = tmp_path_factory.mktemp("kills") / "data"
    guard(folder)
    try:
        daybook("up", "--detach", data=folder)
        yield folder
    finally:
        daybook("down", data=folder)


@pytest.mark.slow
def test_killed_workers_and_a_zombie_lose_nothing_and_count_nothing_twice(data: Path) -> None:
    calm = threading.Event()
    second: subprocess.Popen[bytes] | None = None
    try:
        with ThreadPoolExecutor(1) as pool:
            sending = pool.submit(publish, address("kafka", data), paced(calm))
            try:
                for _ in range(3):
                    time.sleep(1.5)
                    for pid in [pid_of(role, data) for role in ("worker-streams", "worker-progress")]:
                        os.kill(pid, signal.SIGKILL)
                    daybook("up", "--detach", data=data)
                zombie = pid_of("worker-streams", data)
                time.sleep(1)
                os.kill(zombie, signal.SIGSTOP)
                name = ["--name", "second"]
                second = subprocess.Popen(
                    [sys.executable, "-m", "daybook", "worker", "--role", "streams", *name, "--data", str(data)],
                    env=CLEAN,
                )
                time.sleep(SESSION_S * 1.5)
                assert not sending.done(), "the faults must fall into the replay"
                os.kill(zombie, signal.SIGCONT)
                time.sleep(1)
            finally:
                calm.set()
            sent = sending.result(timeout=60).events
        daybook("up", "--detach", data=data)
        daybook("wait", "--timeout", "90", data=data)
        daybook("verify", data=data)
        days = truth.daily_rows(generate.events(**POPULATION))
        assert stored_days(address("postgres", data)) == days
        assert stored_progress(data) == progress_rows(days)
        assert received(data) == sent
    finally:
        if second is not None:
            second.kill()
            second.wait()


def received(data: Path) -> int:
    """How many events the ledger's positions account for; each of them adds up."""
    with clickhouse_connect.get_client(dsn=address("clickhouse", data)) as client:
        rows = client.query(
            "SELECT received, applied + duplicate + superseded + rejected FROM positions_current"
        ).result_rows
    assert all(received == accounted for received, accounted in rows)
    return sum(received for received, _ in rows)


def stored_progress(data: Path) -> dict[str, dict[str, object]]:
    """What PostgreSQL holds, in the words of producers/progress.py."""
    with psycopg.connect(address("postgres", data)) as connection:
        rows = [progress.row(values) for values in connection.execute(progress.SELECT.encode()).fetchall()]
    hidden = ("user_id", "version")
    return {r.user_id: {k: v for k, v in msgspec.to_builtins(r).items() if k not in hidden} for r in rows}
