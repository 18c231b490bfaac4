"""What is dropped by policy on the real servers: exactly what is due, and nobody takes it for lost."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from keep_world import DAY_MS, World, meal, population, world

from daybook.keep import months, once
from sinks.batch import Batch
from sinks.clickhouse.client import connected
from sinks.migrate import migrations, statements
from sinks.postgres.sink import PostgresSink

TODAY = datetime.now(UTC).date()
IN_TWO_YEARS = TODAY + timedelta(days=732)
"""Everything that was written today is due then (also where midnight passes meanwhile), and nothing two days before."""


@pytest.fixture
async def kept(stack: Any) -> AsyncIterator[World]:
    async with world(stack.endpoints) as found:
        yield found


def passed(kept: World, today: date) -> dict[str, int]:
    """What a pass did; a session of its own, as the role audit has."""
    return {each.what: each.rows for each in once.keep(kept.settings, today) if each.rows}


async def on(store: str, kept: World, statement: str) -> None:
    if store == "postgres":
        async with await psycopg.AsyncConnection.connect(kept.settings.address("postgres")) as connection:
            await connection.execute(statement.encode())
    else:
        async with connected(kept.settings.address("clickhouse")) as client:
            await client.command(statement)


async def test_rows_leave_two_years_after_their_last_change_and_a_late_event_brings_a_whole_day_back(
    kept: World,
) -> None:
    rows = [r for r in await kept.takes(population(users=2)) if not r.is_null]
    for store, table in (("postgres", "user_metrics_daily"), ("clickhouse", "daily_current")):
        assert await kept.count(store, table) == len(rows), store
    assert kept.differences() == []
    assert "daily" not in passed(kept, IN_TWO_YEARS - timedelta(days=2)), "the last change is not two years ago"
    winners = await kept.count("clickhouse", "entities_current")
    parts = await kept.count("postgres", "pg_inherits WHERE inhparent = 'user_metrics_daily'::regclass")

    told = {each.what: each.rows for each in once.look(kept.settings, IN_TWO_YEARS)}
    did = passed(kept, IN_TWO_YEARS)
    assert did["daily"] == told["daily"] >= len(rows)
    for store, table in (("postgres", "user_metrics_daily"), ("clickhouse", "daily")):
        assert await kept.count(store, table) == 0, store
    assert await kept.count("clickhouse", "entities_current") == winners
    assert did["months dropped"] >= 2
    assert await kept.count("postgres", "pg_inherits WHERE inhparent = 'user_metrics_daily'::regclass") < parts + 3
    assert kept.differences() == [], "what was dropped by policy is not missing"
    assert "daily" not in passed(kept, IN_TWO_YEARS)

    full = max((r for r in rows if (r.meals_logged or 0) > 1), key=lambda r: r.meals_logged or 0)
    (back,) = await kept.takes([meal(full.user_id, f"{full.date}T12:00:00+00:00", 95)])
    assert back.meals_logged == (full.meals_logged or 0) + 1, "the whole day, and the late meal"
    assert back.workouts_completed == full.workouts_completed
    for store, table in (("postgres", "user_metrics_daily"), ("clickhouse", "daily_current")):
        assert await kept.count(store, f"{table} WHERE meals_logged = {back.meals_logged}") == 1
    assert kept.differences() == []

    await on("postgres", kept, "DELETE FROM user_metrics_daily")
    (line, *_) = kept.differences()
    assert line.startswith(f"{full.user_id} {full.date}"), "what came back may not get lost, though it once was dropped"
    assert "postgres None" in line


async def test_what_a_rebuild_says_again_leaves_again_unless_something_changed(kept: World) -> None:
    rows = [r for r in await kept.takes(population(users=2, days=10)) if not r.is_null]
    passed(kept, IN_TWO_YEARS)
    some = next(r for r in rows if r.meals_logged)
    await kept.takes([meal(some.user_id, f"{some.date}T12:00:00+00:00", 95)])
    again = await kept.says_again()
    assert kept.differences() == []
    soon = TODAY + timedelta(days=700)  # nothing is that old: the rows are of today
    assert passed(kept, soon)["daily"] == len(again) - 1
    for store, table in (("postgres", "user_metrics_daily"), ("clickhouse", "daily_current")):
        assert await kept.count(store, table) == 1, "the day that changed stays"
    assert kept.differences() == []

    alone = PostgresSink(kept.settings.address("postgres"))  # which reads its topic from the start, as without offsets
    await alone.write(Batch(daily=again))
    await alone.close()
    assert await kept.count("postgres", "user_metrics_daily") == len(again)
    assert kept.differences() == []
    assert passed(kept, soon)["swept"] == len(again) - 1
    assert await kept.count("postgres", "user_metrics_daily") == 1


async def test_a_pass_that_was_cut_short_is_gone_on_with(kept: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await kept.takes(population(users=1, days=5))

    def crash(*_: object) -> int:
        raise ConnectionError("cut")

    with monkeypatch.context() as patched:
        patched.setattr(months, "drop_days", crash)
        with pytest.raises(ConnectionError):
            passed(kept, IN_TWO_YEARS)
    assert kept.differences() == [], "registered, and nothing deleted yet"
    with monkeypatch.context() as patched:
        patched.setattr("daybook.keep.raw.delete", lambda client, table, *_: crash() if table == "daily" else None)
        with pytest.raises(ConnectionError):
            passed(kept, IN_TWO_YEARS)
    assert await kept.count("postgres", "user_metrics_daily") == 0
    assert kept.differences() == [], "PostgreSQL has none of them, ClickHouse all"
    passed(kept, IN_TWO_YEARS)
    assert await kept.count("clickhouse", "daily") == 0
    assert kept.differences() == []


async def test_an_older_version_does_not_come_to_light_when_the_newest_leaves(kept: World) -> None:
    """Versions of a row may lie in files that were never merged."""
    await on("clickhouse", kept, "ALTER TABLE daily MODIFY SETTING max_bytes_to_merge_at_max_space_in_pool = 1")
    await kept.takes([meal("ann", "2026-03-01T12:00:00+00:00", 100)])
    await kept.takes([meal("ann", "2026-03-01T13:00:00+00:00", 100)])
    assert await kept.count("clickhouse", "daily") == 2
    passed(kept, IN_TWO_YEARS)
    assert await kept.count("clickhouse", "daily") == 0


async def test_events_leave_by_the_day_of_their_receipt_views_sooner(kept: World) -> None:
    now_ms = int(datetime.combine(TODAY, datetime.min.time(), UTC).timestamp() * 1000) + DAY_MS // 2
    view = {"type": "view.recorded", "data": {"content": "v", "watched_s": 40}}
    for age in (7, 8, 90, 91):
        await kept.takes(
            [
                meal(f"of {age} days", "2026-03-01T12:00:00+00:00", 100),
                meal(f"of {age} days", "2026-03-01T12:00:00+00:00", 100, **view),
            ],
            now_ms - age * DAY_MS,
        )
    rejected = 'topic, partition, "offset", received_at, reason, path'
    for age in (90, 91):
        day = TODAY - timedelta(days=age)
        values = f"VALUES ('meals', 0, {age}, '{day} 12:00:00', 'no', '')"
        await on("postgres", kept, f"INSERT INTO rejected ({rejected}) {values}")
        await on("clickhouse", kept, f"INSERT INTO rejected ({rejected}) {values}")
    assert await kept.count("clickhouse", "events") == 8
    told = {each.what: each.rows for each in once.look(kept.settings)}
    assert (told["raw"], told["views"], told["rejected"]) == (1, 3, 1)
    did = passed(kept, TODAY)
    assert (did["raw"], did["views"], did["rejected"]) == (1, 3, 1)
    assert await kept.count("clickhouse", "events WHERE topic = 'meals' AND subject != 'of 91 days'") == 3
    assert await kept.count("clickhouse", "events WHERE topic = 'views' AND subject = 'of 7 days'") == 1
    assert await kept.count("clickhouse", "events") == 4
    for store in ("postgres", "clickhouse"):
        assert await kept.count(store, 'rejected WHERE "offset" = 90') == 1
        assert await kept.count(store, "rejected") == 1
    assert kept.differences() == [], "the winners say what the events said"


async def test_months_are_made_ahead_and_a_month_in_use_is_left(kept: World) -> None:
    (migration,) = [m for m in migrations("clickhouse") if m.name.endswith("_keep.sql")]
    for statement in statements(migration.sql):  # a migration of ClickHouse that was cut short is run again
        await on("clickhouse", kept, statement)
    url = kept.settings.address("postgres")
    with months.connect(url) as connection:
        made = months.make_ahead(connection, date(2031, 11, 30), 2)
        assert made == [date(2031, 11, 1), date(2031, 12, 1), date(2032, 1, 1)]
        assert months.make_ahead(connection, date(2031, 11, 30), 2) == []
        with psycopg.connect(url) as other:
            other.execute("SELECT count(*) FROM user_metrics_daily")  # its lock lasts as long as its transaction
            assert months.drop_empty(connection, date(2040, 1, 1), 730) == []
        assert set(made) <= set(months.drop_empty(connection, date(2040, 1, 1), 730))


async def test_one_pass_at_a_time(kept: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(once, "_PATIENT_S", 0.0)
    holds, done = threading.Event(), threading.Event()

    def hold() -> None:
        with once.opened(kept.settings) as (_, connection), once.alone(connection):
            holds.set()
            done.wait(30)

    task = asyncio.create_task(asyncio.to_thread(hold))
    await asyncio.to_thread(holds.wait, 30)
    with pytest.raises(once.Problem, match="another pass is under way"):
        once.keep(kept.settings)
    done.set()
    await task
    once.keep(kept.settings)
