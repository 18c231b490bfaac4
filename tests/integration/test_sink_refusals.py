"""A sink refuses to go on from a topic that does not hold what its position stands on (DESIGN §8 rule 15)."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from sink_kit import row, user

from schemas import topics
from schemas.rows import daily_key, encode_row
from sinks import intake
from sinks.base import Refusal
from sinks.memory import MemorySink
from sinks.runner import run_sink
from streams.cluster import Cluster

ROWS = 100


class Own:
    """A topic of daily rows and a group of its own."""

    def __init__(self, kafka: str) -> None:
        self.kafka, tag = kafka, uuid.uuid4().hex[:8]
        self.topic, self.group = f"daily-{tag}", f"sink-{tag}"
        self.admin = AdminClient({"bootstrap.servers": kafka, "log_level": 0})
        self.make()

    def make(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                return self.admin.create_topics([NewTopic(self.topic, 1, 1)])[self.topic].result(10)
            except Exception:
                assert time.monotonic() < deadline
                time.sleep(0.1)

    def remake(self, rows: int) -> None:
        self.admin.delete_topics([self.topic])[self.topic].result(10)
        self.make()
        self.feed(rows)

    def feed(self, rows: int) -> None:
        producer = Producer({"bootstrap.servers": self.kafka})
        for n in range(rows):
            each = row(user(), n)
            producer.produce(self.topic, encode_row(each), daily_key(each), partition=0)
        assert producer.flush(10) == 0

    def committed(self) -> TopicPartition:
        asked = [ConsumerGroupTopicPartitions(self.group, [TopicPartition(self.topic, 0)])]
        [found] = self.admin.list_consumer_group_offsets(asked)[self.group].result().topic_partitions
        return found

    def commit(self, offset: int, metadata: str = "") -> None:
        there = TopicPartition(self.topic, 0, offset, metadata)
        asked = [ConsumerGroupTopicPartitions(self.group, [there])]
        self.admin.alter_consumer_group_offsets(asked)[self.group].result()

    async def run(self, act: Callable[[], Any] | None = None) -> None:
        """Run the sink until it has stored all; then do what is said, and wait for the sink's end."""
        topic = self.topic

        class Own(MemorySink):
            topics = (topic,)

        stop, sink = asyncio.Event(), Own()
        identify = Cluster(self.kafka, 10).topic_ids
        task = asyncio.create_task(run_sink(sink, self.kafka, stop=stop, group=self.group, identify=identify))
        deadline = time.monotonic() + 90
        while not task.done() and self.committed().offset < ROWS:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        if act is None:
            stop.set()
        else:
            act()
        await asyncio.wait_for(task, 40)


@pytest.fixture
def own(stack: Any, monkeypatch: pytest.MonkeyPatch) -> Own:
    """A topic with some rows."""
    there = Own(stack.endpoints.kafka)
    monkeypatch.setitem(intake._TAKERS, there.topic, intake._TAKERS[topics.DAILY.name])
    there.feed(ROWS)
    return there


async def test_a_position_on_a_topic_of_another_id_is_refused(own: Own) -> None:
    await own.run()
    assert own.committed().offset == ROWS
    assert len(own.committed().metadata) > len("topic id "), "the commit carries the topic's id"
    own.commit(ROWS, "topic id another")  # the broker itself forgets what was committed on a topic that is deleted
    with pytest.raises(Refusal, match=f"the topic {own.topic} was deleted and made again"):
        await own.run(lambda: None)


async def test_a_topic_made_again_under_a_running_sink_is_refused(own: Own) -> None:
    with pytest.raises(Refusal, match=r"was deleted and made again|this sink has read up to"):
        await own.run(lambda: own.remake(ROWS // 2))


async def test_a_log_start_beyond_the_position_is_refused(own: Own) -> None:
    own.commit(40)
    [future] = own.admin.delete_records([TopicPartition(own.topic, 0, 70)]).values()
    future.result(10)
    with pytest.raises(Refusal, match=r"now starts at offset 70 .* up to 40: 30 offsets were deleted before"):
        await own.run(lambda: None)


async def test_a_position_beyond_the_end_is_refused(own: Own) -> None:
    own.commit(ROWS + 5)
    with pytest.raises(Refusal, match=f"ends at {ROWS}, but this sink has read up to {ROWS + 5}"):
        await own.run(lambda: None)


async def test_a_commit_without_the_topics_id_is_taken_over(own: Own) -> None:
    own.commit(40)
    await own.run()
    assert own.committed().metadata.startswith("topic id ")
