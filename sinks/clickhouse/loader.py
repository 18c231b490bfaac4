"""The loader: answers the owners of ledgers with their users' old entities, and tells them what ClickHouse holds.

It reads questions from the topic `loads`, answers on `loaded`, and commits a question when its answer is there, so a
question may be answered twice; the owner takes one answer only. A question waits until ClickHouse holds the flush that
asked it (DESIGN §8 rule 8). Why all this: docs/adr/0017.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import IllegalStateError, KafkaError

from schemas import broker, loads
from schemas.topics import GENERATION, HINTS, LOADED, LOADS, REBUILDS_APART
from sinks.address import shown
from sinks.base import Retry, SinkError, Stop
from sinks.clickhouse.client import connect
from sinks.clickhouse.entities import COLUMNS, StoredEntity, packed
from sinks.clickhouse.retry import ERRORS, judge
from sinks.pace import Pace
from sinks.patience import Patience

log = logging.getLogger(__name__)

GROUP = f"daybook-loader-g{GENERATION}"
ENTITIES_PER_S = 20_000
"""Most entities brought back a second: an owner needs about a tenth of a core for so many."""
LOAD_COSTS = 20
"""What a load counts as, besides its entities."""
_TOGETHER = 8
"""Users asked for in one query."""
_POLL_S = 0.2
_LOOK_S = 0.5
_MARK_S = 2.0
_IDLE_MARK_S = 60.0
_SAY_S = 10.0
_MOST_WAITING = 100_000
_POSITIONS = f"""
SELECT partition, max(version), maxIf(version, topic NOT IN ('{HINTS.name}', '{LOADED.name}'))
FROM positions WHERE generation % {REBUILDS_APART} = {GENERATION} GROUP BY partition"""
_ENTITIES = f"""
SELECT {COLUMNS} FROM entities FINAL WHERE subject IN {{users:Array(String)}} AND family != 'plans' ORDER BY subject"""


class Question(NamedTuple):
    offset: int
    subject: str
    number: int


class Held(NamedTuple):
    """What ClickHouse holds of one partition's ledger: versions of flushes."""

    all: int
    of_events: int
    """The last flush that folded events, not only what a loader or a hint said."""


def ready(waiting: Iterable[Question], held: int, most: int) -> list[Question]:
    """The questions that can be answered now, a user's newest only: the owner has forgotten the others."""
    newest = {question.subject: question for question in waiting}
    return [question for question in newest.values() if question.number <= held][:most]


class Loader:
    """One worker; several share the partitions of `loads` as a consumer group."""

    def __init__(
        self,
        url: str,
        kafka: str,
        *,
        instance_id: str | None = None,
        entities_per_s: float = ENTITIES_PER_S,
        mark_s: float = _MARK_S,
    ) -> None:
        self._url, self._where = url, shown("ClickHouse", url)
        self._kafka, self._instance_id = kafka, instance_id
        self._pace, self._mark_s = Pace(entities_per_s), mark_s
        self._waiting: dict[int, deque[Question]] = {}
        self._held: dict[int, Held] = {}
        self._marked: dict[int, tuple[float, int]] = {}
        self._looked_at = self._said_at = time.monotonic()
        self._committed: dict[int, int] = {}
        self.users = self.entities = 0

    async def run(self, stop: asyncio.Event, on_ready: Callable[[], None] = lambda: None) -> None:
        """Answer until `stop` is set. Raises Stop where going on can never work."""
        consumer = AIOKafkaConsumer(
            LOADS.name,
            **broker.aiokafka(self._kafka),
            group_id=GROUP,
            group_instance_id=self._instance_id,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            session_timeout_ms=10_000,
            max_poll_interval_ms=3_600_000,
        )
        producer = AIOKafkaProducer(
            **broker.aiokafka(self._kafka), acks="all", enable_idempotence=True, compression_type="lz4"
        )
        patience = Patience("loader", stop)
        self._client: Any = None
        try:
            await consumer.start()
            await producer.start()
            told = False
            while not stop.is_set():
                await self._take(consumer)
                if not told and consumer.assignment():
                    told = True
                    on_ready()
                await patience.until_done(lambda: self._turn(consumer, producer))
        except KafkaError as why:
            raise Stop(f"the loader and Kafka at {self._kafka}: {why!r}") from why
        finally:
            for leave in (consumer.stop, producer.stop, self._forget_client):
                with suppress(TimeoutError, KafkaError, OSError):
                    await asyncio.wait_for(leave(), 10)

    # -- one turn

    async def _take(self, consumer: AIOKafkaConsumer) -> None:
        if sum(map(len, self._waiting.values())) < _MOST_WAITING:
            fetched: Mapping[Any, Sequence[Any]] = await consumer.getmany(timeout_ms=int(_POLL_S * 1000))
        else:
            fetched = {}
            await asyncio.sleep(_POLL_S)
        mine = {tp.partition for tp in consumer.assignment()}
        for partition in [partition for partition in self._waiting if partition not in mine]:
            del self._waiting[partition]  # the next owner reads them again
            self._committed.pop(partition, None)
        for tp, records in fetched.items():
            questions = self._waiting.setdefault(tp.partition, deque())
            for record in records:
                try:
                    ask = loads.decode_ask(record.value or b"")
                    questions.append(Question(record.offset, (record.key or b"").decode(), ask.number))
                except (msgspec.MsgspecError, UnicodeDecodeError) as why:
                    log.error("loader: %s/%d@%d is no question: %s", tp.topic, tp.partition, record.offset, why)

    async def _turn(self, consumer: AIOKafkaConsumer, producer: AIOKafkaProducer) -> None:
        """Look at ClickHouse, say what it holds, answer what can be answered. Raises Retry and Stop as `judge` says."""
        mine = sorted(tp.partition for tp in consumer.assignment())
        now = time.monotonic()
        if now - self._looked_at >= _LOOK_S:
            self._looked_at = now
            self._held = await self._look()
        await self._mark(producer, mine, now)
        for partition in mine:
            await self._answer(producer, partition, self._waiting.get(partition, deque()))
        await self._commit(consumer)
        if now - self._said_at >= _SAY_S and self.users:
            waiting = sum(map(len, self._waiting.values()))
            log.info("loader: %d users with %d entities brought back, %d waiting", self.users, self.entities, waiting)
            self._said_at, self.users, self.entities = now, 0, 0

    async def _look(self) -> dict[int, Held]:
        rows = await self._query(_POSITIONS)
        return {partition: Held(all, of_events) for partition, all, of_events in rows}

    async def _mark(self, producer: AIOKafkaProducer, mine: Iterable[int], now: float) -> None:
        """Tell each owner what ClickHouse holds: when events moved it, and once a minute for the clock's sake."""
        for partition in mine:
            held = self._held.get(partition)
            at, of_events = self._marked.get(partition, (0.0, -1))
            if held is None or now - at < (self._mark_s if held.of_events != of_events else _IDLE_MARK_S):
                continue
            await producer.send_and_wait(LOADED.name, loads.encode(loads.Mark(held.all)), partition=partition)
            self._marked[partition] = (now, held.of_events)

    async def _answer(self, producer: AIOKafkaProducer, partition: int, waiting: deque[Question]) -> None:
        held = self._held.get(partition)
        if held is None or self._pace.wait_s(time.monotonic()) > 0:
            return
        questions = ready(waiting, held.all, _TOGETHER)
        if not questions:
            return
        found: dict[str, list[tuple[bytes, bytes]]] = {question.subject: [] for question in questions}
        for row in await self._query(_ENTITIES, {"users": list(found)}):
            entity = StoredEntity(*row)
            found[entity.subject].append(packed(entity))
        attempt = uuid.uuid4().hex[:12]
        sent = []
        for question in questions:
            entities = found[question.subject]
            for part in loads.parts_of(question.number, attempt, entities):
                key = question.subject.encode()
                sent.append(await producer.send(LOADED.name, loads.encode(part), key, partition))
            self.users += 1
            self.entities += len(entities)
            self._pace.spend(len(entities) + LOAD_COSTS, time.monotonic())
        await asyncio.gather(*sent)
        answered = {question.subject: question.number for question in questions}
        left = [q for q in waiting if answered.get(q.subject, -1) < q.number]
        waiting.clear()
        waiting.extend(left)

    async def _commit(self, consumer: AIOKafkaConsumer) -> None:
        """Everything before the first question that waits is done; where none waits, everything that was read."""
        done = {}
        for tp in consumer.assignment():
            waiting = self._waiting.get(tp.partition)
            with suppress(IllegalStateError):
                at = waiting[0].offset if waiting else await consumer.position(tp)
                if self._committed.get(tp.partition) != at:
                    done[tp] = at
        if done:
            with suppress(IllegalStateError):
                await consumer.commit(done)
                self._committed |= {tp.partition: at for tp, at in done.items()}

    # -- ClickHouse

    async def _query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Sequence[Sequence[Any]]:
        try:
            if self._client is None:
                self._client = await connect(self._url)
            rows: Sequence[Sequence[Any]] = (await self._client.query(sql, parameters=parameters)).result_rows
            return rows
        except ERRORS as why:
            error = judge(why, self._where)
            await self._forget_client()
            raise error if isinstance(error, Retry | Stop) else Stop(str(error)) from why

    async def _forget_client(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with suppress(SinkError, *ERRORS):
                await client.close()
