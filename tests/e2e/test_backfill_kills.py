"""A definition changes under live events while the backfill and a streams worker are killed: verify finds nothing."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import psycopg
import pytest
from backfill_world import World
from command_line import CLEAN, DAYBOOK, daybook, ran

from daybook import settings, sinking, waiting
from daybook.settings import Settings
from producers.publish import publish
from sinks.postgres.connect import as_writer

pytestmark = pytest.mark.slow
METRIC = "meal_plan_adherence_pct"
SINCE, UNTIL = "2026-02-01", "2026-02-20"
ASKED = ("backfill", METRIC, "--set", "substitute_pct=70", "--from", SINCE, "--to", UNTIL)


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    data = tmp_path_factory.mktemp("backfill") / "data"
    try:
        ran("up", "--detach", "--partitions", 2, data=data)
        yield settings.read(data=data)
    finally:
        daybook("down", "--data", data, timeout_s=180)


def visible(found: Settings) -> None:
    waiting.until_visible(found.address("kafka"), list(sinking.groups().values()), 240)


def state(found: Settings) -> tuple[str, int]:
    with psycopg.connect(as_writer(found.address("postgres"))) as connection:
        row = connection.execute("SELECT state, days FROM backfills ORDER BY id DESC LIMIT 1").fetchone()
    return ("none", 0) if row is None else (str(row[0]), int(row[1]))


def killed_once(found: Settings, words: tuple[object, ...], when: tuple[str, int], log: Path, s: float = 0.3) -> None:
    """Start a command, and kill it so many seconds after the register says this much."""
    with log.open("a") as out:
        command = [*DAYBOOK, *map(str, words), "--data", str(found.data)]
        with subprocess.Popen(command, stdout=out, stderr=out, env=CLEAN, start_new_session=True) as process:
            deadline = time.monotonic() + 240
            while not (state(found)[0] == when[0] and state(found)[1] >= when[1]):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            time.sleep(s)
            process.kill()


def kill_worker(data: Path, role: str) -> None:
    for line in ran("status", data=data).splitlines():
        if line.split()[0] == f"worker-{role}" and line.split()[2].isdigit():
            os.kill(int(line.split()[2]), signal.SIGKILL)


def stored(found: Settings) -> dict[tuple[str, str], float]:
    with psycopg.connect(as_writer(found.address("postgres"))) as connection:
        rows = connection.execute(
            f"SELECT user_id, date::text, {METRIC} FROM user_metrics_daily WHERE user_id LIKE 'kills%'"
        ).fetchall()
    return {(user, day): value for user, day, value in rows}


def test_a_backfill_that_is_killed_again_and_again_under_live_events_ends_exact(at: Settings, tmp_path: Path) -> None:
    world, ends, log = World("kills", 120, date(2026, 1, 25), 30), threading.Event(), tmp_path / "log"
    kafka = at.address("kafka")
    publish(kafka, [*world.plans(), *world.every_day()])
    visible(at)

    def load() -> None:
        while not ends.is_set():
            publish(kafka, list(world.some(40)))
            ends.wait(0.4)

    sending = threading.Thread(target=load)
    sending.start()
    try:
        killed_once(at, (*ASKED, "--budget", 400), ("shadow", 200), log)
        killed_once(at, (*ASKED, "--budget", 400), ("shadow", state(at)[1] + 300), log)
        before = state(at)
        done = daybook(*ASKED, "--data", at.data, timeout_s=400)
        assert done.returncode == 0, done.stderr
        assert state(at) == ("ready", 120 * 20), "what was computed before was not computed again"
        assert before[1] > 300
        found = re.search(r"backfill swap (\d+)", done.stderr)
        assert found is not None
        swap = ("backfill", "swap", found[1])
        killed_once(at, (*swap, "--budget", 100), ("swapping", 0), log)
        refused = daybook("verify", "--data", at.data)
        assert refused.returncode == 1
        assert f"go on with it: daybook backfill swap {found[1]}" in refused.stderr
        kill_worker(at.data, "streams")
        ran("up", "--detach", data=at.data)
        killed_once(at, (*swap, "--budget", 60), ("swapping", 0), log, 5.0)
        done = daybook(*swap, "--data", at.data, timeout_s=400)
        assert done.returncode == 0, f"{done.stderr}\n{log.read_text()}"
        assert state(at)[0] == "done"
    finally:
        ends.set()
        sending.join(60)
    visible(at)
    assert stored(at) == world.adherence(70, SINCE, UNTIL)
    verified = daybook("verify", "--data", at.data, timeout_s=400)
    assert verified.returncode == 0, verified.stdout

    ran("down", data=at.data)  # whoever begins anew judges by it too
    ran("up", "--detach", data=at.data)
    publish(kafka := settings.read(data=at.data).address("kafka"), list(world.some(200)))
    assert kafka
    visible(settings.read(data=at.data))
    assert stored(settings.read(data=at.data)) == world.adherence(70, SINCE, UNTIL)
