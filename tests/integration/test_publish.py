"""What is published is in Kafka: all of it, in order per key, where every other producer would put it."""

from __future__ import annotations

import itertools
import re
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from aiokafka.partitioner import murmur2
from api_rig import PARTITIONS, topics_made
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from producers import fitbit
from producers.publish import PublishError, Record, publish, publish_records
from producers.send import Verdict, send
from schemas.families import FAMILIES
from stack.stack import Stack

EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples" / "events.jsonl"
NOW_MS = 1_780_000_000_000


class Running(Protocol):
    endpoints: Any


@pytest.fixture(scope="module")
def kafka(stack: Running) -> str:
    """A broker with the families' topics; others may fill the same topics, so tests look at keys of their own."""
    address = str(stack.endpoints.kafka)
    topics_made(address)
    return address


@pytest.fixture
def topic(kafka: str) -> str:
    name = f"published-{uuid.uuid4().hex[:8]}"
    topics_made(kafka, name)
    return name


def read(kafka: str, *topics: str) -> list[Message]:
    """Everything on the topics; the order within a partition is Kafka's.

    Read up to the end, not so many records as there are offsets: a transaction's marker takes an offset too.
    """
    settings = {"bootstrap.servers": kafka, "group.id": "unused", "log_level": 0, "enable.auto.commit": False}
    consumer = Consumer({**settings, "enable.partition.eof": True})
    try:
        known = consumer.list_topics(timeout=10).topics
        partitions = [TopicPartition(topic, n, OFFSET_BEGINNING) for topic in topics for n in known[topic].partitions]
        consumer.assign(partitions)
        left = {(partition.topic, partition.partition) for partition in partitions}
        came: list[Message] = []
        deadline = time.monotonic() + 90
        while left and time.monotonic() < deadline:
            for message in consumer.consume(10_000, timeout=0.1):
                error = message.error()
                if error is None:
                    came.append(message)
                else:
                    assert error.code() == KafkaError._PARTITION_EOF, error
                    left.discard((message.topic(), message.partition()))
        assert not left
        return came
    finally:
        consumer.close()


def test_keys_land_where_the_other_producers_put_them_and_keep_their_order(kafka: str, topic: str) -> None:
    keys = [f"u_{n}".encode() for n in range(300)] + ["é日本".encode(), b"x", b"1503960366"]
    records = [Record(topic, key, b"%d" % n) for n in range(20) for key in keys]
    assert publish_records(kafka, records).counts == {topic: len(records)}
    came: dict[bytes, list[int]] = {}
    for message in read(kafka, topic):
        key = message.key() or b""
        assert message.partition() == (murmur2(key) & 0x7FFFFFFF) % PARTITIONS
        came.setdefault(key, []).append(int(message.value() or b""))
    assert came == {key: list(range(20)) for key in keys}


def test_the_fitbit_month_arrives_whole_with_its_duplicates(kafka: str) -> None:
    told: list[int] = []
    raw = list(fitbit.events())
    published = publish(kafka, raw, on_progress=told.append)
    assert published.counts == {"body": fitbit.EVENTS}
    assert published.events == fitbit.EVENTS
    assert published.seconds > 0
    assert told == sorted(told)
    assert told[-1] == fitbit.EVENTS
    came = Counter(m.value() for m in read(kafka, "body") if (m.key() or b"").startswith(b"fitbit_"))
    assert came == Counter(raw)


def test_every_example_event_goes_to_the_topic_of_its_family_as_it_was_written(kafka: str) -> None:
    subject = f"u_{uuid.uuid4().hex[:8]}".encode()
    lines = [b" " + line + b" \n" for line in EXAMPLES.read_bytes().replace(b"u_1001", subject).splitlines()]
    lines.insert(1, b'{"type":"meal.logged"}\n')
    verdicts: list[Verdict] = []
    sent = send(kafka, lines, now_ms=NOW_MS, on_verdict=verdicts.append)
    assert (sent.accepted, sent.refused) == (15, 1)
    assert [v.line for v in verdicts if not v.accepted] == [2]
    assert sent.published.counts == {"meals": 2, "workouts": 2, "body": 4, "plans": 4, "views": 3}
    mine_of = {family: [m.value() for m in read(kafka, family) if m.key() == subject] for family in FAMILIES}
    for family, mine in mine_of.items():
        assert mine == [
            v.outcome.value for v in verdicts if isinstance(v.outcome, Record) and v.outcome.topic == family
        ]
        assert all((value or b"") + b" \n" in [line.lstrip() for line in lines] for value in mine)


def test_nothing_to_send_is_no_error(kafka: str) -> None:
    assert publish(kafka, []).counts == {}


def test_a_rate_is_never_exceeded(kafka: str, topic: str) -> None:
    began = time.monotonic()
    publish_records(kafka, [Record(topic, b"k", b"v")] * 101, rate=500)
    assert time.monotonic() - began >= 100 / 500


def test_a_topic_that_does_not_exist_is_named_before_anything_waits(kafka: str) -> None:
    missing = f"missing-{uuid.uuid4().hex[:8]}"
    with pytest.raises(PublishError, match=rf"^Kafka at {kafka} has no topic {missing}: create the topics first$"):
        publish_records(kafka, [Record(missing, b"k", b"v")])
    assert missing not in AdminClient({"bootstrap.servers": kafka}).list_topics(timeout=10).topics


def test_an_event_that_the_broker_cannot_take_is_an_error_and_not_a_loss(kafka: str) -> None:
    topic = f"small-{uuid.uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": kafka, "log_level": 0})
    config = {"max.message.bytes": "1000"}
    for future in admin.create_topics([NewTopic(topic, 1, 1, config=config)]).values():
        future.result(10)
    incompressible = b"".join(uuid.uuid4().bytes for _ in range(500))
    with pytest.raises(PublishError, match=rf"^Kafka at {kafka} did not acknowledge 1 of 1 events: .*too large"):
        publish_records(kafka, [Record(topic, b"k", incompressible)])


def test_a_broker_that_is_away_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("producers.publish.ANSWER_S", 0.3)
    with pytest.raises(PublishError, match=r"^Kafka at 127\.0\.0\.1:1 does not answer: [^\n]+$"):
        publish("127.0.0.1:1", [])


def test_a_broker_that_goes_away_in_the_middle_is_an_error_that_counts_what_is_missing(tmp_path: Path) -> None:
    own = Stack(tmp_path)
    try:
        address = own.up(["kafka"]).kafka
        topics_made(address, "body")

        def events() -> Iterator[bytes]:
            month = fitbit.events()
            yield from itertools.islice(month, 2_000)
            own.stop("kafka")
            yield from itertools.islice(month, 500)

        with pytest.raises(PublishError) as told:
            publish(address, events(), rate=20_000, acknowledge_s=2.0)
    finally:
        own.down()
    found = re.fullmatch(rf"Kafka at {address} did not acknowledge (\d+) of 2500 events: [^\n]+", str(told.value))
    assert found is not None, told.value
    assert 500 <= int(found[1]) <= 2_500
