"""Events to Kafka: every one acknowledged by all replicas, in order per key, or one clear error.

An event goes to the topic of its family with its subject as the key, partitioned by murmur2 as Java's and aiokafka's
producers do it, so that a user's events meet in one worker whoever sent them.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

import confluent_kafka
import msgspec

from schemas import broker
from schemas.families import FAMILY_OF

ANSWER_S = 10.0
"""How long Kafka may take to answer at all."""
ACKNOWLEDGE_S = 60.0
"""How long one event may wait for its acknowledgement, retries included."""
QUEUED_EVENTS = 100_000
QUEUED_KIB = 65_536
"""What may wait for acknowledgement at a time: this bounds the memory."""
NEW_TOPIC_S = 3.0
"""How long a topic that was made a moment ago may be unknown to a broker."""
PROGRESS_EVERY = 1_000


class PublishError(Exception):
    """Not everything was acknowledged; the text says where and why. Sending it all again changes nothing twice."""


class Record(NamedTuple):
    """One event as Kafka takes it."""

    topic: str
    key: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Published:
    """What was acknowledged."""

    counts: Mapping[str, int]
    """Topic → events."""
    seconds: float

    @property
    def events(self) -> int:
        return sum(self.counts.values())


class _Head(msgspec.Struct, gc=False):
    type: str
    subject: str


_head = msgspec.json.Decoder(_Head).decode
_TYPE = re.compile(rb'"type"\s*:\s*"([^"\\]+)"')
_SUBJECT = re.compile(rb'"subject"\s*:\s*"([^"\\]+)"')


def route(event: bytes) -> Record:
    """Where an event belongs, good or bad: refusing is the streams' part, so broken JSON is routed by what it shows.

    Raises ValueError where no known type or no subject can be seen.
    """
    try:
        head = _head(event)
        return Record(FAMILY_OF[head.type], head.subject.encode(), event)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, KeyError):
        named, subject = _TYPE.search(event), _SUBJECT.search(event)
    if named is None or subject is None or (topic := FAMILY_OF.get(named[1].decode(errors="replace"))) is None:
        raise ValueError(f"Expected an event with a known type and a subject, got {event[:80]!r}")
    return Record(topic, subject[1], event)


def publish(
    kafka: str,
    events: Iterable[bytes],
    *,
    on_progress: Callable[[int], None] | None = None,
    rate: float | None = None,
    acknowledge_s: float = ACKNOWLEDGE_S,
) -> Published:
    """Send events and return once all are acknowledged; see `publish_records`. Raises ValueError as `route` does."""
    return publish_records(kafka, map(route, events), on_progress=on_progress, rate=rate, acknowledge_s=acknowledge_s)


def publish_records(
    kafka: str,
    records: Iterable[Record],
    *,
    on_progress: Callable[[int], None] | None = None,
    rate: float | None = None,
    acknowledge_s: float = ACKNOWLEDGE_S,
) -> Published:
    """Send records to `kafka` (host:port) and return once all are acknowledged.

    `acknowledge_s`: how long one may wait for that, retries included. `on_progress` gets how many were
    sent so far. `rate`: events per second by the clock, whatever Kafka takes to answer (what falls behind is made
    up for); None sends as fast as it goes. Raises PublishError if Kafka does not answer, a topic does not exist, or
    anything stays unacknowledged; what was acknowledged before that stays sent.
    """
    started = time.monotonic()
    failures: Counter[str] = Counter()

    def failed(error: confluent_kafka.KafkaError, _message: object) -> None:
        failures[error.str()] += 1

    producer = _producer(kafka, failed, acknowledge_s)
    topics = _topics(producer, kafka)
    counts: Counter[str] = Counter()
    sent = 0
    first = time.monotonic()
    progress_every = PROGRESS_EVERY if rate is None else max(1, min(PROGRESS_EVERY, int(rate / 10)))
    for topic, key, value in records:
        if topic not in topics:
            topics |= _awaited(producer, kafka, topic)
        if rate is not None:
            _wait(producer, first + sent / rate)
        _produce(producer, kafka, topic, key, value, failures)
        counts[topic] += 1
        sent += 1
        if sent % progress_every == 0:
            producer.poll(0)
            if on_progress is not None:
                on_progress(sent)
        if failures:
            break
    while not failures and producer.flush(0.5):
        pass
    if failures:
        _purge(producer)
        _refuse(kafka, sent, failures)
    if on_progress is not None:
        on_progress(sent)
    return Published(dict(counts), time.monotonic() - started)


def _producer(
    kafka: str, failed: Callable[[confluent_kafka.KafkaError, object], None], acknowledge_s: float
) -> confluent_kafka.Producer:
    return confluent_kafka.Producer(
        {
            **broker.librdkafka(kafka),
            "acks": "all",
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "compression.type": "lz4",
            "linger.ms": 5,
            "batch.size": 1_000_000,
            "message.timeout.ms": int(acknowledge_s * 1000),
            "queue.buffering.max.messages": QUEUED_EVENTS,
            "queue.buffering.max.kbytes": QUEUED_KIB,
            "delivery.report.only.error": True,  # a call into Python for every event would halve the speed
            "on_delivery": failed,
            "log_level": 0,  # what goes wrong comes back as an error
        }
    )


def _topics(producer: confluent_kafka.Producer, kafka: str) -> set[str]:
    try:
        return {name for name, topic in producer.list_topics(timeout=ANSWER_S).topics.items() if topic.error is None}
    except confluent_kafka.KafkaException as why:
        raise PublishError(f"Kafka at {kafka} does not answer: {why.args[0].str()}") from why


def _awaited(producer: confluent_kafka.Producer, kafka: str, topic: str) -> set[str]:
    """All topics once `topic` is among them."""
    deadline = time.monotonic() + NEW_TOPIC_S
    while time.monotonic() < deadline:
        time.sleep(0.1)
        if topic in (topics := _topics(producer, kafka)):
            return topics
    _purge(producer)
    raise PublishError(f"Kafka at {kafka} has no topic {topic}: create the topics first")


def _produce(
    producer: confluent_kafka.Producer, kafka: str, topic: str, key: bytes, value: bytes, failures: Counter[str]
) -> None:
    """Hand one record to the producer, waiting while its queue is full."""
    while not failures:
        try:
            return producer.produce(topic, value, key)
        except BufferError:
            producer.poll(0.005)
        except confluent_kafka.KafkaException as why:
            _purge(producer)
            raise PublishError(f"Kafka at {kafka} cannot take an event for {topic}: {why.args[0].str()}") from why


def _wait(producer: confluent_kafka.Producer, due: float) -> None:
    while (left := due - time.monotonic()) > 0:
        producer.poll(min(left, 0.1))


def _purge(producer: confluent_kafka.Producer) -> None:
    """Drop what waits, so that nothing is sent after the error was told."""
    producer.purge()
    producer.flush(ANSWER_S)


def _refuse(kafka: str, sent: int, failures: Counter[str]) -> NoReturn:
    """Tell the first real reason; the purge's own failures only add to the number."""
    reason = next(iter(failures))
    raise PublishError(f"Kafka at {kafka} did not acknowledge {failures.total()} of {sent} events: {reason}")
