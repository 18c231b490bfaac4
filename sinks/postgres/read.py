"""Daily rows and refused events back from PostgreSQL, as the stream sent them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import psycopg

from schemas.progress import ProgressRow
from schemas.rows import DailyRow, RejectedRow, ReplayedRow
from schemas.tables import DAILY, DAILY_COLUMNS, Column
from sinks.postgres import progress
from sinks.postgres.connect import as_writer
from sinks.postgres.encode import array

_NAMES = ", ".join(f"kept.{c.name}" for c in DAILY_COLUMNS)
_BY_KEY = f"""
SELECT {_NAMES} FROM {DAILY.postgres} AS kept
JOIN unnest(%s::text[], %s::date[]) AS wanted (user_id, date) USING (user_id, date)
WHERE kept.entities IS NOT NULL
"""
_REJECTED = """
SELECT topic, partition, "offset", received_at, reason, path, raw, key, original_at FROM rejected WHERE topic = %s
ORDER BY partition, "offset"
"""
_REPLAYED = """
SELECT topic, partition, "offset", to_partition, to_offset, replayed_at FROM replayed WHERE topic = %s
ORDER BY partition, "offset", to_partition, to_offset
"""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = datetime.resolution * 1000


class PostgresReader:
    """Reads on a connection of its own, as the writer: all users' rows. A row of nulls is no row."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def read(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], DailyRow]:
        """The rows of these users and dates; what is not there is left out."""
        users, dates = zip(*keys, strict=True)
        async with await psycopg.AsyncConnection.connect(as_writer(self._url)) as connection:
            found = await connection.execute(_BY_KEY, (array(users), array(dates)))
            rows = [row(values) for values in await found.fetchall()]
        return {(r.user_id, r.date): r for r in rows}

    async def progress(self, users: Iterable[str]) -> dict[str, ProgressRow]:
        """The progress rows of these users; what is not there is left out."""
        async with await psycopg.AsyncConnection.connect(as_writer(self._url)) as connection:
            query = f"{progress.SELECT} AND kept.user_id = ANY (%s)"
            found = await (await connection.execute(query, (list(users),))).fetchall()
        return {r.user_id: r for r in map(progress.row, found)}

    async def rejected(self, topic: str) -> list[RejectedRow]:
        """The refused events of a topic, by partition and offset."""
        async with await psycopg.AsyncConnection.connect(as_writer(self._url)) as connection:
            found = await connection.execute(_REJECTED, (topic,))
            return [RejectedRow(*map(_value, values)) for values in await found.fetchall()]

    async def replayed(self, topic: str) -> list[ReplayedRow]:
        """The replays of a topic, by their places and where they went."""
        async with await psycopg.AsyncConnection.connect(as_writer(self._url)) as connection:
            found = await connection.execute(_REPLAYED, (topic,))
            return [ReplayedRow(*map(_value, values)) for values in await found.fetchall()]


def row(values: Iterable[Any]) -> DailyRow:
    """A daily row from the columns of the table."""
    user_id, day, *rest = values
    return DailyRow(user_id, day.isoformat(), *map(_value, rest, DAILY_COLUMNS[2:]))


def _value(value: Any, column: Column | None = None) -> Any:
    if column is not None and column.is_map:
        return column.of_json(value)
    return (value - _EPOCH) // _MS if isinstance(value, datetime) else value
