"""Is anybody who was erased in a store? Asked of every table and key that is somebody's, while anybody is on the list.

A sink that stood still while its person was erased, and was continued afterwards, writes one more batch: nothing can
refuse that. It shows here, and the person is erased once more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import psycopg
import redis
from psycopg import sql

from daybook import suppressing
from daybook.erasing.stores import CLICKHOUSE_TABLES, POSTGRES_TABLES
from daybook.settings import Settings
from sinks.clickhouse import client as clickhouse
from sinks.postgres.connect import as_writer

_AT_ONCE = 10_000
_OF_DAY = re.compile(rb"daybook:day:(.*):\d{4}-\d\d-\d\d", re.DOTALL)
_OF_USER = re.compile(rb"daybook:(?:progress|recommendations|recommendations-at):(.*)", re.DOTALL)


def differences(settings: Settings) -> list[str]:
    """One line per table that holds somebody who was erased, with the keyed hash; names are not said."""
    erased = suppressing.known(settings)
    if not erased:
        return []
    found: dict[tuple[str, str], None] = {}
    for where, user in everybody(settings):
        if erased.has(user):
            found[where, erased.hash_of(user).hex()] = None
    cure = "erase the person once more (daybook erase, or daybook repair, which needs no name)"
    return [f"{where}: holds {who}, who was erased; {cure}" for where, who in found]


def everybody(settings: Settings) -> Iterator[tuple[str, bytes]]:
    """Store and table, and whose rows it holds; of Redis some come twice."""
    with psycopg.connect(as_writer(settings.address("postgres")), autocommit=True) as connection:
        for (table,) in connection.execute(POSTGRES_TABLES).fetchall():
            with connection.transaction(), connection.cursor("everybody") as cursor:
                cursor.itersize = _AT_ONCE
                cursor.execute(sql.SQL("SELECT DISTINCT user_id FROM {}").format(sql.Identifier(table)))
                for (user,) in cursor:
                    yield f"postgres/{table}", user.encode()
    with clickhouse.dial(settings.address("clickhouse")) as client:
        for table, column in client.query(CLICKHOUSE_TABLES).result_rows:
            with client.query_row_block_stream(f"SELECT DISTINCT {column} FROM {table}") as blocks:
                for block in blocks:
                    for (user,) in block:
                        yield f"clickhouse/{table}", user.encode()
    with redis.Redis.from_url(settings.address("redis")) as store:
        for key in store.scan_iter(match="daybook:*", count=_AT_ONCE):
            if (named := _OF_DAY.fullmatch(key) or _OF_USER.fullmatch(key)) is not None:
                yield "redis", named[1]
