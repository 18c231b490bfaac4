"""The consumer's own thread: fetches, heartbeats, and one chunk per fetched partition."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from aiokafka.consumer.fetcher import FetchResult
from aiokafka.errors import ConsumerStoppedError, IllegalStateError, KafkaError
from aiokafka.structs import TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from schemas import wire
from streams.runtime.quiet import FAUST_LOG
from streams.runtime.transport.chunk import take_chunk

log = logging.getLogger(__name__)
wire.install()

POLL_WHILE_REBALANCING_S = 0.1


class ChunkConsumerThread(driver.AIOKafkaConsumerThread):
    """aiokafka's consumer, read committed, giving chunks for chunked topics and records for all others."""

    logger = FAUST_LOG
    app: Any
    consumer: Any

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        tuning = self.app.fetch_tuning
        consumer._isolation_level = "read_committed"
        consumer._fetch_min_bytes = tuning.fetch_min_bytes
        # Faust fixes 1500 ms. While one fetch waits at the broker for an idle partition, aiokafka sends no other to it,
        # so this wait is added to the latency of every busy partition.
        consumer._fetch_max_wait_ms = tuning.fetch_max_wait_ms
        return consumer

    async def on_thread_stop(self) -> None:
        """Leave the group and let go of the connections.

        While the broker is away, aiokafka 0.14's fetcher lets the cancellation of its own fetches out. It would end
        this thread before it has said that it ends, and the process would wait for that for ever.
        """
        try:
            await super().on_thread_stop()
        except asyncio.CancelledError:
            log.warning("the consumer was closed while a fetch was under way")

    async def seek_to_positions(self, positions: dict[TP, int]) -> None:
        """Seek partitions to offsets, all within one turn of this thread."""
        await self.call_thread(self._seek_all, positions)

    async def _seek_all(self, positions: dict[TP, int]) -> None:
        consumer = self._ensure_consumer()
        assigned = consumer.assignment()
        for tp, offset in positions.items():
            if tp in assigned:
                consumer.seek(TopicPartition(*tp), offset)

    async def seek_plain_to_committed(self, tps: set[TP]) -> dict[TP, int | None]:
        """Seek partitions of ordinary topics to what the group committed; the rest start where the setting says."""
        found: dict[TP, int | None] = await self.call_thread(
            self._ensure_consumer().seek_to_committed, *(TopicPartition(*tp) for tp in tps)
        )
        return found

    async def _commit(self, offsets: Any) -> bool:
        """Commit the group's offsets, which only tools read: when it fails, the next one makes up for it."""
        assigned = self._ensure_consumer().assignment()
        wanted = {TopicPartition(*tp): offset for tp, offset in offsets.items() if TopicPartition(*tp) in assigned}
        try:
            await self._ensure_consumer().commit(wanted)
        except (KafkaError, IllegalStateError) as error:
            log.warning("the group's offsets could not be committed, later again: %r", error)
            return False
        return True

    async def _fetch_records(
        self,
        consumer: Any,
        active_partitions: Any,
        timeout: float | None = None,  # noqa: ASYNC109 (Faust's signature)
        max_records: int | None = None,
    ) -> dict[TP, list[Any]]:
        """Return what was fetched: per partition a list of records, or of one chunk."""
        if not self.consumer.flow_active:
            return {}
        subscriptions = consumer._fetcher._subscriptions
        # Counted by hand: aiokafka's fetch_context() is left open by an exception, and then believes for ever that the
        # application is polling.
        subscriptions._fetch_count += 1
        try:
            return await self._fetch_until(time.monotonic() + (timeout or 0), consumer, active_partitions)
        finally:
            subscriptions._fetch_count -= 1
            if not subscriptions._fetch_count:
                subscriptions._last_fetch_ended = time.monotonic()

    async def _fetch_until(self, deadline: float, consumer: Any, active: Any) -> dict[TP, list[Any]]:
        fetcher = consumer._fetcher
        while True:
            if consumer._closed or fetcher._closed:
                raise ConsumerStoppedError()
            consumer._coordinator.check_errors()
            if fetcher.error_future.done():
                raise KafkaError("aiokafka's fetching has ended, and nothing else would notice")
            if fetcher._subscriptions.reassignment_in_progress:
                await fetcher._subscriptions.wait_for_assignment()
            drained = self._drain(fetcher, active)
            left = deadline - time.monotonic()
            if drained or left <= 0:
                return drained
            waiter = fetcher._create_fetch_waiter()
            if self.app.rebalancing:  # what was held back below becomes available without a wake-up
                left = min(left, POLL_WHILE_REBALANCING_S)
            done, _ = await asyncio.wait([waiter], timeout=left)
            if done:
                waiter.result()  # raises what the coordinator found out, such as a missing authorisation
            else:
                waiter.cancel()

    def _drain(self, fetcher: Any, active: Any) -> dict[TP, list[Any]]:
        chunked, changelogs = self.consumer.chunked_topics, self.app.tables.changelog_topics
        drained: dict[TP, list[Any]] = {}
        for tp in list(fetcher._records):
            if active and tp not in active:
                if not fetcher._subscriptions.is_assigned(tp):
                    del fetcher._records[tp]
                continue
            if self.app.rebalancing and tp.topic in chunked and tp.topic not in changelogs:
                continue  # fetched before the seek to the watermark, at which aiokafka drops it (faust-streaming #596)
            result = fetcher._records[tp]
            if type(result) is not FetchResult:
                if drained:
                    break  # the error is raised by the next call
                self._forget(fetcher, tp)
                result.check_raise()
            try:
                if tp.topic in chunked:
                    chunk = take_chunk(TP(tp.topic, tp.partition), result)
                    got = [] if chunk is None else [chunk]
                else:
                    got = result.getall(None)
            except BaseException:
                self._forget(fetcher, tp)  # fetched again from the position, which has not moved
                raise
            if not result.has_more():
                self._forget(fetcher, tp)
            if got:
                drained[TP(tp.topic, tp.partition)] = got
        return drained

    @staticmethod
    def _forget(fetcher: Any, tp: Any) -> None:
        del fetcher._records[tp]
        fetcher._notify(fetcher._wait_consume_future)
