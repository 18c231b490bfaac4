"""Rows into Redis: script calls of some hundred rows, then a word on how far that goes."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from datetime import timedelta
from hashlib import sha1
from importlib.resources import files
from typing import Any, cast

from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError

from schemas import faultpoints, tables, topics
from schemas.progress import ProgressRow
from schemas.rows import DailyRow
from sinks.address import shown
from sinks.base import Behind, Refusal, Stop
from sinks.batch import Batch, Place
from sinks.chunking import newest_daily, newest_lists, newest_of_users
from sinks.days import as_of_day, day_of
from sinks.redis import affinity, trending
from sinks.redis.encode import script_arguments
from sinks.redis.retry import judge

FILLED = "daybook:filled"
_ROWS_PER_CALL = 250
_LISTS_PER_CALL = 50
_WRITE = files("sinks.redis").joinpath("write.lua").read_text(encoding="utf-8")
_ADVANCE = files("sinks.redis").joinpath("advance.lua").read_text(encoding="utf-8")
_LISTS = files("sinks.redis").joinpath("lists.lua").read_text(encoding="utf-8")

_SCRIPTS = (_WRITE, _ADVANCE, _LISTS)
_SHA1 = {script: sha1(script.encode(), usedforsecurity=False).hexdigest() for script in _SCRIPTS}


class RedisSink:
    """Daily rows and progress as hashes, trending as sorted sets, recommendations as lists.

    A call is all or nothing, a batch of several not.
    """

    role = "redis"
    topics = (topics.DAILY.name, topics.PROGRESS.name, topics.TRENDING.name, topics.RECOMMENDATIONS.name)
    tables = (tables.DAILY, tables.PROGRESS, tables.TRENDING, tables.RECOMMENDATIONS)
    rows_per_write = 5_000
    linger_s = 0.0

    def __init__(self, url: str, *, keep: timedelta = timedelta(days=35)) -> None:
        """`keep`: how long a row lives after its last change."""
        self._redis = Redis.from_url(url, socket_timeout=30, socket_connect_timeout=5)
        self._where = shown("Redis", url)
        self._ttl_s = int(keep.total_seconds())
        self._held: dict[Place, str] = {}

    async def open(self) -> None:
        memory = await self._do(self._redis.info("memory"))
        policy = memory.get("maxmemory_policy")
        if policy != "noeviction":
            raise Refusal(
                f"{self._where} may throw rows away (maxmemory-policy {policy}): set it to noeviction, and maxmemory to"
                " what the rows need"
            )

    async def write(self, batch: Batch) -> None:
        daily, users = newest_daily(batch.daily), newest_of_users(batch.progress)
        for row in daily:
            day_of(row)  # before the first is sent: it may refuse
        for user in users:
            as_of_day(user)
        rows: list[DailyRow | ProgressRow] = [*daily, *users]
        try:
            if rows:
                await self._do(self._write(rows), NoScriptError)
        except NoScriptError:  # a restarted Redis knows no scripts
            await self._do(self._redis.script_load(_WRITE))
            await self._do(self._write(rows))
        lists, suggested = newest_lists(batch.trending), newest_of_users(batch.recommendations)
        for at in range(0, len(lists), _LISTS_PER_CALL):
            names, packed = trending.script_arguments(lists[at : at + _LISTS_PER_CALL])
            await self._call(_LISTS, names, [self._ttl_s, trending.FILLED_BY, *packed])
        for at in range(0, len(suggested), _LISTS_PER_CALL):
            names, packed = affinity.script_arguments(suggested[at : at + _LISTS_PER_CALL])
            await self._call(_LISTS, names, [self._ttl_s, affinity.FILLED_BY, *packed])
        faultpoints.reach("redis.written")
        await self._advance(batch.through)

    async def resume(self, committed: Mapping[Place, int]) -> Mapping[Place, int]:
        places = [place for place in committed if place[0] in self.topics]
        held = await self._do(self._redis.hmget(FILLED, [_field(p) for p in places])) if places else []
        self._held = {place: (value or b"").decode() for place, value in zip(places, held, strict=True)}
        return {place: min(int(self._held[place] or 0), committed[place]) for place in places}

    async def close(self) -> None:
        await self._redis.aclose()

    async def _write(self, rows: Sequence[DailyRow | ProgressRow]) -> None:
        """Call after call on one connection: while Redis works on one, the next is made ready."""
        connection = await self._redis.connection_pool.get_connection()  # type: ignore[no-untyped-call]
        try:
            under_way = False
            for i in range(0, len(rows), _ROWS_PER_CALL):
                keys, packed = script_arguments(rows[i : i + _ROWS_PER_CALL])
                await connection.send_command("EVALSHA", _SHA1[_WRITE], len(keys), *keys, self._ttl_s, *packed)
                if under_way:
                    await connection.read_response()
                under_way = True
            if under_way:
                await connection.read_response()
        except BaseException:
            await connection.disconnect(nowait=True)  # an answer may still be on its way
            raise
        finally:
            await self._redis.connection_pool.release(connection)

    async def _advance(self, through: Mapping[Place, int]) -> None:
        if not through:
            return
        steps = [(place, self._held.get(place, ""), str(offset)) for place, offset in through.items()]
        arguments = [text for place, held, offset in steps for text in (_field(place), held, offset)]
        if other := await self._call(_ADVANCE, [FILLED], arguments):
            raise Behind(f"{self._where} does not hold what was stored ({len(other)} of {len(steps)} places): emptied?")
        self._held = {place: offset for place, _, offset in steps}

    async def _call(self, script: str, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        try:
            return await self._do(self._redis.evalsha(_SHA1[script], len(keys), *keys, *arguments), NoScriptError)
        except NoScriptError:
            return await self._do(self._redis.eval(script, len(keys), *keys, *arguments))

    async def _do(self, answer: Awaitable[Any] | Any, let_through: type[Exception] = Stop) -> Any:
        try:
            return await cast("Awaitable[Any]", answer)
        except let_through:
            raise
        except (RedisError, OSError) as why:
            raise judge(why, self._where) from why


def _field(place: Place) -> str:
    return f"{place[0]}/{place[1]}"
