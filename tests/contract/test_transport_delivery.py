"""Chunks through Faust's own conductor and stream (the C extensions), and what may be committed. No broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import faust
import pytest
from faust.stores import by_url as store_by_url
from faust.transport import by_url as transport_by_url
from faust.types import TP

from streams.runtime import ChunkApp, chunked_topic, chunks, make_app
from streams.runtime.store import ChunkStore
from streams.runtime.transport import Chunk, Transport
from streams.runtime.transport.chunk import ChunkMessage

IN = TP("in", 0)


def test_the_names_in_urls_lead_to_us() -> None:
    assert transport_by_url("chunk://127.0.0.1:1") is Transport
    assert store_by_url("chunkmem://") is ChunkStore


def test_faust_still_drops_a_topics_maxsize_which_is_why_we_make_topics_ourselves() -> None:
    app = make_app("t", "127.0.0.1:1", generation=1)
    assert app.topic("in", maxsize=4).maxsize is None
    assert chunked_topic(app, "in").maxsize == app.tuning.queue_chunks


def chunk_of(start: int, count: int, next_offset: int | None = None) -> Chunk:
    chunk = Chunk(IN, start)
    chunk.offsets = list(range(start, start + count))
    chunk.timestamps = [1_000] * count
    chunk.keys = chunk.values = [b"x"] * count  # type: ignore[assignment]
    chunk.next_offset = next_offset or start + count
    return chunk


class Running:
    """An app with one agent, everything real but the connection: what the agent got, what was committed."""

    def __init__(self) -> None:
        self.app: ChunkApp = make_app("t", "127.0.0.1:1", generation=1)
        self.got: list[Chunk] = []
        self.commits: list[Mapping[TP, int]] = []
        self.commit_works = True
        self.released = 0

    async def start(self) -> None:
        app = self.app

        @app.agent(chunked_topic(app, "in"))
        async def agent(stream: Any) -> None:
            async for chunk in chunks(stream):
                self.got.append(chunk)

        app.finalize()
        self.consumer = app.consumer
        self.consumer.assignment = lambda: {IN}  # type: ignore[method-assign]

        async def commit(offsets: Mapping[TP, int]) -> bool:
            self.commits.append(dict(offsets))
            return self.commit_works

        async def flush() -> None: ...

        self.consumer._commit = commit  # type: ignore[method-assign]
        app.producer.flush = flush  # type: ignore[method-assign]
        await app.agents.start()
        await asyncio.sleep(0)
        for channel in list(app.topics._topics):
            app.topics._acking_topics.add("in")
            app.topics._topic_name_index["in"].add(channel)
        await app.topics.on_partitions_assigned({IN})
        app.flow_control.resume()
        app.consumer_generation_id = 5

    async def deliver(self, chunk: Chunk) -> ChunkMessage:
        message: ChunkMessage = self.consumer._to_message(IN, chunk)
        await self.consumer._deliver(message)
        for _ in range(10):
            await asyncio.sleep(0)
        return message


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    made = Running()
    await made.start()
    yield made
    await made.app.agents.stop()


async def test_a_chunk_reaches_the_agent_whole_and_unacknowledged(running: Running) -> None:
    message = await running.deliver(chunk_of(0, 1000))
    assert [len(chunk) for chunk in running.got] == [1000]
    assert not message.acked
    assert running.consumer.chunked_topics == {"in"}
    await running.consumer.commit()
    assert running.commits == []


async def test_an_acknowledged_chunk_commits_the_next_offset_over_holes(running: Running) -> None:
    await running.deliver(chunk_of(0, 1000, next_offset=1600))
    running.got[0].ack()
    await running.consumer.commit()
    assert running.commits == [{IN: 1600}]


async def test_a_later_chunk_does_not_commit_an_earlier_one(running: Running) -> None:
    await running.deliver(chunk_of(0, 10))
    await running.deliver(chunk_of(10, 10))
    running.got[1].ack()
    await running.consumer.commit()
    assert running.commits == []
    running.got[0].ack()
    await running.consumer.commit()
    assert running.commits == [{IN: 20}]


async def test_a_commit_that_failed_is_made_again(running: Running) -> None:
    await running.deliver(chunk_of(0, 10))
    running.got[0].ack()
    running.commit_works = False
    await running.consumer.commit()
    running.commit_works = True
    await running.consumer.commit()
    assert running.commits == [{IN: 10}, {IN: 10}]
    await running.consumer.commit()
    assert len(running.commits) == 2


async def test_a_rebalance_waits_for_what_was_begun_and_commits_it(running: Running) -> None:
    await running.deliver(chunk_of(0, 10))
    asyncio.get_running_loop().call_later(0.05, running.got[0].ack)

    async def revoked(_: set[TP]) -> None:
        await running.consumer.wait_empty()

    running.consumer._on_partitions_revoked = revoked
    await running.consumer.on_partitions_revoked({IN})
    assert running.commits == [{IN: 10}]
    assert IN not in running.consumer._outstanding


async def test_what_was_fetched_for_an_earlier_generation_never_reaches_the_agent(running: Running) -> None:
    message = running.consumer._to_message(IN, chunk_of(0, 10))
    running.app.consumer_generation_id = 6
    await running.consumer._deliver(message)
    for _ in range(10):
        await asyncio.sleep(0)
    assert running.got == []


async def test_a_waiting_chunk_is_held_although_faust_only_refers_to_it_weakly(running: Running) -> None:
    await running.deliver(chunk_of(0, 10))
    running.got.clear()
    assert len(running.consumer._unacked_messages) == 1
    assert running.consumer.oldest_unfinished() is not None


def test_exactly_once_of_faust_is_not_among_our_settings() -> None:
    app = make_app("t", "127.0.0.1:1", generation=1)
    app.finalize()
    assert app.conf.processing_guarantee == faust.types.enums.ProcessingGuarantee.AT_LEAST_ONCE
    assert app.conf.table_standby_replicas == 0
    assert app.conf.stream_wait_empty
