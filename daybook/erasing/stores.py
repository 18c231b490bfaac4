"""One person in the stores: how much there is of them, and taking all of it away.

Tables are found by their columns (`user_id`, in ClickHouse `subject` too), so a table that is new is not forgotten.
Refused events have no such column: theirs are those under the person's key, those whose JSON names the person, and
those that are no JSON but hold the name.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import psycopg
import redis
from psycopg import sql
from psycopg.rows import dict_row

from daybook.connected import Connected
from daybook.errors import Problem
from daybook.settings import Settings
from schemas.suppression import says_of
from schemas.tables import DAILY, PROGRESS, RECOMMENDATIONS

POSTGRES_TABLES = """
SELECT c.relname FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
WHERE a.attname = 'user_id' AND NOT a.attisdropped AND c.relkind IN ('r', 'p') AND NOT c.relispartition
AND c.relnamespace = 'public'::regnamespace ORDER BY c.relname"""
CLICKHOUSE_TABLES = """
SELECT table, name FROM system.columns AS c
WHERE database = currentDatabase() AND name IN ('user_id', 'subject') AND table IN (
    SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'
) ORDER BY 1"""
_ERASING = "CREATE TABLE IF NOT EXISTS erasing (subject String) ENGINE = Memory"
"""Whom the mutations delete is in memory alone: the text of a mutation is kept in ClickHouse's files for long."""
_ATTEMPTS = 3
_SCAN = 5_000
_REWRITE_S = 600.0
_MUTATION_S = 3_600


class Place(NamedTuple):
    """Where a refused event lay."""

    topic: str
    partition: int
    offset: int


class Stores(Connected):
    """All three, as far as they are about one person."""

    def __init__(self, settings: Settings, user: str) -> None:
        super().__init__(settings, clickhouse_patience_s=_MUTATION_S)
        self._user = user

    @property
    def postgres(self) -> psycopg.Connection[Any]:
        """The connection to PostgreSQL, which also keeps what erasures said."""
        return self._postgres

    def counts(self) -> dict[str, int]:
        """Store and table → rows or keys that are the person's."""
        found: dict[str, int] = {}
        for (table,) in self._postgres.execute(POSTGRES_TABLES).fetchall():
            counting = sql.SQL("SELECT count(*) FROM {} WHERE user_id = %s").format(sql.Identifier(table))
            row = self._postgres.execute(counting, (self._user,)).fetchone()
            found[f"postgres/{table}"] = 0 if row is None else row[0]
        found["postgres/rejected"] = len(list(self._refused_in_postgres()))
        for table, column in self._clickhouse_tables():
            query = f"SELECT count() FROM {table} WHERE {column} = {{user:String}}"
            ((count,),) = self._query(query)
            found[f"clickhouse/{table}"] = count
        found["clickhouse/rejected"] = len(list(self._refused_in_clickhouse()))
        found["redis/keys"] = len(self._keys())
        return found

    def rows(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Store, table and row of all of it."""
        for (table,) in self._postgres.execute(POSTGRES_TABLES).fetchall():
            query = sql.SQL("SELECT row_to_json(t) FROM {} AS t WHERE user_id = %s").format(sql.Identifier(table))
            for (row,) in self._postgres.execute(query, (self._user,)).fetchall():
                yield "postgres", table, row
        places = list(self._refused_in_postgres())
        for place in places:
            query_one = 'SELECT * FROM rejected WHERE topic = %s AND partition = %s AND "offset" = %s'
            with self._postgres.cursor(row_factory=dict_row) as cursor:
                for row in cursor.execute(query_one, place).fetchall():
                    yield "postgres", "rejected", row
        for table, column in self._clickhouse_tables():
            query_all = f"SELECT * FROM {table} FINAL WHERE {column} = {{user:String}}"
            found = self._clickhouse.query(query_all, parameters={"user": self._user})
            for row in found.named_results():
                yield "clickhouse", table, dict(row)
        for key in self._keys():
            yield "redis", key.decode(errors="backslashreplace"), {"value": self._value(key)}

    def _value(self, key: bytes) -> Any:
        kind = self._redis.type(key)
        if kind == b"hash":
            return self._redis.hgetall(key)
        return self._redis.lrange(key, 0, -1) if kind == b"list" else self._redis.get(key)

    def delete(self) -> None:
        """Delete all of it; returns once it is gone. Raises Problem if something is still there."""
        self._delete_from_postgres()
        self._delete_from_clickhouse()
        self._delete_from_redis()

    # -- PostgreSQL

    def _delete_from_postgres(self) -> None:
        places = list(self._refused_in_postgres())
        tables = [table for (table,) in self._postgres.execute(POSTGRES_TABLES).fetchall()]
        with self._postgres.transaction(), self._postgres.cursor() as cursor:
            for table in tables:
                cursor.execute(
                    sql.SQL("DELETE FROM {} WHERE user_id = %s").format(sql.Identifier(table)), (self._user,)
                )
            for rejected in ("replayed", "rejected"):
                statement = f'DELETE FROM {rejected} WHERE topic = %s AND partition = %s AND "offset" = %s'
                cursor.executemany(statement.encode(), places)

    def _refused_in_postgres(self) -> Iterator[Place]:
        name = self._user.encode()
        query = """
SELECT topic, partition, "offset", key, raw FROM rejected
WHERE key = %(name)s OR position(%(name)s IN raw) > 0 OR position(%(escaped)s IN raw) > 0"""
        with self._postgres.transaction(), self._postgres.cursor("refused") as cursor:
            cursor.execute(query, {"name": name, "escaped": _escaped(self._user)})
            for topic, partition, offset, key, raw in cursor:
                if self._is_theirs(key, raw):
                    yield Place(topic, partition, offset)

    # -- ClickHouse

    def _clickhouse_tables(self) -> list[tuple[str, str]]:
        return [(table, column) for table, column in self._clickhouse.query(CLICKHOUSE_TABLES).result_rows]

    def _query(self, query: str) -> list[tuple[Any, ...]]:
        return list(map(tuple, self._clickhouse.query(query, parameters={"user": self._user}).result_rows))

    def _delete_from_clickhouse(self) -> None:
        """A mutation a table that holds anything of the person, waited for. Files of before go minutes later."""
        client = self._clickhouse
        client.command(_ERASING)
        for _ in range(_ATTEMPTS):
            left = []
            for table, column in self._clickhouse_tables():
                if self._query(f"SELECT count() FROM {table} WHERE {column} = {{user:String}}") != [(0,)]:
                    left.append((table, column))
            if not left:
                break
            client.command("TRUNCATE TABLE erasing")
            client.insert("erasing", [[self._user]], column_names=["subject"])
            for table, column in left:
                client.command(
                    f"ALTER TABLE {table} DELETE WHERE {column} IN (SELECT subject FROM erasing)",
                    settings={"mutations_sync": 2, "allow_nondeterministic_mutations": 1},
                )
            client.command("TRUNCATE TABLE erasing")
        else:
            raise Problem(f"ClickHouse still holds rows of the person in {left[0][0]}: call this again")
        places = list(self._refused_in_clickhouse())
        for at in range(0, len(places), 1_000):
            listed = ", ".join(f"('{p.topic}', {p.partition}, {p.offset})" for p in places[at : at + 1_000])
            for table in ("rejected", "replayed"):
                statement = f"ALTER TABLE {table} DELETE WHERE (topic, partition, offset) IN ({listed})"
                client.command(statement, settings={"mutations_sync": 2})

    def _refused_in_clickhouse(self) -> Iterator[Place]:
        query = """
SELECT topic, partition, offset, key, raw FROM rejected
WHERE key = {user:String} OR position(coalesce(raw, ''), {user:String}) > 0
    OR position(coalesce(raw, ''), {escaped:String}) > 0"""
        parameters = {"user": self._user, "escaped": _escaped(self._user).decode()}
        formats: dict[str, Any] = {"key": "bytes", "raw": "bytes"}
        rows = self._clickhouse.query(query, parameters=parameters, column_formats=formats).result_rows
        seen = set()
        for topic, partition, offset, key, raw in rows:
            place = Place(topic, partition, offset)
            if place not in seen and self._is_theirs(key, raw):
                seen.add(place)
                yield place

    def _is_theirs(self, key: bytes | None, raw: bytes | None) -> bool:
        name = self._user.encode()
        if key is not None and bytes(key) == name:
            return True
        said = says_of(None if raw is None else bytes(raw))
        return said == name or (said is None and raw is not None and name in bytes(raw))

    # -- Redis

    def _keys(self) -> list[bytes]:
        assert DAILY.redis is not None
        assert PROGRESS.redis is not None
        assert RECOMMENDATIONS.redis is not None
        own = RECOMMENDATIONS.redis.format(user_id=self._user)
        exact = {
            PROGRESS.redis.format(user_id=self._user).encode(),
            own.encode(),
            own.replace("daybook:recommendations:", "daybook:recommendations-at:", 1).encode(),
        }
        day = re.escape(DAILY.redis.format(user_id=self._user, date="").encode()) + rb"\d{4}-\d\d-\d\d"
        pace = rb"daybook:pace:\{[a-z]+:[a-z]+:" + re.escape(self._user.encode()) + rb"\}:\d+"
        theirs = re.compile(day + b"|" + pace, re.DOTALL)
        pattern = "daybook:*" + re.sub(r"([\[\]*?\\^])", r"\\\1", self._user) + "*"
        found = self._redis.scan_iter(match=pattern, count=_SCAN)
        return sorted({key for key in found if key in exact or theirs.fullmatch(key)})

    def _delete_from_redis(self) -> None:
        keys = self._keys()
        for at in range(0, len(keys), 500):
            self._redis.unlink(*keys[at : at + 500])
        if not keys:
            return
        persistence: dict[str, Any] = self._redis.info("persistence")
        if persistence.get("aof_enabled"):  # its log says every word again that was ever written
            self._rewrite()

    def _rewrite(self) -> None:
        """Have Redis write its log anew, and wait for it."""
        deadline = time.monotonic() + _REWRITE_S
        begun = False
        while time.monotonic() < deadline:
            said: dict[str, Any] = self._redis.info("persistence")
            under_way = said.get("aof_rewrite_in_progress") or said.get("aof_rewrite_scheduled")
            if not under_way and begun:
                return
            if not under_way:
                try:
                    self._redis.bgrewriteaof()
                    begun = True
                except redis.ResponseError:  # another child of it is at work
                    pass
            time.sleep(0.05)
        raise Problem("Redis does not end the rewriting of its append-only file: call this again")


def _escaped(text: str) -> bytes:
    """As JSON writes it where it writes nothing but ASCII."""
    return json.dumps(text)[1:-1].encode()
