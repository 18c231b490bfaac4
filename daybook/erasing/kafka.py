"""What of a person lies in Kafka's compacted topics, and the tombstones of what no stream has in memory any more."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from aiokafka.partitioner import murmur2

from daybook import kafka
from daybook.errors import Problem
from schemas import broker, topics
from schemas.loads import FLOOR, PENDING
from schemas.topics import Topic

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

_BATCH = 5_000
_ANSWER_S = 30.0
_MOMENT_S = 0.05

IsTheirs = Callable[[bytes], bool]


def _by_day(subject: bytes) -> IsTheirs:
    day = re.compile(re.escape(subject) + rb"\|\d{4}-\d\d-\d\d", re.DOTALL)
    return lambda key: day.fullmatch(key) is not None


def _beginning(*starts: bytes) -> IsTheirs:
    return lambda key: key.startswith(starts)


def compacted(subject: bytes) -> dict[Topic, IsTheirs]:
    """The compacted topics that hold anything of users, and which keys there are this one's."""
    own = subject + b"\0"
    return {
        topics.DAILY: _by_day(subject),
        topics.PROGRESS: lambda key: key == subject,
        topics.AFFINITY: lambda key: key == subject,
        topics.RECOMMENDATIONS: lambda key: key == subject,
        topics.LEDGER: _beginning(own, FLOOR + own, PENDING + own),
        topics.CELLS: _by_day(subject),
        topics.VIEWINGS: _beginning(own),
        topics.TASTES: _beginning(own),
    }


BY_AGE = (
    *(*topics.SOURCES, topics.HINTS, topics.PROGRESS_HINTS, topics.LOADS, topics.LOADED),
    *(topics.MILESTONES, topics.REJECTED),
)
"""Topics in which single records cannot be deleted: they leave by age."""


class Found(NamedTuple):
    """What a look at the topics found."""

    live: dict[str, int]
    """Topic → keys of the person's with a value."""
    days: list[bytes]
    """Keys on the topic `daily` with a value."""


class Log:
    """One person's part of Kafka."""

    def __init__(self, bootstrap: str, subject: str) -> None:
        self._bootstrap, self._subject = bootstrap, subject.encode()
        self._client: AdminClient = kafka.admin(bootstrap)
        self._counts = kafka.partition_counts(self._client, bootstrap)

    def suppress(self, key: bytes, value: bytes) -> None:
        """Put the record on the list, in every partition; in partition 0 first, which alone is the whole list."""
        if topics.SUPPRESSED.name not in self._counts:
            name = topics.SUPPRESSED.name
            raise Problem(f"Kafka at {self._bootstrap} has no topic {name}: run daybook migrate first")
        for number in range(self._counts[topics.SUPPRESSED.name]):
            self._produce(topics.SUPPRESSED.name, [(key, value)], number)

    def look(self) -> Found:
        """Read the person's partition of each compacted topic, from its beginning to its end as of now."""
        wanted = {topic.name: is_theirs for topic, is_theirs in compacted(self._subject).items()}
        alive: dict[str, set[bytes]] = {name: set() for name in wanted}
        for topic, key, value in self._records([name for name in wanted if name in self._counts]):
            if key is not None and wanted[topic](key):
                (alive[topic].discard if value is None else alive[topic].add)(key)
        return Found({name: len(keys) for name, keys in alive.items()}, sorted(alive[topics.DAILY.name]))

    def bury(self, days: Iterable[bytes]) -> None:
        """Tombstones for these rows of the topic `daily`: no stream writes the person's rows any more."""
        self._produce(topics.DAILY.name, [(key, None) for key in days], None)

    def until(self, now: datetime) -> dict[str, str]:
        """When the records are gone that only age takes away, at the latest, as the topics are configured now."""
        from confluent_kafka.admin import ConfigResource, ResourceType

        asked = [ConfigResource(ResourceType.TOPIC, t.name) for t in BY_AGE if t.name in self._counts]
        found: dict[str, str] = {}
        for resource, future in self._client.describe_configs(asked, request_timeout=kafka.TIMEOUT_S).items():
            configured = future.result()
            keep = int(configured["retention.ms"].value)
            segment = int(configured["segment.ms"].value)
            if keep < 0:
                found[resource.name] = "kept for ever"
            else:
                found[resource.name] = (now + timedelta(milliseconds=keep + segment)).astimezone(UTC).isoformat()
        return found

    def values(self, topic: Topic) -> Iterator[bytes]:
        """The values of the person's records on a topic that is keyed by users; none where there is no such topic."""
        for _, key, value in self._records([topic.name] if topic.name in self._counts else []):
            if key == self._subject and value is not None:
                yield value

    def _records(self, names: Sequence[str]) -> Iterator[tuple[str, bytes | None, bytes | None]]:
        """Topic, key and value of all that the person's partitions hold now."""
        from confluent_kafka import Consumer, KafkaError, TopicPartition

        places = [TopicPartition(name, self._own(name), 0) for name in names]
        left = set(names)
        consumer = Consumer(
            {
                **broker.librdkafka(self._bootstrap),
                "group.id": f"daybook-erase-{uuid.uuid4().hex}",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 10,
                "log_level": 0,
            }
        )
        try:
            consumer.assign(places)
            deadline = time.monotonic() + _ANSWER_S
            while left:
                messages = consumer.consume(_BATCH, _MOMENT_S)  # it waits for as many, or so long
                if messages:
                    deadline = time.monotonic() + _ANSWER_S
                elif time.monotonic() > deadline:
                    raise Problem(f"Kafka at {self._bootstrap} does not give what is on {sorted(left)[0]}")
                for message in messages:
                    error = message.error()
                    if error is None:
                        yield str(message.topic()), message.key(), message.value()
                    elif error.code() == KafkaError._PARTITION_EOF:
                        left.discard(str(message.topic()))
                    else:
                        raise Problem(f"{message.topic()} cannot be read: {error.str()}")
        finally:
            consumer.close()

    def _own(self, topic: str) -> int:
        """The person's partition, as every producer of ours finds it."""
        hashed: int = murmur2(self._subject)
        return (hashed & 0x7FFFFFFF) % self._counts[topic]

    def _produce(self, topic: str, records: list[tuple[bytes, bytes | None]], partition: int | None) -> None:
        from confluent_kafka import Producer

        failed: list[str] = []

        def delivered(error: object, _: object) -> None:
            if error is not None:
                failed.append(str(error))

        producer = Producer(
            {
                **broker.librdkafka(self._bootstrap),
                "enable.idempotence": True,
                "message.timeout.ms": int(_ANSWER_S * 1000),
                "queue.buffering.max.messages": 1_000_000,
                "log_level": 0,
            }
        )
        to = self._own(topic) if partition is None else partition
        for key, value in records:
            producer.produce(topic, value, key, to, on_delivery=delivered)
        left = producer.flush(_ANSWER_S)
        if failed or left:
            raise Problem(f"Kafka at {self._bootstrap} does not take records for {topic}: {(failed or [str(left)])[0]}")
