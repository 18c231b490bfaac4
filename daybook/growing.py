"""The sizes of all tables, asked of the stores themselves, and kept hour by hour in ClickHouse."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import Any, NamedTuple

import psycopg
import redis

from daybook.growth import Growth, Look, full_in, growth
from daybook.keep import once
from daybook.keep.archive import Archive
from daybook.settings import Settings
from schemas.metrics import Meters

EVERY_S = 1_200.0
_CLICKHOUSE = """
SELECT name, coalesce(total_rows, 0), coalesce(total_bytes, 0) FROM system.tables
WHERE database = currentDatabase() AND endsWith(engine, 'MergeTree') AND NOT is_temporary"""
_POSTGRES = """
SELECT coalesce(whole.relname, part.relname)::text,
       sum(greatest(part.reltuples::bigint, pg_stat_get_live_tuples(part.oid), 0))::bigint,
       sum(pg_total_relation_size(part.oid))::bigint
FROM pg_class AS part
LEFT JOIN pg_inherits ON inhrelid = part.oid LEFT JOIN pg_class AS whole ON whole.oid = inhparent
WHERE part.relkind = 'r' AND part.relnamespace = current_schema()::regnamespace GROUP BY 1"""
_DISKS = """
SELECT name, free_space FROM system.disks WHERE total_space BETWEEN 1 AND 9223372036854775807 ORDER BY name"""
_LOOKS = """
SELECT store, name, at, rows, bytes FROM growth FINAL WHERE hour >= now() - toIntervalDay({days:UInt32})"""


class Size(NamedTuple):
    """How large one table is now."""

    store: str
    name: str
    rows: int
    """Of PostgreSQL its own estimate."""
    bytes: int


class Report(NamedTuple):
    """All tables, the largest of each store first."""

    tables: list[Growth]
    full_in_days: dict[str, float | None]
    """Disk of ClickHouse → days until it is full, if all goes on like this; None: never, or nobody knows."""


def look(settings: Settings, meters: Meters | None = None) -> list[Size]:
    """Look at all sizes now, and keep what was seen. Raises what a store that is away does."""
    with once.opened(settings) as (client, connection):
        found = sizes(settings, client, connection)
        at = datetime.now(UTC)
        hour = at.replace(minute=0, second=0, microsecond=0)
        rows = [[each.store, each.name, hour, at, each.rows, each.bytes] for each in found]
        client.insert("growth", rows, column_names=["store", "name", "hour", "at", "rows", "bytes"])
    if meters is not None:
        for each in found:
            meters.set("daybook_table_rows", each.store, each.name, to=each.rows)
            meters.set("daybook_table_bytes", each.store, each.name, to=each.bytes)
    return found


def sizes(settings: Settings, client: Any, connection: psycopg.Connection[Any]) -> list[Size]:
    """What each store says of its tables; of the archive, what its manifests say."""
    found = [Size("clickhouse", *row) for row in client.query(_CLICKHOUSE).result_rows]
    found += [Size("postgres", *row) for row in connection.execute(_POSTGRES).fetchall()]
    with redis.Redis.from_url(settings.address("redis"), socket_timeout=10) as store:
        found.append(Size("redis", "keys", int(store.dbsize()), int(store.info("memory")["used_memory"])))
    if settings.archive is not None:
        kinds: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for manifest in Archive(settings.archive).list():
            kinds[manifest.dataset][0] += manifest.rows
            kinds[manifest.dataset][1] += manifest.bytes
        found += [Size("archive", kind, *both) for kind, both in kinds.items()]
    return found


def report(settings: Settings, days: int) -> Report:
    """Look now, and say where the looks of the last days lead."""
    look(settings)
    now = datetime.now(UTC)
    with once.opened(settings) as (client, _):
        kept = client.query(_LOOKS, parameters={"days": days}).result_rows
        disks = client.query(_DISKS).result_rows
    looks: dict[tuple[str, str], list[Look]] = defaultdict(list)
    for store, name, at, rows, size in kept:
        looks[store, name].append(Look(at.replace(tzinfo=UTC), rows, size))
    tables = [growth(*at, each, now, days) for at, each in looks.items()]
    tables.sort(key=lambda each: (each.store, -each.bytes, each.name))
    of_clickhouse = [each for each in tables if each.store == "clickhouse"]
    return Report(tables, {name: full_in(free, of_clickhouse) for name, free in disks})
