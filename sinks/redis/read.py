"""Daily rows back from Redis, as the stream sent them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from redis.asyncio import Redis

from schemas.progress import ProgressRow
from schemas.rows import DailyRow
from schemas.tables import DAILY_COLUMNS, PROGRESS_COLUMNS, Column
from sinks.redis.encode import key, progress_key

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = datetime.resolution * 1000


class RedisReader:
    """Reads on connections of its own. A row of nulls is no row."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def read(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], DailyRow]:
        """The rows of these users and dates; what is not there, or has expired, is left out."""
        async with Redis.from_url(self._url, decode_responses=True) as redis:
            return {(r.user_id, r.date): r for r in await _rows(redis, [key(*each) for each in keys])}

    async def progress(self, users: Iterable[str]) -> dict[str, ProgressRow]:
        """The progress rows of these users; what is not there, or has expired, is left out."""
        async with Redis.from_url(self._url, decode_responses=True) as redis:
            pipeline = redis.pipeline(transaction=False)
            for user in users:
                pipeline.hgetall(progress_key(user))
            found = [progress_row(fields) for fields in await pipeline.execute() if "as_of" in fields]
        return {r.user_id: r for r in found}


async def _rows(redis: Redis, keys: Iterable[str]) -> list[DailyRow]:
    pipeline = redis.pipeline(transaction=False)
    for each in keys:
        pipeline.hgetall(each)
    return [row(fields) for fields in await pipeline.execute() if "entities" in fields]


def row(fields: Mapping[str, str]) -> DailyRow:
    """A daily row from the fields of its hash."""
    values: list[Any] = [_value(c, fields[c.name]) if c.name in fields else None for c in DAILY_COLUMNS]
    return DailyRow(*values)


def progress_row(fields: Mapping[str, str]) -> ProgressRow:
    """A progress row from the fields of its hash."""
    values: list[Any] = [_value(c, fields[c.name]) if c.name in fields else None for c in PROGRESS_COLUMNS]
    return ProgressRow(*values)


def _value(column: Column, text: str) -> Any:
    if column.name.endswith("_at"):
        return (datetime.fromisoformat(text) - _EPOCH) // _MS
    if column.type is str:
        return text
    if column.type is float or column.type is int:
        return column.type(text)
    return msgspec.json.decode(text, type=column.type)
