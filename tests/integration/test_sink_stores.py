"""What one store has that the others have not: partitions and row-level security, views, time to live, noeviction."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import chain
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from redis.asyncio import Redis
from sink_kit import by_key, event, make, null_row, row, user

from schemas.ledger import KIND_OF_TYPE, Winner
from schemas.positions import Position
from sinks import aside
from sinks.base import Behind, Retry, Stop
from sinks.batch import Batch, EntityRow, PositionRow
from sinks.clickhouse.client import connected
from sinks.clickhouse.sink import ClickHouseSink
from sinks.migrate import MigrationError, migrate, migrations
from sinks.postgres.sink import PostgresSink
from sinks.redis.sink import FILLED, RedisSink


def at_database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


@pytest.fixture
async def postgres(stack: Any) -> AsyncIterator[str]:
    """A database of its own, empty."""
    name = f"t_{uuid.uuid4().hex[:12]}"
    async with await psycopg.AsyncConnection.connect(stack.endpoints.postgres, autocommit=True) as connection:
        await connection.execute(f"CREATE DATABASE {name}")
        yield at_database(stack.endpoints.postgres, name)
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def clickhouse(stack: Any) -> AsyncIterator[str]:
    """A database of its own, empty."""
    name = f"t_{uuid.uuid4().hex[:12]}"
    async with connected(stack.endpoints.clickhouse) as client:
        await client.command(f"CREATE DATABASE {name}")
        yield at_database(stack.endpoints.clickhouse, name)
        await client.command(f"DROP DATABASE {name}")


@pytest.fixture
async def redis(stack: Any) -> AsyncIterator[str]:
    """A database of its own, empty."""
    url = at_database(stack.endpoints.redis, "7")
    async with Redis.from_url(url) as client:
        await client.flushdb()
        yield url
        await client.flushdb()


async def tables_of(url: str) -> set[str]:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        found = await connection.execute("SELECT relname FROM pg_class WHERE relkind IN ('r', 'p')")
        return {name for (name,) in await found.fetchall()}


async def test_migrations_are_applied_once_also_by_two_at_once(postgres: str, clickhouse: str) -> None:
    everything = [f"{store}/{m.name}" for store in ("postgres", "clickhouse") for m in migrations(store)]
    done = await asyncio.gather(*(migrate(postgres, clickhouse) for _ in range(3)))
    assert sorted(chain.from_iterable(done)) == sorted(everything)
    assert await migrate(postgres, clickhouse) == []


async def test_an_edited_migration_is_refused_by_both_stores(postgres: str, clickhouse: str) -> None:
    await migrate(postgres, clickhouse)
    async with await psycopg.AsyncConnection.connect(postgres, autocommit=True) as connection:
        await connection.execute("UPDATE schema_migrations SET checksum = 'x' WHERE name LIKE '0002%'")
    with pytest.raises(MigrationError, match=r"postgres/0002_rejected\.sql was changed"):
        await migrate(postgres, None)
    async with connected(clickhouse) as client:
        await client.insert("schema_migrations", [["0001_events.sql", "x"]], column_names=["name", "checksum"])
        await client.command("OPTIMIZE TABLE schema_migrations FINAL")
    with pytest.raises(MigrationError, match=r"clickhouse/0001_events\.sql was changed"):
        await migrate(None, clickhouse)


async def test_stores_that_were_not_migrated_say_what_to_do(postgres: str, clickhouse: str) -> None:
    with pytest.raises(Stop, match="has no table user_metrics_daily: run daybook migrate"):
        await PostgresSink(postgres).open()
    with pytest.raises(Stop, match="run daybook migrate"):
        await ClickHouseSink(clickhouse).open()


@pytest.mark.parametrize("role", ["postgres", "clickhouse", "redis"])
async def test_wrong_passwords_and_dead_ports_are_told_apart_in_one_line(stack: Any, role: str) -> None:
    url = getattr(stack.endpoints, role)
    password = urlsplit(url).password
    wrong, dead = url.replace(password, "wrong"), url.replace(str(urlsplit(url).port), "9")
    for bad, then in ((wrong, Stop), (dead, Retry)):
        sink = {"postgres": PostgresSink, "clickhouse": ClickHouseSink, "redis": RedisSink}[role](bad)
        with pytest.raises(then) as told:
            await sink.open()
        await sink.close()
        assert "\n" not in str(told.value)
        assert f"127.0.0.1:{urlsplit(bad).port}" in str(told.value)
        assert password not in str(told.value)


async def test_migrate_without_a_server_is_one_line_too(stack: Any) -> None:
    dead = stack.endpoints.postgres.replace(str(urlsplit(stack.endpoints.postgres).port), "9")
    with pytest.raises(Retry, match=r"^PostgreSQL at 127\.0\.0\.1:9/daybook: "):
        await migrate(dead, None)


async def test_months_are_made_as_rows_need_them_also_by_two_writers_at_once(postgres: str) -> None:
    await migrate(postgres, None)
    sinks = [PostgresSink(postgres) for _ in range(3)]
    dates = [f"20{year}-{month:02}-15" for year in (10, 25, 26, 99) for month in range(1, 13)]
    rows = [[row(f"u{n}", 1, date) for date in ("1970-01-02", "2009-12-31", *dates, "2100-01-01")] for n in range(3)]
    await asyncio.gather(*(sink.write(Batch(daily=some)) for sink, some in zip(sinks, rows, strict=True)))
    for sink in sinks:
        await sink.close()
    made = {name for name in await tables_of(postgres) if name.startswith("user_metrics_daily_")}
    assert made == {"user_metrics_daily_before_2010", "user_metrics_daily_from_2100"} | {
        f"user_metrics_daily_{date[:7].replace('-', '_')}" for date in dates
    }
    async with await psycopg.AsyncConnection.connect(postgres) as connection:
        found = await connection.execute("SELECT count(*) FROM user_metrics_daily")
        assert await found.fetchone() == (sum(map(len, rows)),)


async def test_a_month_that_was_dropped_is_made_again(postgres: str) -> None:
    await migrate(postgres, None)
    kept = make("postgres", type("E", (), {"postgres": postgres}))
    await kept.sink.write(Batch(daily=[row("u", 1)]))
    async with await psycopg.AsyncConnection.connect(postgres, autocommit=True) as connection:
        await connection.execute("DROP TABLE user_metrics_daily_2026_03")
    rows = [row("u", 2)]
    with pytest.raises(Retry, match="no partition"):
        await kept.sink.write(Batch(daily=rows))
    await kept.sink.write(Batch(daily=rows))
    assert await kept.stored(rows) == by_key(rows)
    await kept.sink.close()


async def test_who_reads_for_a_user_sees_that_users_rows_only(postgres: str) -> None:
    await migrate(postgres, None)
    sink = PostgresSink(postgres)
    await sink.write(Batch(daily=[row("ann", 1), row("ann", 1, "2026-04-01"), row("bob", 1)]))
    await sink.close()
    async with await psycopg.AsyncConnection.connect(postgres, autocommit=True) as connection:
        counts = {}
        for who in ("ann", "bob", "nobody", None):
            async with connection.transaction():
                await connection.execute("SET LOCAL ROLE daybook_reader")
                if who is not None:
                    await connection.execute("SELECT set_config('app.user', %s, true)", (who,))
                found = await connection.execute("SELECT count(*) FROM user_metrics_daily")
                counts[who] = (await found.fetchone() or (None,))[0]
        assert counts == {"ann": 2, "bob": 1, "nobody": 0, None: 0}
        async with connection.transaction():
            await connection.execute("SET LOCAL ROLE daybook_reader")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):  # the back door: the partition itself
                await connection.execute("SELECT * FROM user_metrics_daily_2026_03")


async def test_a_row_that_only_postgresql_refuses_is_set_aside(postgres: str) -> None:
    await migrate(postgres, None)
    kept = make("postgres", type("E", (), {"postgres": postgres}))
    good, bad = [row("a", 1), row("z", 1)], [row("nul\x00", 1), row("big", 2**63)]
    refused = await aside.write(kept.sink, Batch(daily=[good[0], *bad, good[1]]))
    assert [found for found, _ in refused] == bad
    assert await kept.stored(good) == by_key(good)
    await kept.sink.close()


def winner(revision: int, digest: bytes, type_name: str = "water.logged", ml: int = 0) -> Winner:
    values = (ml,) if type_name == "water.logged" else ()
    deleted = type_name.endswith(".deleted")
    return Winner(revision, deleted, digest, 1772364660000, 60, KIND_OF_TYPE[type_name], "ios/1", None, values, None)


async def test_views_are_right_before_merges(clickhouse: str) -> None:
    await migrate(None, clickhouse)
    sink = ClickHouseSink(clickhouse)
    await sink.open()
    async with connected(clickhouse) as client:
        for table in ("events", "entities", "daily", "positions", "rejected"):
            await client.command(f"SYSTEM STOP MERGES {table}")
        meal = {"type": "meal.logged", "subject": "u", "entity": "m1"}
        plan = {"type": "goal.set", "subject": "u", "entity": "g"}
        goal = {"metric": "steps", "target": 1, "direction": "at_least"}
        events = [
            event("meals", offset=0, **meal, data={"meal_type": "tea", "items": [{"name": "x", "energy_kcal": 1}]}),
            event("meals", offset=1, **meal, revision=3, data={"meal_type": "tea"}),
            event("meals", offset=2, **meal, revision=2, data={"meal_type": "dinner"}),
            event("meals", offset=3, type="meal.deleted", subject="u", entity="gone", revision=1),
            event("meals", offset=4, type="meal.logged", subject="u", entity="gone", data={"meal_type": "tea"}),
            event("plans", offset=0, **plan, data={**goal, "effective_from": "2026-01-01"}),
            event("plans", offset=1, **plan, data={**goal, "effective_from": "2026-02-01"}),
            event("views", offset=0, type="view.recorded", subject="u", data={"content": "v", "watched_s": 3}),
        ]
        low, high = b"a" * 16, b"b" * 16
        ent = ("u", "body", "w", None)
        winners = [winner(2, high, ml=7), winner(2, low, ml=8), winner(1, high, "water.deleted")]
        at = [PositionRow("meals", 0, Position(1, flush, "id", 10 * flush)) for flush in (2, 1)]
        for n in range(len(events)):
            some = {"entities": [EntityRow(*ent, winners[n % 3])], "positions": [at[n % 2]]}
            await sink.write(Batch(events=events[n:], daily=[row("u", n + 1), null_row("v", n + 1)], **some))
        current = await client.query("SELECT topic, offset, entity FROM events_current ORDER BY topic, offset")
        assert current.result_rows == [
            ("meals", 1, "m1"),
            ("plans", 0, "g"),
            ("plans", 1, "g"),
            ("views", 0, events[-1].event.id),
        ]
        found = await client.query("SELECT revision, deleted, digest, contribution FROM entities_current")
        assert found.result_rows == [(2, False, high, '{"water_ml":7}')]
        found = await client.query("SELECT flush, next_offset, version FROM positions_current")
        assert found.result_rows == [(2, 20, (1 << 40) + 2)]
        found = await client.query("SELECT user_id, steps, version FROM daily_current")
        assert found.result_rows == [("u", len(events), len(events))]
        parts = await client.query("SELECT count() FROM system.parts WHERE active AND database = currentDatabase()")
        assert parts.result_rows[0][0] > 4 * len(events)  # nothing was merged: the views did it
    await sink.close()


async def test_events_keep_the_bytes_as_they_came(clickhouse: str) -> None:
    await migrate(None, clickhouse)
    sink = ClickHouseSink(clickhouse)
    await sink.open()
    one = event("meals", type="meal.logged", subject="ü\n'\"\\", data={"meal_type": "tea", "odd": "\t\u2028é"})
    await sink.write(Batch(events=[one]))
    async with connected(clickhouse) as client:
        found = await client.query("SELECT raw, subject FROM events", column_formats={"raw": "bytes"})
        assert found.result_rows == [(one.raw, one.event.subject)]
    await sink.close()


async def test_dates_beyond_what_clickhouse_holds_do_not_hold_up_the_events(clickhouse: str) -> None:
    await migrate(None, clickhouse)
    sink = ClickHouseSink(clickhouse)
    await sink.open()
    goal = {"metric": "steps", "target": 1, "direction": "at_least", "effective_until": "9999-12-31"}
    far = {"subject": "u", "type": "goal.set", "sentat": "9999-12-31T00:00:00Z"}
    rows = [event("plans", offset=n, **far, data={**goal, "effective_from": f"{n}001-01-01"}) for n in range(3)]
    await sink.write(Batch(events=rows))
    async with connected(clickhouse) as client:
        found = await client.query("SELECT register, kind FROM events_current ORDER BY register")
        assert found.result_rows == [("0001-01-01", "steps"), ("1001-01-01", "steps"), ("2001-01-01", "steps")]
    await sink.close()


async def test_one_batch_may_touch_hundreds_of_months(clickhouse: str) -> None:
    await migrate(None, clickhouse)
    sink = ClickHouseSink(clickhouse)
    await sink.open()
    dates = [f"{year}-{month:02}-01" for year in range(2005, 2030) for month in range(1, 13)]
    await sink.write(Batch(daily=[row("u", 1, date) for date in dates]))
    async with connected(clickhouse) as client:
        found = await client.query("SELECT count(), min(date), max(date) FROM daily_current")
        assert found.result_rows[0][0] == len(dates)
        months = await client.query(
            "SELECT uniqExact(partition) FROM system.parts"
            " WHERE active AND table = 'daily' AND database = currentDatabase()"
        )
        assert months.result_rows[0][0] == 20 * 12  # what is older lies with the first
    await sink.close()


async def test_a_redis_that_may_throw_rows_away_is_refused(redis: str) -> None:
    async with Redis.from_url(redis) as client:
        await client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            with pytest.raises(Stop, match=r"may throw rows away \(maxmemory-policy allkeys-lru\)"):
                await RedisSink(redis).open()
        finally:
            await client.config_set("maxmemory-policy", "noeviction")


async def test_a_row_in_redis_lives_from_its_last_change_on(redis: str) -> None:
    sink = RedisSink(redis, keep=timedelta(days=3))
    key = "daybook:day:u:2026-03-01"
    async with Redis.from_url(redis) as client:
        await sink.write(Batch(daily=[row("u", 1)]))
        assert 3 * 86_400 - 60 < await client.ttl(key) <= 3 * 86_400
        await client.expire(key, 100)
        await sink.write(Batch(daily=[row("u", 1)]))
        assert await client.ttl(key) <= 100
        await sink.write(Batch(daily=[row("u", 2)]))
        assert await client.ttl(key) > 100
        await client.script_flush()  # a restarted Redis knows no scripts
        await sink.write(Batch(daily=[null_row("u", 3)]))
        left = await client.hgetall(key)
        assert left == {b"version": b"3", b"user_id": b"u", b"date": b"2026-03-01"}
    await sink.close()


async def test_a_key_that_is_no_hash_is_set_aside(redis: str) -> None:
    kept = make("redis", type("E", (), {"redis": redis}))
    good, bad = [row(user(), 1) for _ in range(5)], row("taken", 1)
    async with Redis.from_url(redis) as client:
        await client.set("daybook:day:taken:2026-03-01", "mine")
        refused = await aside.write(kept.sink, Batch(daily=[*good, bad]))
        assert [found for found, _ in refused] == [bad]
        assert await client.get("daybook:day:taken:2026-03-01") == b"mine"
    assert await kept.stored(good) == by_key(good)
    await kept.sink.close()


async def test_redis_says_how_far_it_holds_everything_and_notices_when_it_lost_it(redis: str) -> None:
    sink, place = RedisSink(redis), ("daily", 0)
    assert await sink.resume({place: 0}) == {place: 0}
    await sink.write(Batch(daily=[row("u", 1)], through={place: 10}))
    await sink.write(Batch(through={place: 12}))
    again = RedisSink(redis)
    assert await again.resume({place: 12}) == {place: 12}
    assert await again.resume({place: 5}) == {place: 5}
    async with Redis.from_url(redis) as client:
        await client.flushdb()
        with pytest.raises(Behind):
            await sink.write(Batch(daily=[row("u", 2)], through={place: 20}))
        assert await client.hget(FILLED, "daily/0") is None  # it claims nothing that it does not hold
        assert await sink.resume({place: 12}) == {place: 0}
        await sink.write(Batch(daily=[row("u", 2)], through={place: 20}))
        await client.hset(FILLED, "daily/0", "15")  # restored from an older copy
        with pytest.raises(Behind):
            await sink.write(Batch(through={place: 21}))
        assert await sink.resume({place: 20}) == {place: 15}
    await sink.close()
    await again.close()
