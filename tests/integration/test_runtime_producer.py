"""Fenced transactions on a real broker: all of a flush becomes visible or nothing, and only the last owner writes."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import MessageSizeTooLargeError, ProducerFenced
from confluent_kafka.admin import AdminClient, NewTopic
from conftest import RunningStack

from streams.runtime.batches import build_batches
from streams.runtime.producer import FencedProducer


class Topics:
    """Two topics of one test, and owners of their partition 0."""

    def __init__(self, kafka: str) -> None:
        self.kafka = kafka
        tag = uuid.uuid4().hex[:8]
        self.rows, self.state, self.id = f"rows-{tag}", f"state-{tag}", f"owner-{tag}"
        self.owners: list[FencedProducer] = []
        new = [NewTopic(self.rows, 1, 1), NewTopic(self.state, 1, 1, config={"max.message.bytes": "2000000"})]
        admin = AdminClient({"bootstrap.servers": kafka})  # held: its futures fail with it
        for future in admin.create_topics(new).values():
            future.result(10)

    async def owner(self) -> FencedProducer:
        producer = FencedProducer(self.kafka, self.id, transaction_timeout_s=10.0)
        self.owners.append(producer)
        await producer.start([self.rows, self.state])
        return producer

    async def visible(self, topic: str) -> list[bytes | None]:
        reader = AIOKafkaConsumer(bootstrap_servers=self.kafka, isolation_level="read_committed")
        await reader.start()
        try:
            at = TopicPartition(topic, 0)
            reader.assign([at])
            await reader.seek_to_beginning(at)
            found: list[bytes | None] = []
            while await reader.position(at) < (await reader.end_offsets([at]))[at]:
                got = await reader.getmany(at, timeout_ms=200)
                found += [record.key for records in got.values() for record in records]
            return found
        finally:
            await reader.stop()


@pytest.fixture
async def topics(stack: RunningStack) -> AsyncIterator[Topics]:
    made = Topics(stack.endpoints.kafka)
    yield made
    for owner in made.owners:
        await owner.stop()


async def test_many_batches_to_several_topics_are_one_transaction(topics: Topics) -> None:
    owner = await topics.owner()
    state = [(b"key %d" % i, b"x" * 400) for i in range(6_000)]  # three batches
    last = await owner.commit(0, {topics.rows: [(b"row", b"1")], topics.state: state})
    assert last == {topics.rows: 0, topics.state: 5_999}
    assert await topics.visible(topics.state) == [key for key, _ in state]
    assert await topics.visible(topics.rows) == [b"row"]


async def test_a_new_owner_refuses_the_old_one_and_aborts_what_it_left_open(topics: Topics) -> None:
    old = await topics.owner()
    await old.commit(0, {topics.state: [(b"committed", b"1")]})
    await old._producer.begin_transaction()
    [(left_open, _)] = await old._send(topics.state, 0, build_batches([(b"left open", b"1")], 0))
    await left_open
    new = await topics.owner()
    assert await topics.visible(topics.state) == [b"committed"]
    await new.commit(0, {topics.state: [(b"of the new owner", b"1")]})
    [(late, _)] = await old._send(topics.state, 0, build_batches([(b"late", b"1")], 0))
    with pytest.raises(ProducerFenced):
        await late
    assert await topics.visible(topics.state) == [b"committed", b"of the new owner"]


async def test_one_record_that_is_refused_makes_the_whole_flush_invisible(topics: Topics) -> None:
    owner = await topics.owner()
    with pytest.raises(MessageSizeTooLargeError):
        await owner.commit(0, {topics.rows: [(b"row", b"1")], topics.state: [(b"large", b"x" * 3_000_000)]})
    await topics.owner()
    assert await topics.visible(topics.rows) == []
    assert await topics.visible(topics.state) == []
