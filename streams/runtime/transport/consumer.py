"""The main thread's side of the consumer: wraps chunks into messages and accounts for commits by identity and order.

The truth about how far a partition is folded is its watermark, in the changelog. What is committed to the group follows
it, for tools that show lag; a start or a rebalance seeks to the watermark and never to the group's offset.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from schemas import faultpoints
from streams.runtime.quiet import FAUST_LOG
from streams.runtime.transport.chunk import Chunk, ChunkMessage, ChunkSchema
from streams.runtime.transport.thread import ChunkConsumerThread


class ChunkConsumer(driver.Consumer):
    """Faust's consumer for chunked topics; ordinary topics pass through unchanged."""

    logger = FAUST_LOG
    app: Any
    _thread: Any

    def __init__(self, transport: Any, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        self._outstanding: dict[TP, deque[ChunkMessage]] = {}
        """Delivered and not yet committed, in order. Also the strong reference: Faust itself keeps only weak ones."""
        self._safe: dict[TP, int] = {}
        self._deliver_inner = callback
        super().__init__(transport, self._deliver, *args, **kwargs)

    def _new_consumer_thread(self) -> ChunkConsumerThread:
        return ChunkConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def chunked_topics(self) -> set[str]:
        """Names of the subscribed topics whose channel carries a ChunkSchema, changelogs included."""
        index = self.app.topics._topic_name_index
        return {
            topic
            for topic, channels in list(index.items())
            if any(isinstance(channel.schema, ChunkSchema) for channel in list(channels))
        }

    # -- delivery

    def _to_message(self, tp: TP, record: Any) -> Any:
        if type(record) is not Chunk:
            return super()._to_message(tp, record)
        return ChunkMessage.of(record, self.app.consumer_generation_id)

    async def _deliver(self, message: Any) -> None:
        if type(message) is ChunkMessage and not self._is_changelog_tp(message.tp):
            self._outstanding.setdefault(message.tp, deque()).append(message)
        await self._deliver_inner(message)

    # -- what may be committed: Faust's own gap bookkeeping loses data (its intervals contain unacked messages)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        if tp not in self._outstanding:
            await super()._add_gap(tp, offset_from, offset_to)

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        seen: set[TP] = set()
        for tp in [*self._acked, *self._outstanding]:
            if tp not in seen and (topics is None or tp in topics or tp.topic in topics):
                seen.add(tp)
                yield tp

    def _new_offset(self, tp: TP) -> int | None:
        outstanding = self._outstanding.get(tp)
        if outstanding is None:
            offset: int | None = super()._new_offset(tp)
            return offset
        self._acked[tp].clear()
        self._acked_index[tp].clear()
        while outstanding and outstanding[0].acked:
            self._safe[tp] = outstanding.popleft().chunk.next_offset
        return self._safe.get(tp)

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:
        before = {tp: self._committed_offset[tp] for tp in offsets}
        committed: bool = await super()._commit_offsets(offsets, start_new_transaction=start_new_transaction)
        if not committed:  # Faust 0.15.3 takes a failed commit for a made one and never tries it again (#316)
            self._committed_offset.update(before)
        return committed

    # -- assignment

    async def perform_seek(self) -> None:
        """Seek, and have the group's offsets follow what was found.

        Who died between a transaction and the group's commit left them behind, and where no event follows nobody else
        would move them: tools would wait for ever.
        """
        await super().perform_seek()
        assigned = self.assignment()
        for tp, offset in self.app.tables.watermarks().items():
            if tp in assigned:
                self._outstanding.setdefault(tp, deque())
                self._safe[tp] = offset
                self._committed_offset.pop(tp, None)

    async def seek_to_committed(self) -> Any:
        """Seek sources to their watermarks and ordinary topics to the group's offsets; leave changelogs alone.

        The group is told the watermarks at once: a worker killed between its transaction and the group's commit
        would otherwise seem behind until the next event comes.
        """
        assigned = self.assignment()
        positions = {tp: offset for tp, offset in self.app.tables.watermarks().items() if tp in assigned}
        await self._thread.seek_to_positions(positions)
        if folded := {tp: offset for tp, offset in positions.items() if offset}:
            await self._thread.commit(folded)
        changelogs = self.app.tables.changelog_topics
        plain = {tp for tp in assigned if tp not in positions and tp.topic not in changelogs}
        found = await self._thread.seek_plain_to_committed(plain) if plain else {}
        return {**found, **positions}

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Wait until what is in flight is committed, then let go of the partitions."""
        faultpoints.reach("rebalance.revoked")
        await super().on_partitions_revoked(revoked)
        await self.app.tables.release()
        for tp in revoked:
            self._outstanding.pop(tp, None)
            self._safe.pop(tp, None)

    async def _wait_next_records(self, timeout: float) -> Any:  # noqa: ASYNC109 (Faust's signature)
        # A member without active partitions does not poll; aiokafka would throw it out of the group and never let it in
        # again (faust-streaming #138, aiokafka #1187).
        consumer = self._thread._consumer
        if consumer is not None and not self._get_active_partitions():
            consumer._subscription._last_fetch_ended = time.monotonic()
        return await super()._wait_next_records(timeout)

    async def verify_all_partitions_active(self) -> None:
        """Leave out Faust's own livelock check, which compares a wall clock with a monotonic one: watchdog.py looks."""

    def oldest_unfinished(self) -> ChunkMessage | None:
        """Return the message that has waited longest for its commit."""
        heads = [waiting[0] for waiting in self._outstanding.values() if waiting]
        return min(heads, key=lambda message: message.delivered_at, default=None)
