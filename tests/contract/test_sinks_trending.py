"""Trending lists in every store: whole, the highest version, and nothing left of what was on them before."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from typing import Any

import clickhouse_connect
import psycopg
import pytest
import redis
from msgspec.structs import asdict
from sink_kit import Kept, opened

from daybook.settings import Settings
from daybook.trending import blocked_now
from schemas.trending import Block, Entry, TrendingList
from sinks.batch import Batch, BlockRow
from sinks.memory import MemorySink
from sinks.postgres.trending import SELECT, row
from sinks.redis.trending import keys

ENTRIES = [
    Entry('v "1"\\', 2**53 - 1, 12.345, 2.0, 2**40, 2**31, 1.5, 0.0001, "ünn 'x'", 7),
    Entry("寿司", 8_000, 1 / 3, 1e-9, 3, 3, 0.0, 1.0),
    Entry("zero", 0, 0.0, 0.0, 0, 0, 0.0, 0.0),
]


@pytest.fixture(params=["memory", "postgres", "clickhouse", "redis"])
async def kept(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Kept, Any]]:
    async with opened(request) as found:
        yield found


def a_list(kind: str, version: int, entries: list[Entry], at_ms: int = 1_772_367_420_000) -> TrendingList:
    return TrendingList(kind, "all", "1h", version, at_ms, entries)


def stored(kept: tuple[Kept, Any], kind: str) -> list[Entry]:
    """What the store shows on the list, the best first; Redis knows no more than id and score."""
    made, (store, endpoints) = kept
    if isinstance(made.sink, MemorySink):
        return made.sink.trending[kind, "all", "1h"].entries
    if store == "postgres":
        with psycopg.connect(endpoints.postgres) as connection:
            return row(connection.execute(f"{SELECT} WHERE kind = %s", (kind,)).fetchone()).entries  # type: ignore[arg-type]
    if store == "clickhouse":
        names = Entry.__struct_fields__
        query = f"SELECT {', '.join(names)} FROM trending_current WHERE kind = {{kind:String}} ORDER BY place"
        with clickhouse_connect.get_client(dsn=endpoints.clickhouse, autogenerate_session_id=False) as client:
            rows = client.query(query, parameters={"kind": kind}).result_rows
        return [Entry(**dict(zip(names, values, strict=True))) for values in rows]
    with redis.Redis.from_url(endpoints.redis, decode_responses=True) as client:
        found = client.zrevrange(keys(kind, "all", "1h")[0], 0, -1, withscores=True)
    return [Entry(item, int(score), 0.0, 0.0, 0, 0, 0.0, 0.0) for item, score in found]


def shown(kept: tuple[Kept, Any], entries: list[Entry]) -> list[Entry]:
    """What a store can show of them."""
    if kept[1][0] != "redis":
        return entries
    return [Entry(each.id, each.score, 0.0, 0.0, 0, 0, 0.0, 0.0) for each in entries]


async def test_a_list_is_read_back_to_the_last_bit_and_writing_it_twice_changes_nothing(kept: tuple[Kept, Any]) -> None:
    kind = uuid.uuid4().hex
    for _ in range(2):
        await kept[0].sink.write(Batch(trending=[a_list(kind, 7, ENTRIES)]))
        assert stored(kept, kind) == shown(kept, ENTRIES)


@pytest.mark.parametrize("versions", [(9, 10), (10, 9), (2**40 + 1, 2**41), (2**41, 2**40 + 1)])
async def test_an_older_list_never_overwrites_a_newer_one(kept: tuple[Kept, Any], versions: tuple[int, int]) -> None:
    kind, newer = uuid.uuid4().hex, max(versions)
    for version in versions:
        entries = [Entry(**{**asdict(ENTRIES[1]), "score": version % 2**40, "views": version % 97})]
        await kept[0].sink.write(Batch(trending=[a_list(kind, version, entries)]))
    found = stored(kept, kind)
    assert [each.score for each in found] == [newer % 2**40]


async def test_what_left_a_list_is_gone_and_an_emptied_list_stays_empty(kept: tuple[Kept, Any]) -> None:
    kind = uuid.uuid4().hex
    await kept[0].sink.write(Batch(trending=[a_list(kind, 1, ENTRIES)]))
    await kept[0].sink.write(Batch(trending=[a_list(kind, 2, ENTRIES[:1])]))
    assert stored(kept, kind) == shown(kept, ENTRIES[:1])
    await kept[0].sink.write(Batch(trending=[a_list(kind, 3, [])]))
    await kept[0].sink.write(Batch(trending=[a_list(kind, 2, ENTRIES[:1])]))
    assert stored(kept, kind) == []


async def test_of_many_lists_in_one_batch_the_highest_of_each_stays(kept: tuple[Kept, Any]) -> None:
    kinds = [uuid.uuid4().hex for _ in range(3)]
    rows = [a_list(kind, version, ENTRIES[:version]) for version in (2, 3, 1) for kind in kinds]
    await kept[0].sink.write(Batch(trending=rows))
    for kind in kinds:
        assert stored(kept, kind) == shown(kept, ENTRIES)


@pytest.mark.parametrize("kept", ["postgres"], indirect=True)
async def test_of_an_admins_words_the_one_appended_last_holds_whatever_clock_it_names(kept: tuple[Kept, Any]) -> None:
    made, (_, endpoints) = kept
    item, settings = uuid.uuid4().hex, Settings(postgres=endpoints.postgres)
    for offset, (at_ms, blocked) in enumerate([(9_000, True), (5_000, False), (4_000, True), (3_000, False)]):
        word = BlockRow(0, offset, Block("videos", item, blocked, "admin", "why", at_ms))
        for _ in range(2):  # a batch may come again
            await made.sink.write(Batch(blocks=[word]))
        assert (("videos", item) in blocked_now(settings)) is blocked
