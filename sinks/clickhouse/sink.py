"""Rows into ClickHouse: one insert a table and batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clickhouse_connect.datatypes.registry import get_from_name

from schemas import faultpoints, tables, topics
from sinks.address import shown
from sinks.base import Refused, Stop
from sinks.batch import Batch, Place
from sinks.chunking import each_replay, latest, newest_daily, newest_of_users, newest_per_minute, once, winners
from sinks.clickhouse import encode, events, progress, trending
from sinks.clickhouse.client import connect
from sinks.clickhouse.retry import ERRORS, UNFIT, judge

_SETTINGS = {
    "max_partitions_per_insert_block": 0,  # a chunk of old imports may touch hundreds of months
    "async_insert": 0,  # when the answer comes, it is stored
}


class ClickHouseSink:
    """Events, entities, positions, daily rows, progress, refused events and their replays.

    Each insert is all or nothing for a month's partition; a batch is so only for who waits for write.
    """

    role = "clickhouse"
    topics = (
        *(topic.name for topic in topics.SOURCES),
        topics.LEDGER.name,
        topics.DAILY.name,
        topics.PROGRESS.name,
        topics.TRENDING.name,
        topics.REJECTED.name,
        topics.REPLAYED.name,
    )
    tables = (
        *(tables.EVENTS, tables.ENTITIES, tables.POSITIONS, tables.DAILY, tables.PROGRESS, tables.TRENDING),
        *(tables.REJECTED, tables.REPLAYED),
    )
    rows_per_write = 50_000
    linger_s = 1.0

    def __init__(self, url: str) -> None:
        self._url = url
        self._where = shown("ClickHouse", url)
        self._client: Any = None
        self._types: dict[str, dict[str, Any]] = {}

    async def open(self) -> None:
        await self._connected()

    async def write(self, batch: Batch) -> None:
        # Encoded before the first insert, because encoding may refuse; positions last, because they say that the
        # entities before them are here.
        encoded = {
            "events": events.columns(batch.events),
            "entities": encode.entities(winners(batch.entities)),
            "daily": encode.daily(newest_daily(batch.daily)),
            "progress": progress.columns(newest_of_users(batch.progress)),
            "trending": trending.columns(newest_per_minute(batch.trending)),
            "rejected": encode.rejected(once(batch.rejected)),
            "replayed": encode.replayed(each_replay(batch.replayed)),
            "positions": encode.positions(latest(batch.positions)),
        }
        for table, columns in encoded.items():
            if columns and any(columns.values()):
                await self._insert(table, columns)
                faultpoints.reach("clickhouse.inserted")

    async def resume(self, committed: Mapping[Place, int]) -> Mapping[Place, int]:
        return committed

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _insert(self, table: str, columns: encode.Columns) -> None:
        client = await self._connected()
        types = self._types[table]
        try:
            await client.insert(
                table,
                list(columns.values()),
                column_names=list(columns),
                column_types=[types[name] for name in columns],
                column_oriented=True,
                settings=_SETTINGS,
            )
        except KeyError as why:
            raise Stop(f"{self._where}: table {table} has no column {why}: run daybook migrate") from why
        except (*ERRORS, *UNFIT) as why:
            error = judge(why, self._where)
            if table == "entities" and isinstance(error, Refused):
                # Owners evict what ClickHouse holds (docs/adr/0017): a winner set aside would be lost.
                raise Stop(f"{error}: a winner cannot be stored, and must not be passed over") from why
            raise error from why

    async def _connected(self) -> Any:
        """The client; at first, also the types of all columns, which tell whether the tables are there."""
        if self._client is None:
            client = await connect(self._url)
            try:
                for table in self.tables:
                    described = await client.query(f"DESCRIBE TABLE {table.clickhouse}")
                    self._types[str(table.clickhouse)] = {r[0]: get_from_name(r[1]) for r in described.result_rows}
            except BaseException as why:
                await client.close()
                raise judge(why, self._where) if isinstance(why, ERRORS) else why from None
            self._client = client
        return self._client
