"""Numbered SQL files, applied in order, each once: PostgreSQL and ClickHouse.

What was applied is written down beside the tables (`schema_migrations`: name, checksum, when). Two runs at once are
safe: the whole of a run holds an advisory lock of PostgreSQL. There each file is one transaction; ClickHouse has none,
so its statements are written to be repeated (IF NOT EXISTS, OR REPLACE), and a file that was cut short is run again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib.resources import files

import psycopg

from sinks.address import shown
from sinks.base import SinkError, Stop
from sinks.clickhouse import client as clickhouse
from sinks.clickhouse.cluster import alike, rendered
from sinks.postgres.retry import judge

_LOCK = 0x64617962  # "dayb"
_CLICKHOUSE_LIST = """CREATE TABLE IF NOT EXISTS schema_migrations
(name String, checksum String, applied_at DateTime('UTC') DEFAULT now())
ENGINE = ReplacingMergeTree(applied_at) ORDER BY name"""
_NUMBERED = re.compile(r"\d{4}_\w+\.sql", re.ASCII)


class MigrationError(Stop):
    """The files and what was applied do not fit; the line says which and what to do."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file."""

    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations(store: str) -> list[Migration]:
    """The files of one store (postgres, clickhouse) in order."""
    folder = files(f"sinks.{store}.migrations")
    found = sorted(f.name for f in folder.iterdir() if _NUMBERED.fullmatch(f.name))
    return [Migration(name, folder.joinpath(name).read_text(encoding="utf-8")) for name in found]


def pending(store: str, known: Iterable[Migration], applied: Mapping[str, str]) -> list[Migration]:
    """The migrations that are to be applied now; `applied`: name → checksum.

    Raises MigrationError if an applied file was changed, or if the database is newer than these files.
    """
    by_name = {m.name: m for m in known}
    for name, checksum in sorted(applied.items()):
        if name not in by_name:
            raise MigrationError(f"{store} has {name} applied, which this version of Daybook does not know")
        if by_name[name].checksum != checksum:
            raise MigrationError(
                f"{store}/{name} was changed after it was applied: restore it, and write the change into a new file"
            )
    return [m for m in by_name.values() if m.name not in applied]


def statements(sql: str) -> list[str]:
    """The statements of a file for ClickHouse, which takes one at a time: each ends with `;` at the end of a line."""
    plain = re.sub(r"^\s*--.*$", "", sql, flags=re.MULTILINE)
    return [s.strip() for s in re.split(r";\s*$", plain, flags=re.MULTILINE) if s.strip()]


async def migrate(postgres: str | None, clickhouse_url: str | None, cluster: str | None = None) -> list[str]:
    """Apply what is missing in the stores whose URLs are given; returns what was applied, as store/name.

    `cluster`: of ClickHouse, whose tables are made on all its servers (sinks/clickhouse/cluster.py).

    Raises MigrationError, or what the sinks raise (Retry: not reachable; Stop).
    """
    done: list[str] = []
    async with AsyncExitStack() as held:
        if postgres is not None:
            await _postgres(postgres, held, done)
        if clickhouse_url is not None:
            await _clickhouse(clickhouse_url, done, cluster)
    return done


async def _postgres(url: str, held: AsyncExitStack, done: list[str]) -> None:
    try:
        connection = await psycopg.AsyncConnection.connect(url, autocommit=True, connect_timeout=5)
        held.push_async_callback(connection.close)  # which also lets go of the lock
        await connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations"
            " (name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        rows = await (await connection.execute("SELECT name, checksum FROM schema_migrations")).fetchall()
        for migration in pending("postgres", migrations("postgres"), dict(rows)):
            async with connection.transaction():
                await connection.execute(migration.sql.encode())
                await connection.execute(
                    "INSERT INTO schema_migrations (name, checksum) VALUES (%s, %s)",
                    (migration.name, migration.checksum),
                )
            done.append(f"postgres/{migration.name}")
        async with connection.transaction():
            await connection.execute(files("sinks.postgres").joinpath("grants.sql").read_bytes())
    except psycopg.Error as why:
        raise _named(judge(why, shown("PostgreSQL", url))) from why


async def _clickhouse(url: str, done: list[str], cluster: str | None) -> None:
    async with clickhouse.connected(url) as client:
        run: Callable[[str], Awaitable[object]] = client.command
        await run(alike(_CLICKHOUSE_LIST, cluster))
        found = await client.query("SELECT name, checksum FROM schema_migrations FINAL")
        for migration in pending("clickhouse", migrations("clickhouse"), dict(found.result_rows)):
            for statement in statements(migration.sql):
                for each in rendered(statement, cluster):
                    await run(each)
            await client.insert(
                "schema_migrations", [[migration.name, migration.checksum]], column_names=["name", "checksum"]
            )
            done.append(f"clickhouse/{migration.name}")


def _named(error: SinkError) -> SinkError:
    return Stop(str(error)) if type(error).__name__ == "Refused" else error
