"""A connection to each of the three stores, for whoever looks into all of them at once."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import psycopg
import redis

from daybook.settings import Settings
from sinks.clickhouse import client as clickhouse
from sinks.postgres.connect import AS_USER_FOR_LONG, READER, WRITER, acting_as


class Connected:
    """Not shared between threads; `close`, or leaving the `with`, lets go of the connections."""

    def __init__(
        self, settings: Settings, *, of: str | None = None, clickhouse_patience_s: int = 300, **redis_options: Any
    ) -> None:
        """`of`: whose rows alone PostgreSQL shall show, and it is only read; None: everybody's.
        `clickhouse_patience_s`: how long an answer may take; `redis_options`: as of redis.Redis."""
        role = WRITER if of is None else READER
        self._postgres = psycopg.connect(acting_as(role, settings.address("postgres")), autocommit=True)
        if of is not None:
            self._postgres.execute(AS_USER_FOR_LONG, (of,))
        self._clickhouse = clickhouse.dial(
            settings.address("clickhouse"),
            send_receive_timeout=clickhouse_patience_s,
        )
        self._redis = redis.Redis.from_url(settings.address("redis"), **redis_options)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, why: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._postgres.close()
        self._clickhouse.close()
        self._redis.close()
