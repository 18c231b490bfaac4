"""`python -m bench.analyst`: fill ClickHouse with a year of people, made up there, and time each query over 30 days."""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import clickhouse_connect

from bench.analyst.queries import queries
from bench.daily.__main__ import machine, say
from sinks.migrate import migrate
from stack.stack import Stack

YEAR, WINDOW = 365, 30
TIMES = 5
USERS = 10_000
LAST = datetime.now(UTC).date()
"""ClickHouse expires events by receipt, so they cannot be long ago."""

_ABOUT = "concat('u_', leftPad(toString(user), 6, '0'))"
_CHANCE = "(cityHash64(user, day, {n}) % 1000 / 1000)"
"""Between 0 and 1, by user, day and a number of its own."""


def chance(n: int) -> str:
    return _CHANCE.format(n=n)


def people(users: int, days: int) -> str:
    """A line per user and day with a row, four days of five; half the people join within the year."""
    return f"""
    SELECT number % {users} AS user, intDiv(number, {users}) AS day, toDate('{LAST}') - {days - 1} + day AS on_day,
           cityHash64(user, 'joined') % {2 * YEAR} - {2 * YEAR - days} AS joined
    FROM numbers({users * days}) WHERE day >= joined AND {chance(0)} < 0.8"""


def daily(users: int) -> str:
    """A year of daily rows."""
    return f"""
    INSERT INTO daily (user_id, date, version, energy_kcal, meals_logged, steps, sleep_minutes, weight_kg, entities,
                       meal_plan_adherence_pct, workout_plan_adherence_pct, workouts_completed, goals)
    SELECT {_ABOUT}, on_day, 1, round(1500 + 1500 * {chance(1)}, 3), 3, toInt64(15000 * {chance(2)}),
           round(300 + 240 * {chance(3)}, 3),
           if(day % 7 = 0, round(60 + user % 40 - day / 100 + {chance(4)}, 3), NULL), 12,
           if(user % 2, round(100 * {chance(5)}, 1), NULL), if(user % 3, round(100 * {chance(6)}, 1), NULL),
           if({chance(7)} < 0.4, 1, NULL),
           map('goal_steps', ('steps', 8000., 'at_least', 0., '2025-01-01', NULL, NULL, {chance(2)} > 0.5))
    FROM ({people(users, YEAR)})"""


def progress(users: int) -> str:
    """A row per user and as-of day, as the history holds them."""
    return f"""
    INSERT INTO progress (user_id, version, as_of, first_date, covered_days)
    SELECT {_ABOUT}, day + 1, on_day, toDate('{LAST}') - {YEAR - 1} + joined, day - joined + 1
    FROM ({people(users, YEAR)})"""


def events(users: int, days: int) -> list[str]:
    """Three meals a day, some edited, and workouts on two days of five, received as they were lived."""
    columns = (
        "topic, partition, offset, received_at, subject, id, source, type, entity, revision, deleted, digest, time"
    )
    at = "toDateTime64(on_day, 3, 'UTC') + {}"
    meal, workout = (
        at.format(f"toIntervalMinute(420 + 300 * part + toInt64(120 * {chance(8)}))"),
        at.format(f"toIntervalMinute(600 + toInt64(600 * {chance(9)}))"),
    )
    crowd = people(users, days)
    return [
        f"""
    INSERT INTO events ({columns}, utc_offset_min, energy_kcal)
    SELECT 'meals', 0, (day * {users} + user) * 8 + part * 2 + edit, {meal}, {_ABOUT}, 'id', 'ios/5', 'meal.logged',
           concat('m_', toString(day), '_', toString(part)), edit + 1, 0, 'd', {meal}, 60,
           round(300 + 700 * {chance(10)}, 3)
    FROM ({crowd}) ARRAY JOIN [0, 1, 2] AS part, [0, 0, 0] AS edit""",
        f"""
    INSERT INTO events ({columns}, utc_offset_min, kind, duration_s)
    SELECT 'workouts', 0, day * {users} + user, {workout}, {_ABOUT}, 'id', 'watch/2', 'workout.completed',
           concat('w_', toString(day)), 1, 0, 'd', {workout}, 60,
           ['strength', 'run', 'ride', 'swim', 'yoga'][1 + user % 5], 1800 + toInt64(3600 * {chance(11)})
    FROM ({crowd}) WHERE {chance(7)} < 0.4""",
    ]


def main() -> None:
    ask = argparse.ArgumentParser(prog="python -m bench.analyst", description=__doc__)
    ask.add_argument("--users", type=int, default=USERS)
    args = ask.parse_args()
    with tempfile.TemporaryDirectory(prefix="daybook-bench-") as folder:
        stack = Stack(Path(folder), say=say)
        try:
            ends = stack.up(["postgres", "clickhouse"])
            asyncio.run(migrate(ends.postgres, ends.clickhouse))
            client = clickhouse_connect.get_client(dsn=ends.clickhouse, autogenerate_session_id=False)
            for fill in (daily(args.users), progress(args.users), *events(args.users, WINDOW)):
                began = time.perf_counter()
                client.command(fill)
                say(f"{fill.split()[2]}: filled in {time.perf_counter() - began:.1f} s")
            counts = {t: client.query(f"SELECT count() FROM {t}").result_rows[0][0] for t in ("daily", "events")}
            say(", ".join(f"{count:,} rows in {table}" for table, count in counts.items()))
            window = {"first": LAST - timedelta(days=WINDOW - 1), "last": LAST}
            took = {}
            for name, sql in queries().items():
                took[name] = round(timed(client, sql, window))
                say(f"{name}: {took[name]} ms")
        finally:
            stack.down()
    print(json.dumps({"users": args.users, **counts, "days": WINDOW, "median_ms": took, "machine": machine()}))


def timed(client: clickhouse_connect.driver.Client, sql: str, window: dict[str, date]) -> float:
    """Median of some runs, in ms, over HTTP and with the result read."""
    found = []
    for _ in range(TIMES):
        began = time.perf_counter()
        assert client.query(sql, parameters=window).result_rows
        found.append(1000 * (time.perf_counter() - began))
    return statistics.median(found)


if __name__ == "__main__":
    main()
