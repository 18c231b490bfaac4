"""Rows into PostgreSQL: one transaction a batch."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import psycopg
from msgspec.structs import astuple
from psycopg import AsyncConnection

from schemas import faultpoints, tables, topics
from schemas.progress import ProgressRow
from schemas.rows import DailyRow
from sinks.address import shown
from sinks.base import Refusal, Retry
from sinks.batch import Batch, Place
from sinks.chunking import each_replay, newest_daily, newest_lists, newest_of_users, once
from sinks.days import as_of_day
from sinks.postgres import affinity, encode, progress, trending
from sinks.postgres.connect import as_writer
from sinks.postgres.retry import NO_MONTH, judge

_CONNECT: dict[str, str | int] = {
    "application_name": "daybook-sink",
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
_SESSION = "SET statement_timeout = '60s'; SET lock_timeout = '20s'; SET idle_in_transaction_session_timeout = '60s'"
_MONTHS = """
SELECT substring(relname from '\\d{4}_\\d\\d$') FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
WHERE inhparent = to_regclass('user_metrics_daily') AND relname ~ '_\\d{4}_\\d\\d$'
"""


class PostgresSink:
    """Daily rows, progress, trending lists and blocks, tastes, recommendations, refused events and their replays."""

    role = "postgres"
    topics = (
        *(topics.DAILY.name, topics.PROGRESS.name, topics.TRENDING.name, topics.TRENDING_BLOCKS.name),
        *(topics.AFFINITY.name, topics.RECOMMENDATIONS.name, topics.REJECTED.name, topics.REPLAYED.name),
    )
    tables = (
        *(tables.DAILY, tables.PROGRESS, tables.STREAKS, tables.RECORDS),
        *(tables.TRENDING, tables.BLOCKS, tables.TASTES, tables.RECOMMENDATIONS, tables.REJECTED, tables.REPLAYED),
    )
    rows_per_write = 10_000
    linger_s = 0.0

    def __init__(self, url: str) -> None:
        """`url`: of a login that may act as the writer (connect.py)."""
        self._url = url
        self._where = shown("PostgreSQL", url)
        self._connection: AsyncConnection | None = None
        self._months: set[str] = set()

    async def open(self) -> None:
        try:
            connection = await self._connected()
            missing = await connection.execute(
                "SELECT name FROM unnest(%s::text[]) AS name WHERE to_regclass(name) IS NULL",
                ([t.postgres for t in self.tables],),
            )
            if (first := await missing.fetchone()) is not None:
                raise Refusal(f"{self._where} has no table {first[0]}: run daybook migrate")
        except psycopg.Error as why:
            raise judge(why, self._where) from why

    async def write(self, batch: Batch) -> None:
        daily, users, rejected = newest_daily(batch.daily), newest_of_users(batch.progress), once(batch.rejected)
        replayed = [astuple(row) for row in each_replay(batch.replayed)]
        for each in users:
            as_of_day(each)
        lists = [trending.upserted(row) for row in newest_lists(batch.trending)]
        blocks = [trending.filed(row) for row in batch.blocks]
        likes = [affinity.tastes(row) for row in newest_of_users(batch.tastes)]
        suggested = [affinity.recommendations(row) for row in newest_of_users(batch.recommendations)]
        if not any((daily, users, lists, blocks, likes, suggested, rejected, replayed)):
            return
        try:
            connection = await self._connected()
            await self._make_months(connection, daily)
            async with connection.transaction(), connection.cursor() as cursor:
                if daily:
                    await self._upsert(cursor, daily)
                if users:
                    await self._upsert_progress(cursor, users)
                if lists:
                    await cursor.executemany(trending.UPSERT, lists)
                if blocks:
                    await cursor.executemany(trending.FILE_BLOCK, blocks)
                if likes:
                    await cursor.executemany(affinity.UPSERT_TASTES, likes)
                if suggested:
                    await cursor.executemany(affinity.UPSERT_RECOMMENDATIONS, suggested)
                if rejected:
                    await cursor.executemany(encode.FILE_REJECTED, [encode.rejected(row) for row in rejected])
                if replayed:
                    await cursor.executemany(encode.FILE_REPLAYED, replayed)
                faultpoints.reach("postgres.upserted")
        except (psycopg.Error, OSError, OverflowError) as why:
            if NO_MONTH in str(why):
                self._months.clear()
            error = judge(why, self._where)
            if isinstance(error, Retry):
                await self.close()  # whatever state the connection is in
            raise error from why
        except asyncio.CancelledError:
            await self.close()
            raise

    async def resume(self, committed: Mapping[Place, int]) -> Mapping[Place, int]:
        return committed

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _connected(self) -> AsyncConnection:
        if self._connection is None or self._connection.closed:
            self._connection = await AsyncConnection.connect(as_writer(self._url), autocommit=True, **_CONNECT)  # type: ignore[arg-type]
            await self._connection.execute(_SESSION)
            for stage in (encode.STAGE, *progress.STAGE):
                await self._connection.execute(stage)
            months = await (await self._connection.execute(_MONTHS)).fetchall()
            self._months = {name.replace("_", "-") for (name,) in months}
        return self._connection

    async def _make_months(self, connection: AsyncConnection, rows: Sequence[DailyRow]) -> None:
        """Partitions first, each in a transaction of its own, so that no lock is held while rows are written."""
        for month in sorted(encode.months(rows) - self._months):
            await connection.execute("SELECT user_metrics_daily_make_month(%s::date)", (f"{month}-01",))
            self._months.add(month)

    @staticmethod
    async def _upsert(cursor: psycopg.AsyncCursor[tuple[object, ...]], rows: Sequence[DailyRow]) -> None:
        async with cursor.copy(encode.COPY) as copy:
            copy.set_types(encode.STAGED_TYPES)
            for row in encode.staged(rows):
                await copy.write_row(row)
        await cursor.execute(encode.UPSERT)

    @staticmethod
    async def _upsert_progress(cursor: psycopg.AsyncCursor[tuple[object, ...]], rows: Sequence[ProgressRow]) -> None:
        async with cursor.copy(progress.COPY) as copy:
            copy.set_types(progress.STAGED_TYPES)
            for row in progress.staged(rows):
                await copy.write_row(row)
        for statement in progress.UPSERT:
            await cursor.execute(statement.encode())
