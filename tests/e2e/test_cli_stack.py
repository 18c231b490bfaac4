"""The command line on a real stack: up, down, killed and brought back, events sent and seen in every store."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import clickhouse_connect
import psutil
import psycopg
import pytest
import redis
from command_line import CLEAN, DAYBOOK, daybook, guard, processes_of, started

from daybook.scrape import scrape, total
from schemas import metrics
from streams.runtime.watching import OUTCOMES

EVENTS = Path(__file__).parents[2] / "schemas" / "examples" / "events.jsonl"
SERVERS = ("kafka", "postgres", "clickhouse", "redis")
ROLES = ("streams", "progress", "trending", "lists", "affinity", "postgres", "clickhouse", "redis", "loader")
WORKERS = tuple(f"worker-{role}" for role in ROLES)


def rows(folder: Path) -> dict[str, list[str]]:
    """Role → state, pid, seconds up, lag, as `status` prints them."""
    return {line.split()[0]: line.split()[1:] for line in daybook("status", "--data", folder).stdout.splitlines()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder in which all runs, started as from a script that reads the output to its end."""
    data = tmp_path_factory.mktemp("daybook") / "data"
    guard(data)
    try:
        up = f'"{sys.executable}" -m daybook up --detach --partitions 2 --data "{data}" 2>&1 | cat'
        done = subprocess.run(["sh", "-c", up], capture_output=True, text=True, timeout=180, env=CLEAN)
        assert "all is ready" in done.stdout, done.stdout
        yield data
    finally:
        daybook("down", "--data", data, timeout_s=120)


def test_status_is_one_parseable_line_a_role_and_all_is_healthy(folder: Path) -> None:
    done = daybook("status", "--data", folder)
    assert done.returncode == 0
    found = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()}
    assert set(found) == {*SERVERS, *WORKERS, "supervisor"}
    for state, pid, uptime, lag, *_ in found.values():
        assert state == "running"
        assert psutil.pid_exists(int(pid))
        assert int(uptime) >= 0
        assert lag == "-" or int(lag) >= 0


def test_roles_in_no_hurry_give_way_to_the_others(folder: Path) -> None:
    pids = {role: int(row[1]) for role, row in rows(folder).items()}
    own = psutil.Process().nice()
    assert psutil.Process(pids["worker-affinity"]).nice() > own
    assert psutil.Process(pids["worker-loader"]).nice() > own
    assert psutil.Process(pids["worker-streams"]).nice() == psutil.Process(pids["worker-lists"]).nice() == own


def test_up_again_starts_nothing_and_says_so(folder: Path) -> None:
    before = rows(folder)
    done = daybook("up", "--detach", "--data", folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    for role in SERVERS:
        assert f"{role}: already running" in done.stderr
    for role in WORKERS:
        assert f"{role.replace('-', ' ')}: already running" in done.stderr
    assert {role: row[1] for role, row in rows(folder).items()} == {role: row[1] for role, row in before.items()}


def test_env_prints_four_lines_that_serve_instead_of_the_folder(folder: Path, tmp_path: Path) -> None:
    done = daybook("env", "--data", folder)
    lines = done.stdout.splitlines()
    env = dict(line.split("=", 1) for line in lines)
    assert [line.split("=", 1)[0] for line in lines] == [
        *("DAYBOOK_KAFKA", "DAYBOOK_POSTGRES", "DAYBOOK_CLICKHOUSE", "DAYBOOK_REDIS")
    ]
    assert env["DAYBOOK_KAFKA"].startswith("127.0.0.1:")
    assert env["DAYBOOK_POSTGRES"].startswith("postgresql://")
    assert env["DAYBOOK_CLICKHOUSE"].endswith("/daybook")
    assert env["DAYBOOK_REDIS"].startswith("redis://")

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for command in (["migrate"], ["wait"], ["status"], ["verify"], ["env"]):
        done = daybook(*command, env=env, cwd=elsewhere)
        assert done.returncode == 0, (command, done.stderr)
    hidden = [re.sub(r":[0-9a-f]{32}@", ":***@", line) for line in lines]
    assert done.stdout.splitlines() == hidden, "whose passwords these are is not known there"
    assert hidden != lines
    assert not list(elsewhere.iterdir()), "no folder is made for servers elsewhere"


def test_sent_events_are_visible_everywhere_after_wait_and_refused_lines_stop_nothing(folder: Path) -> None:
    good = EVENTS.read_text().splitlines()
    lines = [good[0], "not json", "", *good[1:], json.dumps({"type": "meal.logged"})]
    done = daybook("send", "-", "--data", folder, stdin="\n".join(lines))
    assert done.returncode == 1
    told = done.stdout.splitlines()
    assert told[0] == "line 1: accepted"
    assert told[1].startswith("line 2: refused: ")
    assert told[-1].startswith(f"line {len(lines)}: refused: ")
    assert sum(line.endswith(": accepted") for line in told) == len(good)
    assert f"{len(good)} accepted, 2 refused" in done.stderr

    assert daybook("wait", "--timeout", 90, "--data", folder).returncode == 0
    env = dict(line.split("=", 1) for line in daybook("env", "--data", folder).stdout.splitlines())
    with psycopg.connect(env["DAYBOOK_POSTGRES"]) as postgres:
        query = "SELECT date::text, steps, water_ml FROM user_metrics_daily WHERE user_id = 'u_1001' ORDER BY date"
        stored = [row for row in postgres.execute(query).fetchall() if row[1] is not None]
    assert stored
    day, steps, water = stored[0]
    clickhouse = clickhouse_connect.get_client(dsn=env["DAYBOOK_CLICKHOUSE"])
    query = f"SELECT steps, water_ml FROM daily_current WHERE user_id = 'u_1001' AND date = '{day}'"
    assert clickhouse.query(query).result_rows == [(steps, water)]
    key = f"daybook:day:u_1001:{day}"
    cached = redis.Redis.from_url(env["DAYBOOK_REDIS"], decode_responses=True).hgetall(key)
    assert (int(cached["steps"]), float(cached["water_ml"])) == (steps, water)

    done = daybook("verify", "--data", folder)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout


def test_the_same_file_again_changes_nothing(folder: Path) -> None:
    assert daybook("send", EVENTS, "--data", folder).returncode == 0
    assert daybook("wait", "--timeout", 90, "--data", folder).returncode == 0
    assert daybook("verify", "--data", folder).returncode == 0


def test_a_judged_day_of_two_sources_is_the_same_in_every_store_and_can_be_explained(folder: Path) -> None:
    who = "u_judged"

    def event(kind: str, entity: str, source: str, data: dict[str, object], revision: int = 1) -> str:
        head = {"specversion": "1.0", "id": f"{entity}-{revision}", "type": kind, "subject": who, "source": source}
        at = {"time": "2026-03-02T18:00:00+01:00", "entity": entity, "revision": revision}
        return json.dumps({**head, **at, "data": data})

    since = {"effective_from": "2026-03-01"}
    plan = {
        **since,
        "workouts": [{"item": "legs", "weekdays": ["mon"]}],
        "meals": [{"item": "lunch", "weekdays": ["mon"]}],
    }
    goal = {**since, "metric": "steps", "direction": "at_least"}
    lines = [
        event("activity.recorded", "phone", "ios/5", {"duration_s": 3600, "steps": 500}),
        event("activity.recorded", "watch", "watch/2", {"duration_s": 1800, "steps": 300}),
        event("workout.completed", "diary", "ios/5", {"kind": "strength", "duration_s": 3600, "planned_item": "legs"}),
        event("workout.completed", "pulse", "watch/2", {"kind": "strength", "duration_s": 3300, "calories_kcal": 310}),
        event("goal.set", "walk", "ios/5", {**goal, "target": 500}),
        event("goal.set", "walk", "ios/5", {**goal, "target": 600}, 2),
        event("plan.assigned", "plan", "coach/1", plan),
        event("profile.updated", "profile", "ios/5", {**since, "source_priority": ["phone", "watch"]}),
    ]
    assert daybook("send", "-", "--data", folder, stdin="\n".join(lines)).returncode == 0
    assert daybook("wait", "--timeout", 90, "--data", folder).returncode == 0
    done = daybook("verify", "--data", folder)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout

    told = daybook("explain", who, "2026-03-02", "--json", "--data", folder)
    assert told.returncode == 0, told.stderr
    found = json.loads(told.stdout)
    row = found["row"]
    assert (row["steps"], row["workouts_completed"], row["workout_minutes"]) == (550, 1, 55.0)
    assert (row["workout_plan_adherence_pct"], row["meal_plan_adherence_pct"]) == (100.0, 0.0)
    assert (row["goals"]["walk"]["delta"], row["goals"]["walk"]["hit"]) == (-50.0, False)
    assert row["left_out"] == {"workout:diary": "pulse"}
    assert set(found["stores"]) == {"postgres", "clickhouse", "redis"}
    assert all({**said, "version": 0} == {**row, "version": 0} for said in found["stores"].values())

    env = dict(line.split("=", 1) for line in daybook("env", "--data", folder).stdout.splitlines())
    query = "SELECT goal, metric, target, actual, delta, hit FROM user_goals WHERE user_id = 'u_judged'"
    goals = ("walk", "steps", 600.0, 550.0, -50.0, False)
    with psycopg.connect(env["DAYBOOK_POSTGRES"]) as postgres:
        assert postgres.execute(query).fetchall() == [goals]
    assert clickhouse_connect.get_client(dsn=env["DAYBOOK_CLICKHOUSE"]).query(query).result_rows == [goals]

    told = daybook("explain", who, "2026-03-02", "steps", "--data", folder)
    assert "counts steps 250" in told.stdout
    assert "lower-priority source: watch was there" in told.stdout
    assert daybook("explain", who, "2026-13-02", "--data", folder).returncode == 2
    assert daybook("explain", who, "2026-03-02", "happiness", "--data", folder).returncode == 2


def test_wait_says_what_lags_where_at_the_timeout(folder: Path) -> None:
    streams = int(rows(folder)["worker-streams"][1])
    os.kill(streams, signal.SIGSTOP)
    try:
        assert daybook("send", EVENTS, "--data", folder).returncode == 0
        done = daybook("wait", "--timeout", 1, "--data", folder)
    finally:
        os.kill(streams, signal.SIGCONT)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("daybook: not all is visible after 1 s: the daily stream is ")
    assert daybook("wait", "--timeout", 90, "--data", folder).returncode == 0


@pytest.mark.parametrize("victims", [("worker-postgres", "redis"), ("worker-streams", "worker-redis", "kafka")])
def test_what_was_killed_comes_back_with_up_and_nothing_else_is_touched(folder: Path, victims: tuple[str, ...]) -> None:
    before = {role: row[1] for role, row in rows(folder).items()}
    supervisor = psutil.Process(int(before["supervisor"]))
    supervisor.suspend()  # or it would be faster
    for role in victims:
        psutil.Process(int(before[role])).kill()
    done = daybook("status", "--data", folder)
    assert done.returncode == 1
    assert {line.split()[0] for line in done.stdout.splitlines() if line.split()[1] == "died"} == set(victims)

    done = daybook("up", "--detach", "--data", folder)
    supervisor.resume()
    assert done.returncode == 0, done.stderr
    after = {role: row[1] for role, row in rows(folder).items()}
    assert {role for role in before if before[role] != after[role]} == set(victims)
    assert daybook("send", EVENTS, "--data", folder).returncode == 0
    assert daybook("wait", "--timeout", 90, "--data", folder).returncode == 0
    assert daybook("verify", "--data", folder).returncode == 0


def test_a_worker_whose_pid_file_is_lost_does_not_work_beside_the_next_one(folder: Path) -> None:
    forgotten = int(rows(folder)["worker-redis"][1])
    (folder / "run" / "worker-redis.json").unlink()
    assert daybook("up", "--detach", "--data", folder).returncode == 0
    assert not psutil.pid_exists(forgotten)
    assert rows(folder)["worker-redis"][0] == "running"


def until(folder: Path, role: str, state: str, timeout_s: float = 90) -> list[str]:
    """What status says of a role, once it is in that state."""
    deadline = time.monotonic() + timeout_s
    while (said := rows(folder).get(role, ["-"]))[0] != state:
        assert time.monotonic() < deadline, said
        time.sleep(0.1)
    return said


def test_a_killed_worker_is_started_again_and_one_that_refuses_is_left(folder: Path) -> None:
    before = rows(folder)["worker-redis"]
    psutil.Process(int(before[1])).kill()
    deadline = time.monotonic() + 90
    while (now := rows(folder)["worker-redis"])[1] in (before[1], "-") or now[0] != "running":
        assert time.monotonic() < deadline, now
        time.sleep(0.1)
    assert int(now[7]) >= 1, "status tells the restarts"
    while "worker redis works again" not in daybook("logs", "supervisor", "--data", folder).stdout:
        assert time.monotonic() < deadline, "the supervisor says so once the worker is ready"
        time.sleep(0.1)
    assert daybook("send", EVENTS, "--data", folder).returncode == 0
    assert daybook("wait", "--timeout", 90, "--data", folder).returncode == 0

    env = dict(line.split("=", 1) for line in daybook("env", "--data", folder).stdout.splitlines())
    store = redis.Redis.from_url(env["DAYBOOK_REDIS"])
    store.config_set("maxmemory-policy", "allkeys-lru")
    try:
        psutil.Process(int(now[1])).kill()
        until(folder, "worker-redis", "refused")
        done = daybook("status", "--data", folder)
        assert done.returncode == 1
        assert "it refused to work (exit code 78)" in done.stderr
        assert "set it to noeviction" in done.stderr
    finally:
        store.config_set("maxmemory-policy", "noeviction")
    assert daybook("up", "--detach", "--data", folder).returncode == 0
    assert rows(folder)["worker-redis"][0] == "running"


def test_a_frozen_worker_is_shown_as_such(folder: Path) -> None:
    pid = int(rows(folder)["worker-clickhouse"][1])
    os.kill(pid, signal.SIGSTOP)
    try:
        assert rows(folder)["worker-clickhouse"][0] == "frozen"
    finally:
        os.kill(pid, signal.SIGCONT)
    assert rows(folder)["worker-clickhouse"][0] == "running"


def test_every_worker_serves_its_metrics_and_the_counts_add_up(folder: Path) -> None:
    assert daybook("send", EVENTS, "--data", folder).returncode == 0
    assert daybook("wait", "--timeout", 90, "--data", folder).returncode == 0
    found = {role: scrape(row[8]) for role, row in rows(folder).items() if role in WORKERS}
    for role, said in found.items():
        names = {m.name for m in metrics.METRICS if role.removeprefix("worker-") in m.roles and m.kind == "gauge"}
        assert names <= set(said), role
        if role.removeprefix("worker-") in metrics.READERS:
            assert total(said, "daybook_lag_events") == 0, role
    counts = {o: total(found["worker-streams"], "daybook_events_total", outcome=o) or 0 for o in OUTCOMES}
    assert counts["received"] == sum(count for outcome, count in counts.items() if outcome != "received") > 0
    assert (total(found["worker-streams"], "daybook_transaction_seconds_count") or 0) > 0


def test_logs_are_read_by_role_and_followed(folder: Path, tmp_path: Path) -> None:
    done = daybook("logs", "streams", "-n", 1, "--data", folder)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 1)
    everything = daybook("logs", "--data", folder).stdout
    assert all(f"{role} " in everything for role in ("kafka", "postgres", "worker-streams"))

    command = [*DAYBOOK, "logs", "kafka", "-n", "0", "--follow", "--data", folder]
    seen = tmp_path / "seen"
    with seen.open("w") as out, started(command, out) as follower:
        deadline = time.monotonic() + 90
        while "not there before" not in seen.read_text() and time.monotonic() < deadline:
            with (folder / "logs" / "kafka.log").open("a") as log:
                log.write("a line that was not there before\n")
            time.sleep(0.3)
        follower.send_signal(signal.SIGINT)
        assert follower.wait(10) == 130
    assert "not there before" in seen.read_text()


def test_a_worker_under_faust_itself_joins_and_leaves_in_order(folder: Path) -> None:
    env = {"DAYBOOK_DATA": str(folder), "DAYBOOK_WORKER_NAME": "by-faust"}
    faust = Path(sys.executable).with_name("faust")
    command = [faust, "-A", "daybook.app", "worker", "--without-web", "-l", "info"]
    log = folder / "faust.log"
    with log.open("w") as out, started(command, out, env) as worker:
        deadline = time.monotonic() + 90
        while "ready: partitions" not in log.read_text() and time.monotonic() < deadline:
            assert worker.poll() is None, log.read_text()
            time.sleep(0.1)
        assert "ready: partitions" in log.read_text()
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0, log.read_text()
    assert daybook("send", EVENTS, "--data", folder).returncode == 0
    assert daybook("wait", "--timeout", 90, "--data", folder).returncode == 0


@pytest.mark.slow
def test_all_roles_at_once_in_the_foreground_end_together_on_sigterm(folder: Path, tmp_path: Path) -> None:
    before = rows(folder)
    command = [*DAYBOOK, "worker", "--role", "all", "--name", "more", "--data", folder]
    log = tmp_path / "all.log"
    with log.open("w") as out, started(command, out) as workers:
        deadline = time.monotonic() + 90
        while "ready: partitions" not in log.read_text() and time.monotonic() < deadline:
            assert workers.poll() is None, log.read_text()
            time.sleep(0.1)
        children = psutil.Process(workers.pid).children()
        assert len(children) == len(WORKERS)
        workers.send_signal(signal.SIGTERM)
        assert workers.wait(40) == 0, log.read_text()
    assert not any(child.is_running() for child in children)
    assert {role: row[:2] for role, row in rows(folder).items()} == {role: row[:2] for role, row in before.items()}
    assert daybook("send", EVENTS, "--data", folder).returncode == 0
    assert daybook("wait", "--timeout", 90, "--data", folder).returncode == 0


def test_a_worker_that_cannot_work_is_told_with_the_end_of_its_log(folder: Path) -> None:
    env = dict(line.split("=", 1) for line in daybook("env", "--data", folder).stdout.splitlines())
    store = redis.Redis.from_url(env["DAYBOOK_REDIS"])
    store.config_set("maxmemory-policy", "allkeys-lru")
    psutil.Process(int(rows(folder)["worker-redis"][1])).kill()
    try:
        until(folder, "worker-redis", "refused")
        done = daybook("up", "--detach", "--data", folder)
    finally:
        store.config_set("maxmemory-policy", "noeviction")
    assert done.returncode == 1
    assert "daybook: worker-redis ended while starting; the end of" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("daybook: Redis at 127.0.0.1")
    assert "set it to noeviction" in done.stderr.splitlines()[-1]
    assert daybook("up", "--detach", "--data", folder).returncode == 0


def test_a_worker_without_its_servers_says_so_in_one_line(tmp_path: Path) -> None:
    env = dict.fromkeys(("DAYBOOK_POSTGRES", "DAYBOOK_CLICKHOUSE", "DAYBOOK_REDIS"), "redis://127.0.0.1:1/0")
    done = daybook("worker", "--role", "streams", env={**env, "DAYBOOK_KAFKA": "127.0.0.1:1"}, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("daybook: Kafka at 127.0.0.1:1 does not answer: ")
    assert done.stderr.count("\n") == 1


def test_down_leaves_nothing_behind_and_up_in_the_foreground_ends_with_ctrl_c(folder: Path, tmp_path: Path) -> None:
    done = daybook("down", "--data", folder)
    assert done.returncode == 0, done.stderr
    assert processes_of(folder) == []
    assert daybook("status", "--data", folder).returncode == 1
    assert daybook("down", "--data", folder).returncode == 0

    command = [*DAYBOOK, "up", "--data", folder]
    told = tmp_path / "told"
    with told.open("w") as out, started(command, out) as foreground:
        deadline = time.monotonic() + 60
        while "all is ready" not in told.read_text() and time.monotonic() < deadline:
            assert foreground.poll() is None, told.read_text()
            time.sleep(0.1)
        assert daybook("verify", "--data", folder).returncode == 0
        psutil.Process(int(rows(folder)["redis"][1])).kill()
        while "redis: died" not in told.read_text() and time.monotonic() < deadline:
            time.sleep(0.1)
        foreground.send_signal(signal.SIGINT)
        assert foreground.wait(60) == 1, "it says that something did not run at the end"
    assert told.read_text().splitlines()[-1] == "daybook: not running at the end: redis"
    assert processes_of(folder) == []
