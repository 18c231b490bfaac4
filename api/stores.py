"""The stores as the read side asks them: Redis first, PostgreSQL for what Redis does not have, neither for long.

A store that fails a few times in a row is left alone and asked again now and then (`breaker`): a request does not wait
for what was down a moment ago.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from redis.asyncio import Redis
from redis.commands.core import AsyncScript
from redis.exceptions import RedisError

from api.breaker import Breaker
from api.together import Together
from schemas.affinity import Recommendations
from schemas.metrics import Meters
from schemas.progress import ProgressRow
from schemas.rows import DailyRow
from schemas.tables import DAILY, DAILY_COLUMNS
from schemas.trending import TrendingList
from sinks.postgres import affinity as postgres_affinity
from sinks.postgres import progress as postgres_progress
from sinks.postgres import read as postgres_read
from sinks.postgres import trending as postgres_trending
from sinks.postgres.connect import AS_USER, as_reader
from sinks.redis import affinity as redis_affinity
from sinks.redis import read as redis_read
from sinks.redis.affinity import keys as recommendation_keys
from sinks.redis.encode import key, progress_key
from sinks.redis.trending import keys as trending_keys

log = logging.getLogger(__name__)
T = TypeVar("T")

REDIS_S = 0.25
POSTGRES_S = 2.0
"""How long each may take to answer."""
CONNECTIONS = {"redis": 64, "postgres": 8}
"""The most to each."""
_OPTIONS = f"-c statement_timeout={int(POSTGRES_S * 1000)} -c default_transaction_read_only=on"
_NAMES = ", ".join(f"kept.{column.name}" for column in DAILY_COLUMNS)
_DAYS = f"SELECT {_NAMES} FROM {DAILY.postgres} AS kept WHERE user_id = %s AND date = ANY (%s) AND entities IS NOT NULL"


class Away(Exception):
    """A store does not answer; its name."""


class Unmade(Away):
    """PostgreSQL answers, and its tables are not there, or older than this service: `daybook migrate` makes them."""


_UNMADE = (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn, psycopg.errors.InvalidSchemaName)


class Days(NamedTuple):
    """A user's rows by day, and the days of which nobody can say now whether they have one."""

    rows: dict[str, DailyRow]
    unknown: list[str]


class Ranked(NamedTuple):
    """A trending list as Redis has it: scores in thousandths."""

    at_ms: int
    items: list[tuple[str, int]]


class Stores:
    """Connections that are kept. Made without asking anybody; `close` them."""

    def __init__(self, redis: str, postgres: str, meters: Meters) -> None:
        self._meters, self._under_way = meters, dict.fromkeys(CONNECTIONS, 0)
        self._redis = Redis.from_url(
            redis,
            decode_responses=True,
            socket_timeout=REDIS_S,
            socket_connect_timeout=REDIS_S,
            max_connections=CONNECTIONS["redis"],
        )
        self._pool = AsyncConnectionPool(
            as_reader(make_conninfo(postgres, options=_OPTIONS)),
            min_size=1,
            max_size=CONNECTIONS["postgres"],
            max_waiting=200,
            timeout=POSTGRES_S,
            reconnect_timeout=POSTGRES_S,  # else its pauses double for five minutes, also once the server is back
            open=False,
            kwargs={
                "autocommit": True,
                "connect_timeout": 2,
            },
        )
        self._hashes = Together(self._hashes_of)
        self.unmade = False
        """Whether PostgreSQL lacked its tables when it was last asked."""
        self.breakers = {"redis": Breaker(after=3), "postgres": Breaker(after=3)}

    async def open(self) -> None:
        """Begin to connect; returns at once."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """End all connections."""
        await self._pool.close()
        await self._redis.aclose()

    def tell(self) -> None:
        """How the stores answer and how busy the connections are, into the meters: for a scrape."""
        for store, most in CONNECTIONS.items():
            self._meters.set("daybook_store_up", store, to=float(not self.breakers[store].is_open))
            self._meters.set("daybook_pool_in_use", store, to=self._under_way[store])
            self._meters.set("daybook_pool_limit", store, to=most)

    async def days(self, user: str, wanted: Sequence[date]) -> Days:
        """A user's rows of these days. Raises Away if no store answers."""
        names = [str(day) for day in wanted]
        rows: dict[str, DailyRow] = {}
        left = names
        try:
            hashes = await self._ask("redis", lambda: self._hashes.ask([key(user, name) for name in names]))
            rows = {said["date"]: redis_read.row(said) for said in hashes if "entities" in said}
            left = [name for name, said in zip(names, hashes, strict=True) if not said]  # never written, or expired
        except Away:
            pass
        self._looked_up("days", "hit", len(names) - len(left))
        if not left:
            return Days(rows, [])
        try:
            found = await self._ask(
                "postgres", lambda: self._select(_DAYS, (user, [date.fromisoformat(d) for d in left]), user)
            )
        except Away:
            self._looked_up("days", "none", len(left))
            if len(left) == len(names):
                raise
            return Days(rows, left)
        self._looked_up("days", "miss", len(found))
        self._looked_up("days", "none", len(left) - len(found))
        return Days(rows | {row.date: row for row in map(postgres_read.row, found)}, [])

    async def version(self, user: str, day: date) -> str | None:
        """The version of a day's row as Redis has it; None where it has none. Raises Away."""
        found: str | None = await self._ask("redis", lambda: self._version(key(user, str(day))))
        return found

    async def progress(self, user: str) -> ProgressRow | None:
        """A user's progress; None where there is none. Raises Away."""
        try:
            (said,) = await self._ask("redis", lambda: self._hashes.ask([progress_key(user)]))
            if said:
                self._looked_up("progress", "hit")
                return redis_read.progress_row(said) if "as_of" in said else None
        except Away:
            pass
        query = f"{postgres_progress.SELECT} AND kept.user_id = %s"
        found = await self._second("progress", query, user)
        return postgres_progress.row(found[0]) if found else None

    async def ranked(self, kind: str, region: str, window: str, limit: int) -> Ranked | None:
        """The first of a trending list; None where Redis has no such list. Raises Away."""
        own, at = trending_keys(kind, region, window)

        async def ask() -> Ranked | None:
            pipeline = self._redis.pipeline(transaction=True)  # the list and its time belong together
            pipeline.hget(at, "at_ms")
            pipeline.zrevrange(own, 0, limit - 1, withscores=True)
            at_ms, items = await pipeline.execute()
            return None if at_ms is None else Ranked(int(at_ms), [(name, int(score)) for name, score in items])

        return await self._ask("redis", ask)

    async def listed(self, kind: str, region: str, window: str) -> TrendingList | None:
        """A whole trending list with the parts of its scores, from PostgreSQL. Raises Away."""
        query = f"{postgres_trending.SELECT} WHERE kind = %s AND region = %s AND time_window = %s"
        found = await self._ask("postgres", lambda: self._select(query, (kind, region, window)))
        return postgres_trending.row(found[0]) if found else None

    async def recommended(self, user: str) -> Recommendations | None:
        """A user's recommendations; None where nothing is known of the user. Raises Away."""
        try:
            (said,) = await self._ask("redis", lambda: self._hashes.ask([recommendation_keys(user)[1]]))
            if said:
                self._looked_up("recommendations", "hit")
                return redis_affinity.row(user, said)
        except Away:
            pass
        query = f"{postgres_affinity.SELECT_RECOMMENDATIONS} WHERE user_id = %s"
        found = await self._second("recommendations", query, user)
        return postgres_affinity.recommendations_row(found[0]) if found else None

    def script(self, text: str) -> AsyncScript:
        """A script for Redis; nobody is asked yet."""
        return self._redis.register_script(text)

    async def run(self, script: AsyncScript, keys: list[str], arguments: list[Any]) -> Any:
        """What a script of Redis returns. Raises Away."""
        return await self._ask("redis", lambda: script(keys, arguments))

    async def _version(self, name: str) -> Any:
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.hget(name, "version")
        return (await pipeline.execute())[0]

    async def _hashes_of(self, asked: Sequence[Sequence[str]]) -> list[list[dict[str, str]]]:
        """The hashes of the keys of each question, in one round trip."""
        pipeline = self._redis.pipeline(transaction=False)
        for keys in asked:
            for each in keys:
                pipeline.hgetall(each)
        async with asyncio.timeout(2 * REDIS_S):
            found = iter(await pipeline.execute())
        return [list(islice(found, len(keys))) for keys in asked]

    async def _second(self, what: str, query: str, user: str) -> list[tuple[Any, ...]]:
        """A user's one row, which Redis does not have, from PostgreSQL. Raises Away."""
        outcome = "none"
        try:
            found = await self._ask("postgres", lambda: self._select(query, (user,), user))
            outcome = "miss" if found else "none"
            return found
        finally:
            self._looked_up(what, outcome)

    def _looked_up(self, what: str, outcome: str, rows: int = 1) -> None:
        if rows:
            self._meters.add("daybook_cache_lookups_total", what, outcome, by=rows)

    async def _select(
        self, query: str, parameters: tuple[object, ...], user: str | None = None
    ) -> list[tuple[Any, ...]]:
        """Rows that PostgreSQL shows to this user, or to anybody. The next who gets the connection is nobody again."""
        async with self._pool.connection() as connection:
            if user is None:
                return await (await connection.execute(query, parameters)).fetchall()
            # One message of two statements is one transaction and one round trip: the setting ends with it.
            async with psycopg.AsyncClientCursor(connection) as both:
                await both.execute(f"{AS_USER}; {query}".encode(), (user, *parameters))
                both.nextset()
                return await both.fetchall()

    async def _ask(self, store: str, ask: Callable[[], Awaitable[T]]) -> T:
        breaker = self.breakers[store]
        if not breaker.lets(time.monotonic()):
            raise (Unmade if store == "postgres" and self.unmade else Away)(store)
        self._under_way[store] += 1
        try:
            async with asyncio.timeout(2 * REDIS_S if store == "redis" else POSTGRES_S):
                found = await ask()
        except (RedisError, psycopg.OperationalError, PoolTimeout, OSError, TimeoutError) as why:
            if not breaker.is_open:
                log.warning("%s does not answer: %s: %s", store, type(why).__name__, why)
            breaker.failed(time.monotonic())
            self.unmade &= store != "postgres"
            raise Away(store) from why
        except _UNMADE as why:
            if not self.unmade:
                log.error(
                    "PostgreSQL has not the tables of this version, run daybook migrate: %s",
                    str(why).partition("\n")[0],
                )
            breaker.failed(time.monotonic())
            self.unmade = True
            raise Unmade(store) from why
        finally:
            self._under_way[store] -= 1
        breaker.worked()
        self.unmade &= store != "postgres"
        return found
