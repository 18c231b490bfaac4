"""Daily rows and refused events back from ClickHouse, as the stream sent them: through the view that analysts use."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from schemas.progress import ProgressRow
from schemas.rows import DailyRow, RejectedRow, ReplayedRow
from schemas.tables import DAILY_COLUMNS, Column
from sinks.clickhouse import progress
from sinks.clickhouse.client import connected

_NAMES = ", ".join(c.name for c in DAILY_COLUMNS)
_BY_KEY = f"""
SELECT {_NAMES} FROM daily_current
WHERE user_id IN {{users:Array(String)}} AND (user_id, date) IN arrayZip({{users:Array(String)}}, {{dates:Array(Date)}})
"""
_REJECTED = """
SELECT topic, partition, offset, received_at, reason, path, raw, key, original_at
FROM rejected_current WHERE topic = {topic:String} ORDER BY partition, offset
"""
_REPLAYED = """
SELECT topic, partition, offset, to_partition, to_offset, replayed_at
FROM replayed_current WHERE topic = {topic:String} ORDER BY partition, offset, to_partition, to_offset
"""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = datetime.resolution * 1000


class ClickHouseReader:
    """Reads on a connection of its own. A row of nulls is no row."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def read(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], DailyRow]:
        """The rows of these users and dates; what is not there is left out."""
        users, dates = zip(*keys, strict=True)
        async with connected(self._url) as client:
            found = await client.query(_BY_KEY, parameters={"users": list(users), "dates": list(dates)})
        rows = [row(values) for values in found.result_rows]
        return {(r.user_id, r.date): r for r in rows}

    async def progress(self, users: Iterable[str]) -> dict[str, ProgressRow]:
        """The progress rows of these users; what is not there is left out."""
        async with connected(self._url) as client:
            query = f"SELECT {progress.NAMES} FROM progress_current WHERE user_id IN {{users:Array(String)}}"
            found = await client.query(query, parameters={"users": list(users)})
        return {r.user_id: r for r in map(progress.row, found.result_rows)}

    async def rejected(self, topic: str) -> list[RejectedRow]:
        """The refused events of a topic, by partition and offset."""
        async with connected(self._url) as client:
            formats = {"raw": "bytes", "key": "bytes"}
            found = await client.query(_REJECTED, parameters={"topic": topic}, column_formats=formats)
        return [RejectedRow(*map(_value, values)) for values in found.result_rows]

    async def replayed(self, topic: str) -> list[ReplayedRow]:
        """The replays of a topic, by their places and where they went."""
        async with connected(self._url) as client:
            found = await client.query(_REPLAYED, parameters={"topic": topic})
        return [ReplayedRow(*map(_value, values)) for values in found.result_rows]


def row(values: Iterable[Any]) -> DailyRow:
    """A daily row from the columns of the view; empty maps and lists are null."""
    user_id, day, *rest = values
    return DailyRow(user_id, day.isoformat(), *map(_value, rest, DAILY_COLUMNS[2:]))


def _value(value: Any, column: Column | None = None) -> Any:
    if isinstance(value, datetime):
        return (value.replace(tzinfo=UTC) - _EPOCH) // _MS
    if column is not None and column.is_map_of(tuple):  # named tuples come as dicts
        return column.of_json({k: list(v.values()) for k, v in dict(value).items()} or None)
    if column is not None and column.is_map:
        return column.of_json(dict(value) or None)
    if isinstance(value, dict | list | tuple):
        return (dict(value) if isinstance(value, dict) else list(value)) or None
    return value
