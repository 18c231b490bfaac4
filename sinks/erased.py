"""Who was erased, read from Kafka: by each sink before it stores anything, and by whoever takes events in.

A sink's topics hold what was said of an erased user until Kafka has compacted it or dropped it by age, and a store that
was emptied is filled from there again. So every batch is looked through once more before it is written, while anybody
is on the list at all.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas import broker
from schemas.suppression import Erased, OtherKey, named_by
from schemas.topics import SUPPRESSED
from sinks.base import Refusal, Retry
from sinks.intake import Taken

_TIMEOUT_S = 30.0


class Register:
    """The list, kept up to date when it is asked to be."""

    def __init__(self, kafka: str, erased: Erased, topic: str = SUPPRESSED.name) -> None:
        """`kafka`: host:port."""
        self.erased = erased
        self._topic = topic
        self._place = TopicPartition(topic, 0)  # which alone is the whole list (schemas/suppression.py)
        self._kafka = kafka
        self._consumer: Any = None
        self.at = 0.0
        """When it was up to date last, on the monotonic clock; 0: never."""

    async def refresh(self) -> Erased:
        """Return once all that was on the topic at the call is on the list.

        Raises Retry if Kafka does not answer, Refusal if the list cannot be read with this installation's key.
        """
        began = time.monotonic()
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                consumer = await self._open()
                place = self._place
                end = (await consumer.end_offsets([place]))[place]
                while await consumer.position(place) < end:
                    fetched = await consumer.getmany(place, timeout_ms=1_000)
                    for record in fetched.get(place, ()):
                        self.erased.take(record.key, record.value)
        except OtherKey as why:
            raise Refusal(f"the topic {self._topic}: {why}") from why
        except (KafkaError, TimeoutError, OSError) as why:
            await self.close()
            raise Retry(f"Kafka at {self._kafka} does not say who was erased: {why or type(why).__name__}") from why
        self.at = began
        return self.erased

    async def _open(self) -> Any:
        if self._consumer is None:
            consumer = AIOKafkaConsumer(
                **broker.aiokafka(self._kafka),
                client_id="daybook-erased",
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                fetch_max_wait_ms=500,
            )
            try:
                await consumer.start()
                if self._topic not in await consumer.topics():
                    raise Refusal(f"Kafka at {self._kafka} has no topic {self._topic}: run daybook migrate")
                consumer.assign([self._place])
            except BaseException:
                await consumer.stop()
                raise
            self._consumer = consumer
        return self._consumer

    async def close(self) -> None:
        """Let go of the connection; the list stays as it is."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()


async def read(kafka: str, secret: str | None, topics: Collection[str] = (SUPPRESSED.name,)) -> Erased:
    """The list as it is now, from all of these topics. Raises as `Register.refresh` says."""
    erased = Erased(secret)
    for topic in topics:
        register = Register(kafka, erased, topic)
        try:
            await register.refresh()
        finally:
            await register.close()
    return erased


class _OfUsers(NamedTuple):
    """Rows of a batch, and whose they are."""

    rows: str
    subjects: Callable[[Any], list[str]]


def _of_user(row: Any) -> list[str]:
    return [row.user_id]


def _of_refused(row: Any) -> list[str]:
    return [subject.decode(errors="surrogateescape") for subject in named_by(row.key, row.raw)]


_TABLES = (
    *(_OfUsers(rows, _of_user) for rows in ("daily", "progress", "tastes", "recommendations")),
    _OfUsers("events", lambda row: [row.event.subject]),
    _OfUsers("entities", lambda row: [row.subject]),
    _OfUsers("rejected", _of_refused),
)


def strip(erased: Erased, taken: Taken) -> int:
    """Take the rows of erased users out of what was gathered; returns how many there were."""
    if not erased:
        return 0
    count = 0
    for rows, subjects in _TABLES:
        count += _strip(erased, getattr(taken.batch, rows), subjects)
    return count + _strip(erased, taken.refused_views, _of_refused)


def _strip(erased: Erased, rows: list[Any], subjects: Callable[[Any], list[str]]) -> int:
    kept = [row for row in rows if not any([erased.has(s.encode(errors="surrogateescape")) for s in subjects(row)])]
    gone = len(rows) - len(kept)
    if gone:
        rows[:] = kept
    return gone
