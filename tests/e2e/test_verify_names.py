"""Whoever changes what is stored is found out: verify names the store, the user, the day and the metric."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import clickhouse_connect
import psycopg
import pytest
import redis
from command_line import daybook

from producers import generate
from producers.publish import publish

POPULATION = {"users": 10, "days": 20, "seed": 11}


@pytest.fixture(autouse=True, scope="module")
def last(shared: Path) -> Iterator[None]:
    """The last that share the stack stop it: left alone until the end of the run it would take a fifth of a core."""
    yield
    daybook("down", "--data", shared, timeout_s=180)


def ran(*words: str, data: Path, fails: bool = False) -> str:
    """Run a command to its end, which must be the expected one; its standard output."""
    done: subprocess.CompletedProcess[str] = daybook(*words, "--data", data, timeout_s=120)
    assert done.returncode == int(fails), f"{words}: {done.stdout}\n{done.stderr}"
    return done.stdout


def address(server: str, data: Path) -> str:
    lines = dict(line.split("=", 1) for line in ran("env", data=data).splitlines())
    return lines[f"DAYBOOK_{server.upper()}"]


def test_verify_names_what_was_changed_behind_its_back(shared: Path) -> None:
    data = shared
    publish(address("kafka", data), generate.events(**POPULATION))
    ran("wait", "--timeout", "90", data=data)
    ran("verify", data=data)
    with psycopg.connect(address("postgres", data)) as connection:
        user, day = connection.execute(
            "select user_id, date::text from user_metrics_daily where meals_logged > 0"
            " and user_id ~ '^u_[0-9]+$' order by 1, 2 limit 1"
        ).fetchone() or ("", "")
        connection.execute(
            "update user_metrics_daily set meals_logged = 99 where user_id = %s and date = %s", (user, day)
        )
        connection.execute("update user_streaks set longest = 0 where user_id = %s and streak = 'meals'", (user,))
    with redis.Redis.from_url(address("redis", data)) as store:
        store.hincrbyfloat(f"daybook:day:{user}:{day}", "energy_kcal", 0.001)
        store.hset("daybook:day:nobody:2026-03-01", mapping={"version": 1, "entities": 1, "steps": 5})
        store.hset(f"daybook:progress:{user}", "covered_days", "9999")
        gone = next(key for key in store.scan_iter(f"daybook:day:{user}:*") if day not in key.decode())
        store.delete(gone)
    with clickhouse_connect.get_client(dsn=address("clickhouse", data)) as client:
        columns = "* REPLACE (version + 1 AS version, protein_g + 1 AS protein_g)"
        client.command(
            f"INSERT INTO daily SELECT {columns} FROM daily_current WHERE user_id = '{user}' AND date = '{day}'"
        )
    lines = ran("verify", data=data, fails=True).splitlines()
    told = [line for line in lines if line.startswith(f"{user} {day} ")]
    assert any("meals_logged" in line and "postgres 99" in line for line in told)
    assert any("energy_kcal" in line and "redis" in line for line in told)
    assert any("protein_g" in line and "clickhouse" in line for line in told)
    assert len(told) == 3
    progressed = [line for line in lines if line.startswith(f"{user} progress ")]
    assert len(progressed) == 2
    assert any("covered_days" in line and "redis 9999" in line for line in progressed)
    assert any("streaks.meals" in line and "postgres" in line for line in progressed)
    assert any(line.startswith("nobody 2026-03-01 steps: events None, redis 5") for line in lines)
    assert any(line.startswith(f"{user} {gone.decode()[-10:]} ") and "redis None" in line for line in lines)
