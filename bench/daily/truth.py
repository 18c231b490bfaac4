"""The load, and what its rows shall come to; by several processes where one would be the bottleneck."""

from __future__ import annotations

import multiprocessing
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, NamedTuple, TypeVar

import confluent_kafka

from producers.bench_events import meal_events
from producers.publish import Record, publish_records
from schemas.codec import Rejected, decode
from schemas.rows import decode_daily
from schemas.topics import DAILY
from streams.daily.contribution import meal

_T = TypeVar("_T")


class Read(NamedTuple):
    """A committed record, with its append or creation time."""

    partition: int
    offset: int
    ms: int
    key: bytes
    value: bytes


def read_all(kafka: str, topic: str, only: Sequence[int] | None = None) -> Iterator[Read]:
    """Every committed record that the topic holds now, of these partitions or of all."""
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": kafka,
            "group.id": "bench",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
    )
    places = range(partitions(consumer, topic)) if only is None else only
    consumer.assign([confluent_kafka.TopicPartition(topic, p, 0) for p in places])
    left, heard = len(places), time.monotonic()
    while left:
        if time.monotonic() - heard > 10:
            raise SystemExit(f"bench: topic {topic} could not be read to its end within 10 s")
        for message in consumer.consume(10_000, 0.1):
            heard = time.monotonic()
            if (error := message.error()) is not None:
                if error.code() != confluent_kafka.KafkaError._PARTITION_EOF:
                    raise SystemExit(f"bench: {error}")
                left -= 1
            else:
                place = message.partition() or 0, message.offset() or 0
                yield Read(*place, message.timestamp()[1], message.key() or b"", message.value() or b"")
    consumer.close()


def partitions(consumer: confluent_kafka.Consumer, topic: str) -> int:
    """How many the topic has."""
    return len(consumer.list_topics(topic, timeout=10).topics[topic].partitions)


def load(kafka: str, events: int, users: int, seed: int, loaders: int = 1) -> int:
    """Put the meals into Kafka, each loader those of its share of the users; returns their total energy in calories,
    the truth to compare with."""
    shares = [(kafka, *_share(n, loaders, events, users), seed + n) for n in range(loaders)]
    return sum(_each(_load, shares))


def _share(number: int, of: int, events: int, users: int) -> tuple[int, int, int]:
    """How many events and users a loader has, and its first user.

    >>> [_share(n, 3, 10, 5) for n in range(3)]
    [(3, 1, 0), (3, 2, 1), (4, 2, 3)]
    """
    first, last = number * users // of, (number + 1) * users // of
    return (number + 1) * events // of - number * events // of, last - first, first


def _load(kafka: str, events: int, users: int, first: int, seed: int) -> int:
    energy = 0

    def records() -> Iterator[Record]:
        nonlocal energy
        for key, value in meal_events(events, users, seed, first=first):
            event = decode(value)
            assert not isinstance(event, Rejected)
            energy += int.from_bytes(meal(event.data)[0][:8], "little")
            yield Record("meals", key, value)

    publish_records(kafka, records())
    return energy


def check(kafka: str, events: int, energy: int, readers: int = 1) -> int:
    """Compare the rows with the truth; returns how many rows were written in all."""
    consumer = confluent_kafka.Consumer({"bootstrap.servers": kafka, "group.id": "bench"})
    places = list(range(partitions(consumer, DAILY.name)))
    consumer.close()
    found: list[tuple[int, int, int]] = _each(
        _check, [(kafka, places[n::readers]) for n in range(min(readers, len(places)))]
    )
    written, meals, total = (sum(part[n] for part in found) for n in range(3))
    if (meals, total) != (events, energy):
        raise SystemExit(f"bench: rows say {meals} meals and {total} cal, the events {events} and {energy}")
    return written


def _check(kafka: str, places: list[int]) -> tuple[int, int, int]:
    """Rows written, and the meals and calories of the last rows."""
    last: dict[bytes, tuple[int, int]] = defaultdict(lambda: (0, 0))
    written = 0
    for message in read_all(kafka, DAILY.name, places):
        row = decode_daily(message.value)
        written += 1
        last[message.key] = row.meals_logged or 0, round((row.energy_kcal or 0.0) * 1000)
    return written, sum(meals for meals, _ in last.values()), sum(cal for _, cal in last.values())


def _each(task: Callable[..., _T], shares: list[tuple[Any, ...]]) -> list[_T]:
    """The task of each share: here, or in a process each."""
    if len(shares) == 1:
        return [task(*shares[0])]
    with ProcessPoolExecutor(len(shares), multiprocessing.get_context("spawn")) as pool:
        return [each.result() for each in [pool.submit(task, *share) for share in shares]]
