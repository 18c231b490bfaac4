"""A Faust table whose state is one `PartitionState` per partition, flushed by fenced transactions."""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any, cast

import faust
from faust.types import TP

from schemas.tracing import Attributes, Span, told
from streams.runtime.chunklog import ChunkLog
from streams.runtime.fence import Fence
from streams.runtime.flush import Flusher
from streams.runtime.garbage import Collector
from streams.runtime.limit import Limit, TooManyRefused
from streams.runtime.partition import BrokenFold, OwnedPartition
from streams.runtime.producer import FencedProducer
from streams.runtime.quiet import FAUST_LOG
from streams.runtime.store import ChunkStore
from streams.runtime.transport.chunk import Chunk, ChunkSchema
from streams.runtime.tuning import Tuning
from streams.state import PartitionState, Records
from streams.stop import refuse, stop_process

log = logging.getLogger(__name__)

StateFactory = Callable[[int], PartitionState]


class ChunkTable(faust.Table[Any, Any]):
    """What an agent folds chunks into: ``await table.fold(chunk)``."""

    logger = FAUST_LOG
    app: Any

    def __init__(
        self,
        app: Any,
        *,
        name: str,
        partitions: int,
        state_factory: StateFactory,
        outputs: Sequence[str],
        sources: tuple[str, ...] | None,
        **options: Any,
    ) -> None:
        options["schema"] = ChunkSchema(key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
        options["recovery_buffer_size"] = 2  # chunks; 1 has a special meaning in Faust's recovery
        options["standby_buffer_size"] = 1
        super().__init__(app, name=name, partitions=partitions, store="chunkmem://", **options)
        self.partition_count = partitions
        self.outputs = tuple(outputs)
        self._sources = sources
        self.topic_ids: dict[str, str] = {}
        """Kafka's id of each source topic, as last seen by the admission check."""
        self.tuning: Tuning = app.tuning
        self.collector: Collector = app.collector
        self._state_factory = state_factory
        self._flushers: dict[int, Flusher] = {}
        self._fence: Fence | None = None

    @property
    def store(self) -> ChunkStore:
        """The store, typed."""
        return cast(ChunkStore, self.data)

    @property
    def sources(self) -> tuple[str, ...]:
        """The topics that are folded into this table."""
        return tuple(self.app.chunked_names) if self._sources is None else self._sources

    # -- assignment, driven by the recovery service

    def new_partition(self, number: int) -> OwnedPartition:
        """Make an empty partition."""
        limit = Limit(self.tuning.rejects_share, self.tuning.rejects_run)
        state = self._state_factory(number)
        return OwnedPartition(
            number,
            self.changelog_topic_name,
            self.app.generation,
            state,
            limit,
            self.app.erased,
            self.app.state_format,
        )

    async def take(self, numbers: set[int]) -> bool:
        """Become the only writer of these partitions. What memory holds of them must be what was committed.

        False if they were released before it was done; then they are nobody's here.
        """
        for number, flusher in self._flushers.items():
            if flusher.partition.dirty or flusher.uncommitted:
                stop_process(f"{self.name}/{number} changed hands with uncommitted work in memory")
        self._flushers = {}
        turns = asyncio.Semaphore(self.tuning.flushes_at_once)
        if self._fence is None:
            self._fence = Fence(self._new_producer, [*self.outputs, self.changelog_topic_name])
        if not await self._fence.take(numbers):
            return False
        if numbers and self.app.renew is not None:
            try:
                await self.app.renew()
            except Exception as why:
                stop_process(f"{self.name}: who was erased cannot be read: {why}")
        for number in numbers:
            partition = self.store.open(number)
            partition.ready = False
            self._flushers[number] = Flusher(
                partition,
                self._fence.producer(number),
                self.changelog_topic_name,
                self.tuning.flush_interval_s,
                self._on_commit,
                self.app.meters,
                turns,
                ChunkLog(self.app.conf.id, number, self.tuning.log_every_s),
                self.app.tracing,
            )
        return True

    def _new_producer(self, number: int) -> FencedProducer:
        return FencedProducer(
            self.app.kafka,
            f"{self.app.conf.id}-{self.name}-{number}",
            transaction_timeout_s=self.tuning.transaction_timeout_s,
            compression=self.tuning.compression,
        )

    def owns(self, number: int) -> bool:
        """Whether this process may write for the partition; others in the store are followed as a standby."""
        return number in self._flushers

    def begin(self) -> None:
        """Let owned partitions be folded into, and flush what they have to say before."""
        for number, partition in self.store.partitions.items():
            partition.ready = self.owns(number)
            if partition.ready and partition.dirty:
                self._flushers[number].wake()

    async def drained(self) -> None:
        """Wait until all that was folded is committed."""
        for flusher in self._flushers.values():
            await flusher.drained()

    async def release(self) -> None:
        """Wait until all that was folded is committed, then close the producers."""
        await self.drained()
        self._flushers = {}
        if self._fence is not None:
            await self._fence.release()

    def watermarks(self) -> dict[TP, int]:
        """Return the next offset to fold, per owned source partition."""
        return {
            TP(topic, number): position.next_offset
            for number, partition in self.store.partitions.items()
            for topic, position in partition.positions.items()
        }

    # -- folding

    async def fold(self, chunk: Chunk) -> None:
        """Fold a chunk, in slices that let the event loop live; acknowledged when its transaction is committed.

        A slice that fails is tried again after a pause; if it keeps failing, the process ends: nothing is ever skipped.
        """
        number = chunk.tp.partition
        flusher = self._flushers.get(number)
        partition = flusher.partition if flusher else None
        if flusher is None or partition is None or not partition.ready:
            stop_process(f"{chunk!r} arrived for a partition that is not owned")
        self.app.meters.add("daybook_records_total", chunk.tp.topic, by=len(chunk))
        first = await self._first_new(partition, chunk)
        if first is None:
            chunk.ack()
            return
        span = self._span(chunk, flusher) if self.app.tracing is not None and chunk.headers else None
        size, slice_size = len(chunk), self.tuning.slice_records
        due = asyncio.get_running_loop().time() + self.tuning.flush_interval_s
        while True:
            stop = min(first + slice_size, size)
            next_offset = chunk.next_offset if stop == size else chunk.offsets[stop - 1] + 1
            await self._fold_slice(partition, chunk.records(first, stop), next_offset, chunk)
            first = stop
            if first == size:
                break
            if asyncio.get_running_loop().time() > due:
                flusher.wake()
            await asyncio.sleep(0)
        if span is not None:
            span.end()
            if span.traceparent not in flusher.traced:  # what was folded since is in another transaction
                flusher.traced.append(span.traceparent)
        partition.waiting.append(chunk.ack)
        flusher.uncommitted += 1
        flusher.wake()
        if flusher.uncommitted >= self.tuning.max_uncommitted_chunks:
            await flusher.wait_below(self.tuning.max_uncommitted_chunks)

    def _span(self, chunk: Chunk, flusher: Flusher) -> Span | None:
        """The chunk's, where any of its events was sampled."""
        after = told(chunk.headers.values())
        if not after:
            return None
        said: Attributes = {
            **{"messaging.system": "kafka", "messaging.destination.name": chunk.tp.topic},
            **{"messaging.destination.partition.id": str(chunk.tp.partition), "messaging.kafka.offset": chunk.start},
            **{"messaging.batch.message_count": len(chunk), "messaging.consumer.group.name": self.app.conf.id},
        }
        span: Span = self.app.tracing.follow(f"fold {chunk.tp.topic}", after, said)
        flusher.traced.append(span.traceparent)
        return span

    async def _first_new(self, partition: OwnedPartition, chunk: Chunk) -> int | None:
        """Return which record of the chunk is the first that the watermark does not cover; None if it covers all."""
        topic = chunk.tp.topic
        watermark = partition.next_offset(topic)
        if watermark is None:
            stop_process(f"{self.name} was given {chunk!r}, and {topic} is none of its sources {self.sources}")
        if chunk.start > watermark:
            stop_process(
                f"{topic}/{partition.number} jumped from offset {watermark} to {chunk.start}: records in between were "
                "deleted before they were folded, or got lost on the way; the next start checks which"
            )
        if chunk.start < watermark:
            await self.app.check_topics(self)  # a topic that was made again starts from 0 too
            log.info("%s/%d: skipping what the watermark %d covers", topic, partition.number, watermark)
            if chunk.next_offset <= watermark:
                return None
        return bisect_left(chunk.offsets, watermark)

    async def _fold_slice(self, partition: OwnedPartition, records: Records, next_offset: int, chunk: Chunk) -> None:
        pause, attempt = self.tuning.retry_pause_s, 1
        while True:
            try:
                return partition.fold(records, next_offset, chunk.end)
            except TooManyRefused as why:
                await self._must_be_allowed(partition, records, why)
            except Exception as error:
                where = f"{self.name} cannot fold {chunk!r}"
                if attempt == self.tuning.attempts or isinstance(error, BrokenFold):
                    stop_process(f"{where}, at attempt {attempt}: {error!r}", error)
                self.app.meters.add("daybook_retries_total")
                log.warning("%s (attempt %d, again in %.1f s): %r", where, attempt, pause, error)
                await asyncio.sleep(pause)
                pause, attempt = pause * 2, attempt + 1

    async def _must_be_allowed(self, partition: OwnedPartition, records: Records, why: TooManyRefused) -> None:
        """Return if an operator lets more be refused than when it was last asked; else end the process."""
        before = partition.allowed.get(records.topic, 0)
        allowed = await self.app.refusals_allowed(TP(records.topic, partition.number))
        if allowed <= before:
            refuse(str(why))
        log.warning("%s/%d: refusals before offset %d are allowed", records.topic, partition.number, allowed)
        partition.allowed[records.topic] = allowed

    def _on_commit(self, partition: OwnedPartition) -> None:
        self.collector.after_flush(idle=not any(flusher.uncommitted for flusher in self._flushers.values()))
