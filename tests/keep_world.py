"""A small installation for tests of what is kept: PostgreSQL and ClickHouse with what the streams would have written.

The real ledger folds generated events, the real sinks write what it says; Kafka and the workers are left out. Redis is
empty: whatever is not there counts as expired.
"""

from __future__ import annotations

import json
import time
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg

from daybook import settings, verify
from daybook.stored import Range, Stores
from producers import generate
from producers.publish import route
from schemas.codec import reader
from schemas.ledger import split_key, unpack_winner
from schemas.rows import DailyRow, decode_daily
from schemas.topics import DAILY
from sinks.batch import Batch, EntityRow, EventRow
from sinks.clickhouse.client import connected
from sinks.clickhouse.sink import ClickHouseSink
from sinks.migrate import migrate
from sinks.postgres.sink import PostgresSink
from streams.daily.core import Ledger
from streams.daily.definitions import InForce
from streams.daily.rows import row
from streams.state import Records

DAY_MS = 86_400_000


@dataclass
class World:
    """Two databases of their own, and the ledger that says what stands in them."""

    settings: settings.Settings
    ledger: Ledger = field(default_factory=Ledger)
    offsets: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    winners: dict[bytes, bytes] = field(default_factory=dict)
    flush: int = 0

    async def takes(self, events: Iterable[bytes], received_ms: int | None = None) -> list[DailyRow]:
        """Fold events as one flush, and have the sinks write what it says; the rows that changed."""
        at = int(time.time() * 1000) if received_ms is None else received_ms
        by_topic: dict[str, list[tuple[bytes, bytes]]] = defaultdict(list)
        for event in events:
            topic, key, value = route(event)[:3]
            by_topic[topic].append((key, value))
        batch = Batch()
        for topic, records in by_topic.items():
            first = self.offsets[topic]
            self.offsets[topic] += len(records)
            keys, values = [key for key, _ in records], [value for _, value in records]
            if topic != "views":
                numbers = range(first, first + len(records))
                self.ledger.fold(Records(topic, 0, numbers, [at] * len(records), keys, values))
            for offset, value in enumerate(values, first):
                got = reader(topic)(value, at)
                if isinstance(got, tuple):
                    batch.events.append(EventRow(topic, 0, offset, at, value, *got))
        return await self._flush(batch)

    async def says_again(self, user: str | None = None) -> list[DailyRow]:
        """All rows, or those of one user, once more under a higher version, as after a rebuild."""
        again = Ledger()
        again.restore(list(self.winners), list(self.winners.values()))
        self.flush += 1
        rows = [
            row(subject, day, cell, whole.entities, self.flush, whole.book)
            for subject, whole in again.users.items()
            if user in (None, subject)
            for day, cell in whole.warm().items()
        ]
        await self._write(Batch(daily=rows))
        return rows

    async def _flush(self, batch: Batch) -> list[DailyRow]:
        self.flush += 1
        drained = self.ledger.drain(self.flush)
        for key, winner in drained.state:
            if winner is not None and not key.startswith(b"\0"):
                self.winners[key] = winner
                batch.entities.append(EntityRow(*split_key(key), unpack_winner(winner)))
        batch.daily = [decode_daily(value) for _, value in drained.rows[DAILY.name] if value is not None]
        await self._write(batch)
        return batch.daily

    async def _write(self, batch: Batch) -> None:
        for sink in (
            PostgresSink(self.settings.address("postgres")),
            ClickHouseSink(self.settings.address("clickhouse")),
        ):
            await sink.open()
            await sink.write(batch)
            await sink.close()

    def differences(self) -> list[str]:
        """What verify would say of the days; Redis is empty, which is no difference."""
        with Stores(self.settings, redis_ttl_ms=-DAY_MS) as stores:
            return [
                line for _, line in verify.compare(stores, InForce(), Range(None, None))[2] if " progress " not in line
            ]

    async def count(self, store: str, what: str) -> int:
        """Rows, by a query `SELECT count(*) FROM what`."""
        query = f"SELECT count(*) FROM {what}"
        if store == "postgres":
            async with await psycopg.AsyncConnection.connect(self.settings.address("postgres")) as connection:
                found = await (await connection.execute(query.encode())).fetchone()
                assert found is not None
                return int(found[0])
        async with connected(self.settings.address("clickhouse")) as client:
            return int((await client.query(query)).result_rows[0][0])


def population(users: int = 3, days: int = 40, seed: int = 3) -> list[bytes]:
    """Events of a few people, a month and more."""
    return list(generate.events(users=users, days=days, seed=seed))


def meal(user: str, time_: str, kcal: float, **more: Any) -> bytes:
    """One meal."""
    data = {"meal_type": "snack", "items": [{"name": "keepsake", "energy_kcal": kcal}]}
    event = {
        "specversion": "1.0", "id": uuid.uuid4().hex, "source": "ios/5.2.0", "type": "meal.logged",
        "subject": user, "time": time_, "data": data, **more,
    }  # fmt: skip
    return json.dumps(event).encode()


@asynccontextmanager
async def world(endpoints: Any, **flags: Any) -> AsyncIterator[World]:
    """Migrated databases of their own on the shared servers."""
    name = f"t_{uuid.uuid4().hex[:12]}"

    def at(url: str, database: str) -> str:
        return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))

    async with (
        await psycopg.AsyncConnection.connect(endpoints.postgres, autocommit=True) as postgres,
        connected(endpoints.clickhouse) as clickhouse,
    ):
        await postgres.execute(f"CREATE DATABASE {name}".encode())
        await clickhouse.command(f"CREATE DATABASE {name}")
        urls = {
            "postgres": at(endpoints.postgres, name),
            "clickhouse": at(endpoints.clickhouse, name),
            "redis": at(endpoints.redis, "9"),
        }
        await migrate(urls["postgres"], urls["clickhouse"])
        try:
            yield World(settings.read(kafka="127.0.0.1:1", **urls, **flags))
        finally:
            await clickhouse.command(f"DROP DATABASE {name}")
            await postgres.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
