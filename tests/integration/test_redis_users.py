"""Who may do what in Redis: the users of deploy/redis/users.acl, each with what it needs and no more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import redis

from api.config import Limits
from api.pacer import Pacer
from api.stores import Stores
from schemas.metrics import Meters
from schemas.rows import DailyRow
from sinks.batch import Batch
from sinks.redis.read import RedisReader
from sinks.redis.sink import RedisSink
from stack.stack import Stack

USERS = Path(__file__).parents[2] / "deploy" / "redis" / "users.acl"
REFUSED = r"(?i)noperm|no permission|acl"
WORDS = {"daybook_writer": "of-the-writer", "daybook_reader": "of-the-reader"}


class Told(NamedTuple):
    """The same server for each of them."""

    owner: str
    writer: str
    reader: str


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    servers = Stack(tmp_path_factory.mktemp("users"), say=lambda line: None)
    try:
        owner = servers.up(["redis"]).redis
        with redis.Redis.from_url(owner) as store:
            for line in USERS.read_text(encoding="utf-8").splitlines():
                _, name, *rules = line.split()
                if name != "default":  # who is the test's own way in here, and switched off where it is deployed
                    words = [f">{WORDS[name]}" if rule in (">WRITER", ">READER") else rule for rule in rules]
                    store.execute_command("ACL", "SETUSER", name, "reset", *words)
        yield Told(owner, *(f"redis://{name}:{word}@{owner.rpartition('@')[2]}" for name, word in WORDS.items()))
    finally:
        servers.down()


def row(user: str, day: str) -> DailyRow:
    blank: dict[str, Any] = dict.fromkeys(DailyRow.__struct_fields__)
    return DailyRow(**{**blank, "user_id": user, "date": day, "version": 1, "entities": 1, "steps": 7})


async def test_the_sinks_store_as_the_writer_and_the_service_reads_and_counts_as_the_reader(at: Told) -> None:
    sink = RedisSink(at.writer)
    await sink.open()
    await sink.write(Batch(daily=[row("ann", "2026-03-01")]))
    await sink.close()
    assert len(await RedisReader(at.writer).read([("ann", "2026-03-01")])) == 1
    stores = Stores(at.reader, "postgresql://x:nobody@127.0.0.1:1/x", Meters())
    try:
        assert (await stores.days("ann", [date(2026, 3, 1)])).rows["2026-03-01"].steps == 7
        assert await stores.ranked("videos", "all", "1h", 5) is None
        pacer = Pacer(stores, Limits(), behind_proxies=False)
        assert [(await pacer._judged("user:events:ann", 2, 1)).allowed for _ in range(3)] == [True, True, False]
        assert not stores.breakers["redis"].is_open, "it was Redis that counted"
    finally:
        await stores.close()


@pytest.mark.parametrize(
    "command",
    [
        ("HSET", "daybook:day:ann:2026-03-01", "steps", "0"),
        ("DEL", "daybook:day:ann:2026-03-01"),
        ("EVAL", "return redis.call('DEL', KEYS[1])", "1", "daybook:day:ann:2026-03-01"),
        ("GET", "of-somebody-else"),
        ("KEYS", "*"),
        ("FLUSHALL",),
        ("CONFIG", "SET", "maxmemory", "1"),
        ("ACL", "LIST"),
        ("MONITOR",),
        ("SHUTDOWN",),
    ],
)
def test_what_the_reader_may_not_do_is_refused(at: Told, command: tuple[str, ...]) -> None:
    with (
        redis.Redis.from_url(at.reader) as store,
        pytest.raises(redis.ResponseError, match=r"(?i)noperm|no permission|acl"),
    ):
        store.execute_command(*command)


@pytest.mark.parametrize(
    "command",
    [
        ("SET", "of-somebody-else", "1"),
        ("KEYS", "*"),
        ("FLUSHALL",),
        ("FLUSHDB",),
        ("CONFIG", "SET", "maxmemory-policy", "allkeys-lru"),
        ("ACL", "SETUSER", "daybook_writer", "+@all"),
        ("REPLICAOF", "127.0.0.1", "1"),
        ("MODULE", "LIST"),
        ("SHUTDOWN",),
    ],
)
def test_what_the_writer_may_not_do_is_refused(at: Told, command: tuple[str, ...]) -> None:
    with (
        redis.Redis.from_url(at.writer) as store,
        pytest.raises(redis.ResponseError, match=r"(?i)noperm|no permission|acl"),
    ):
        store.execute_command(*command)


def test_what_looks_after_redis_may_do_so_as_the_writer(at: Told) -> None:
    with redis.Redis.from_url(at.writer) as store:
        assert store.info("persistence")["aof_enabled"]
        assert list(store.scan_iter(match="daybook:*"))
        assert store.dbsize()
        store.bgrewriteaof()
        assert store.unlink("daybook:nothing") == 0


def test_nobody_else_has_a_name(at: Told) -> None:
    for url in (at.reader.replace(WORDS["daybook_reader"], "a-guess"), at.reader.replace("daybook_reader", "nobody")):
        with redis.Redis.from_url(url) as store, pytest.raises(redis.AuthenticationError):
            store.ping()
    assert "default off" in USERS.read_text(encoding="utf-8")
