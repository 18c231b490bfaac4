"""The consumer loop of a sink: read committed, gather, write, then commit. Nothing is committed before it is stored.

What is committed is the position, not the last row: markers that end transactions count as read, so that an idle
partition comes to its end too. While a store is away the same batch waits for it, and the group keeps its member:
heartbeats run beside the loop.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from random import Random
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from schemas.rows import encode_row, rejected_key
from schemas.topics import GENERATION, REJECTED
from sinks import aside
from sinks.base import Behind, Retry, Sink, Stop
from sinks.intake import Taken, take
from sinks.patience import delays
from sinks.start import start
from sinks.tally import Tally

log = logging.getLogger(__name__)
T = TypeVar("T")

_POLL_S = 0.25
_HEARTBEAT_S = 5.0
"""How often an idle store is written an empty batch, by which it notices that it was emptied."""
_WRITE_TIMEOUT_S = 120.0
_START_PATIENCE_S = 60.0
_SLOW_S = 2.0
_KAFKA_TIMEOUT_S = 30.0


def group_of(role: str) -> str:
    """Consumer group of a sink: a new generation reads its topics from the beginning (DESIGN §8 rule 11)."""
    return f"daybook-sink-{role}-g{GENERATION}"


class _Moved(Exception):
    """The assignment changed: what was gathered and not stored belongs to whoever owns the partitions now."""


class _Assignment(ConsumerRebalanceListener):  # type: ignore[misc]
    """Counts assignments, so that nothing gathered under one is committed under another."""

    def __init__(self) -> None:
        self.number = 0
        self.made = False

    def on_partitions_revoked(self, revoked: object) -> None:
        self.number += 1

    def on_partitions_assigned(self, assigned: object) -> None:
        self.number += 1
        self.made = True


async def run_sink(
    sink: Sink,
    kafka: str,
    *,
    stop: asyncio.Event,
    group: str | None = None,
    instance_id: str | None = None,
    on_ready: Callable[[], None] = lambda: None,
) -> None:
    """Keep the store up to date until `stop` is set; then finish the batch, commit and leave the group.

    `on_ready` is called when the first partitions are assigned (or there are none for this member). `instance_id`
    makes it a static member: a restart within the session timeout moves no partitions. Raises Stop with one line when
    going on would lose data or can never work.
    """
    loop = _Loop(sink, kafka, group or group_of(sink.role), instance_id, stop)
    try:
        await loop.run(on_ready)
    finally:
        await loop.close()


class _Loop:
    def __init__(self, sink: Sink, kafka: str, group: str, instance_id: str | None, stop: asyncio.Event) -> None:
        self._sink, self._kafka, self._group, self._stop = sink, kafka, group, stop
        self._random = Random()
        self._tally = Tally(sink.role)
        self._assignment = _Assignment()
        self._settled = -1
        self._gathered = Taken()
        self._reached: dict[TopicPartition, int] = {}
        self._committed: dict[TopicPartition, int] = {}
        self._written_at = self._looked_at = 0.0
        self._producer: AIOKafkaProducer | None = None
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=kafka,
            group_id=group,
            group_instance_id=instance_id,
            client_id=f"daybook-sink-{sink.role}",
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="none",  # `start` decides, and says so when Kafka threw away what was not stored
            session_timeout_ms=6_000,
            heartbeat_interval_ms=2_000,
            max_poll_interval_ms=2**31 - 1,  # a store may be away for days; a hung process sends no heartbeats either
            max_partition_fetch_bytes=4 << 20,
            fetch_max_wait_ms=100,
        )

    async def run(self, on_ready: Callable[[], None]) -> None:
        await self._patiently(self._sink.open, give_up_after_s=_START_PATIENCE_S)
        if self._stop.is_set():
            return
        await self._connect()
        ready = False
        while not self._stop.is_set():
            try:
                await self._gather()
                if not ready and self._assignment.made:
                    ready = True
                    on_ready()
                if self._due():
                    await self._flush()
            except _Moved:
                await self._settle()
            except (NoOffsetForPartitionError, OffsetOutOfRangeError, IllegalStateError):
                await self._settle()
            except Behind as why:
                log.warning("%s: %s: reading again", self._sink.role, why)
                await self._settle()
            except KafkaError as why:
                if not why.retriable:
                    raise Stop(f"Kafka at {self._kafka}: {why}") from why
                log.warning("%s: Kafka at %s: %s", self._sink.role, self._kafka, why)
                await self._rest(_POLL_S)
            self._tally.say_if_due()
        if self._settled == self._assignment.number:
            with suppress(_Moved, Behind):  # the next owner stores it
                await self._flush()

    async def close(self) -> None:
        for end in (self._consumer.stop, self._sink.close, *([self._producer.stop] if self._producer else [])):
            try:
                await asyncio.wait_for(end(), 10)
            except (TimeoutError, KafkaError, OSError) as why:
                log.warning("%s: leaving: %s", self._sink.role, why)
        self._tally.say()

    async def _connect(self) -> None:
        try:
            await self._consumer.start()
        except KafkaError as why:
            raise Stop(f"Kafka at {self._kafka} cannot be reached: {why}") from why
        known = await self._consumer.topics()
        if missing := sorted(set(self._sink.topics) - known):
            raise Stop(f"Kafka at {self._kafka} has no topic {missing[0]}: run daybook migrate")
        self._consumer.subscribe(self._sink.topics, listener=self._assignment)

    async def _settle(self) -> None:
        """Begin anew with what is assigned now: every partition is set to where the store and the group left it."""
        self._gathered, self._reached, self._committed = Taken(), {}, {}
        number, tps = self._assignment.number, sorted(self._consumer.assignment())
        try:
            async with asyncio.timeout(_KAFKA_TIMEOUT_S):
                committed = dict(zip(tps, await asyncio.gather(*map(self._consumer.committed, tps)), strict=True))
                begin = await self._consumer.beginning_offsets(tps) if tps else {}
                end = await self._consumer.end_offsets(tps) if tps else {}
            known = {(tp.topic, tp.partition): at or 0 for tp, at in committed.items()}
            resume = await self._patiently(lambda: self._sink.resume(known)) or {}
            for tp in tps:
                wish = resume.get((tp.topic, tp.partition))
                first = start(*tp, committed=committed[tp], resume=wish, begin=begin[tp], end=end[tp])
                if first.lost:
                    log.error("%s: %s/%d: Kafka expired %d records unread", self._sink.role, *tp, first.lost)
                self._consumer.seek(tp, first.offset)
                self._reached[tp] = first.offset
                if committed[tp] is not None:
                    self._committed[tp] = committed[tp]
        except (IllegalStateError, KafkaError, TimeoutError) as why:
            log.warning("%s: partitions are not settled yet: %s", self._sink.role, why or type(why).__name__)
            await self._rest(_POLL_S)
            return
        self._settled = number

    async def _gather(self) -> None:
        """Add to what is gathered what Kafka has now; waits a little while there is nothing."""
        if not self._consumer.assignment():
            await self._rest(_POLL_S)
        room = self._sink.rows_per_write - self._gathered.records
        wait_s = _POLL_S if not self._gathered.records else max(0.0, min(_POLL_S, self._linger_left()))
        try:
            async with asyncio.timeout(_POLL_S + 2.0):  # it waits without end for an assignment
                fetched = await self._consumer.getmany(timeout_ms=int(wait_s * 1000), max_records=max(1, room))
        except TimeoutError:
            return
        if self._assignment.number != self._settled:
            raise _Moved
        for tp, records in fetched.items():
            take(self._gathered, tp.topic, tp.partition, records)
            self._gathered.records += len(records)
        for tp in self._consumer.assignment():
            self._reached[tp] = await self._consumer.position(tp)

    def _linger_left(self) -> float:
        return self._written_at + self._sink.linger_s - time.monotonic()

    def _due(self) -> bool:
        if self._gathered.records:
            return self._gathered.records >= self._sink.rows_per_write or self._linger_left() <= 0
        moved = self._reached != self._committed
        return moved or time.monotonic() - self._looked_at > _HEARTBEAT_S

    async def _flush(self) -> None:
        """Store what is gathered, then commit how far that goes."""
        gathered, reached = self._gathered, dict(self._reached)
        batch = gathered.batch
        batch.through = {(tp.topic, tp.partition): offset for tp, offset in reached.items()}
        began = time.monotonic()
        refused = await self._patiently(lambda: aside.write(self._sink, batch))
        if refused is None or await self._patiently(lambda: self._file(gathered)) is None:
            return  # told to stop while the store was away: the next worker writes it
        self._gathered = Taken()
        self._looked_at = time.monotonic()
        if gathered.records:
            self._written_at = self._looked_at
        for row, why in refused:
            log.error("%s refused a row, which is set aside: %s: %s", self._sink.role, _name(row), why)
        for bad in gathered.unreadable:
            log.error("%s: unreadable, set aside: %s/%d@%d key %r: %s", self._sink.role, *bad)
        took = self._looked_at - began
        self._tally.add(gathered, len(refused), took)
        log.log(
            logging.INFO if took > _SLOW_S else logging.DEBUG,
            "%s stored %d rows of %d records in %.0f ms",
            *(self._sink.role, len(batch), gathered.records, took * 1000),
        )
        await self._commit(reached)

    async def _commit(self, reached: Mapping[TopicPartition, int]) -> None:
        if self._assignment.number != self._settled:
            raise _Moved
        moved = {tp: offset for tp, offset in reached.items() if self._committed.get(tp) != offset}
        if not moved:
            return
        try:
            async with asyncio.timeout(_KAFKA_TIMEOUT_S):
                await self._consumer.commit(moved)
        except IllegalStateError as why:
            raise _Moved from why
        except (KafkaError, TimeoutError) as why:  # a later commit says it too
            log.warning("%s: commit failed: %s", self._sink.role, why or type(why).__name__)
            await self._rest(_POLL_S)
            return
        self._committed |= moved

    async def _file(self, gathered: Taken) -> bool:
        """Put refused views on the topic `rejected`; twice is once, because place is identity."""
        if not gathered.refused_views:
            return True
        try:
            if self._producer is None:
                producer = AIOKafkaProducer(bootstrap_servers=self._kafka, acks="all", enable_idempotence=True)
                await producer.start()
                self._producer = producer
            rows = gathered.refused_views
            sent = [await self._producer.send(REJECTED.name, encode_row(row), rejected_key(row)) for row in rows]
            await asyncio.gather(*sent)
        except KafkaError as why:
            raise Retry(f"Kafka at {self._kafka} takes no refused views: {why}") from why
        return True

    async def _patiently(self, act: Callable[[], Awaitable[T]], give_up_after_s: float | None = None) -> T | None:
        """Do it, again and again while the store is away; None if told to stop before it was done."""
        began = time.monotonic()
        for delay in delays(self._random):
            try:
                async with asyncio.timeout(_WRITE_TIMEOUT_S):
                    return await act()
            except (Retry, TimeoutError) as why:
                reason = str(why) or f"{self._sink.role} did not answer within {_WRITE_TIMEOUT_S:g} s"
                if give_up_after_s is not None and time.monotonic() - began > give_up_after_s:
                    raise Stop(reason) from why
                log.warning("%s: %s: trying again in %.1f s", self._sink.role, reason, delay)
                self._tally.retries += 1
            await self._rest(delay)
            if self._stop.is_set():
                return None
        raise AssertionError("delays do not end")

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)


def _name(row: Any) -> str:
    text = repr(row)
    return text if len(text) <= 300 else f"{text[:300]}…"
