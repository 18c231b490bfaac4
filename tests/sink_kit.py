"""What tests of sinks share: rows to write, and the four sinks with a way to look at what they hold."""

from __future__ import annotations

import itertools
import json
import time
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

import sinks
from schemas.codec import Rejected, reader
from schemas.progress import ProgressRow
from schemas.rows import DailyRow, ReplayedRow
from sinks.base import Sink
from sinks.batch import EventRow
from sinks.clickhouse.read import ClickHouseReader
from sinks.memory import MemorySink
from sinks.migrate import migrate
from sinks.postgres.read import PostgresReader
from sinks.redis.read import RedisReader

READERS: dict[str, Any] = {"postgres": PostgresReader, "clickhouse": ClickHouseReader, "redis": RedisReader}
Key = tuple[str, str]
Found = dict[Key, DailyRow]
_serial = itertools.count()


@dataclass
class Kept:
    """A sink, opened, and its reader."""

    sink: Sink
    reader: Any

    async def stored(self, rows: Iterable[DailyRow]) -> Found:
        """What the store holds of the keys of these rows; rows of nulls are no rows."""
        keys = sorted({(r.user_id, r.date) for r in rows})
        if isinstance(self.sink, MemorySink):
            return {k: r for k in keys if (r := self.sink.daily.get(k)) is not None and not r.is_null}
        found: Found = await self.reader.read(keys)
        return found

    async def progress(self, rows: Iterable[ProgressRow]) -> dict[str, ProgressRow]:
        """What the store holds of the users of these rows."""
        users = sorted({r.user_id for r in rows})
        if isinstance(self.sink, MemorySink):
            return {u: r for u in users if (r := self.sink.progress.get(u)) is not None and not r.is_null}
        found: dict[str, ProgressRow] = await self.reader.progress(users)
        return found

    async def rejected(self, topic: str) -> list[tuple[int, bytes | None, bytes | None]]:
        """Offset, bytes and key of the refused events of a topic."""
        if isinstance(self.sink, MemorySink):
            rows = sorted(self.sink.rejected.items())
            return [(r.offset, r.raw, r.key) for (t, _, _), r in rows if t == topic]
        return [(r.offset, r.raw, r.key) for r in await self.reader.rejected(topic)]

    async def replayed(self, topic: str) -> list[ReplayedRow]:
        """The replays of a topic."""
        if isinstance(self.sink, MemorySink):
            return [row for row in self.sink.replayed if row.topic == topic]
        found: list[ReplayedRow] = await self.reader.replayed(topic)
        return found


def make(role: str, endpoints: Any) -> Kept:
    """The sink of a role, not opened yet."""
    if role == "memory":
        return Kept(MemorySink(), None)
    url = getattr(endpoints, role)
    return Kept(sinks.build(role, url), READERS[role](url))


def user() -> str:
    """A user that no other test has; signs that trip those who quote by hand."""
    return f"{uuid.uuid4().hex[:8]}|ü:'\"\\{next(_serial)}"


def row(user_id: str, version: int, date: str = "2026-03-01", **fields: Any) -> DailyRow:
    """A daily row with something on it."""
    return DailyRow(user_id, date, version, **{"entities": 1, "steps": version, **fields})


def null_row(user_id: str, version: int, date: str = "2026-03-01") -> DailyRow:
    """Nothing is left on that day."""
    return DailyRow(user_id, date, version)


def by_key(rows: Iterable[DailyRow]) -> Found:
    return {(r.user_id, r.date): r for r in rows}


def event(topic: str, partition: int = 0, offset: int = 0, **fields: Any) -> EventRow:
    """An accepted event of just now."""
    received_ms = int(time.time() * 1000)
    raw = raw_event(**fields)
    got = reader(topic)(raw, received_ms)
    assert not isinstance(got, Rejected), got
    return EventRow(topic, partition, offset, received_ms, raw, *got)


def raw_event(**fields: Any) -> bytes:
    """CloudEvents JSON; what is not given is filled in, None leaves it out."""
    whole = {
        "specversion": "1.0",
        "id": uuid.uuid4().hex,
        "source": "ios/5.2.0",
        "time": "2026-03-01T12:31:00+01:00",
        "data": {},
        **fields,
    }
    return json.dumps({name: value for name, value in whole.items() if value is not None}).encode()


@asynccontextmanager
async def opened(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Kept, Any]]:
    """For a fixture with stores as its parameters: the sink, open, and which store where."""
    endpoints = None if request.param == "memory" else request.getfixturevalue("stack").endpoints
    if endpoints is not None:
        await migrate(endpoints.postgres, endpoints.clickhouse)
    made = make(request.param, endpoints)
    await made.sink.open()
    yield made, (request.param, endpoints)
    await made.sink.close()
