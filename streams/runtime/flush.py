"""When a partition is flushed: at once after a pause, else at most every ``interval_s``, one transaction at a time.

While a transaction is under way its partition and all others go on folding; what they fold goes into the next one.
Where a drain is long, partitions take turns: every answer of the broker that a commit waits for would else wait for the
drains of the others.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from aiokafka.errors import KafkaError

from schemas import faultpoints
from schemas.metrics import Meters
from schemas.tracing import HEADER, Attributes, Span, Tracing
from streams.runtime.chunklog import ChunkLog
from streams.runtime.partition import Flush, OwnedPartition
from streams.runtime.producer import FencedProducer
from streams.state import HISTORY, Target
from streams.stop import stop_process

log = logging.getLogger(__name__)


class Flusher:
    """Commits one owned partition through its fenced producer."""

    def __init__(
        self,
        partition: OwnedPartition,
        producer: FencedProducer,
        changelog: str,
        interval_s: float,
        on_commit: Callable[[OwnedPartition], None],
        meters: Meters,
        turns: asyncio.Semaphore,
        chunklog: ChunkLog,
        tracing: Tracing | None = None,
    ) -> None:
        """`turns`: how many flushers of the table may flush at once. `tracing`: None, where traces are off."""
        self.partition = partition
        self.producer = producer
        self.uncommitted = 0
        """Chunks folded and not committed yet."""
        self._changelog = changelog
        self._interval = interval_s
        self._on_commit = on_commit
        self._meters = meters
        self._turns = turns
        self._chunklog = chunklog
        self._tracing = tracing
        self.traced: list[bytes] = []
        """Spans of chunks that are folded and in no transaction yet (schemas/tracing.py)."""
        self._not_before = 0.0
        self._task: asyncio.Task[None] | None = None
        self._committed = asyncio.Condition()

    def wake(self) -> None:
        """Say that something was folded."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def wait_below(self, chunks: int) -> None:
        """Wait until fewer than ``chunks`` chunks are uncommitted."""
        async with self._committed:
            await self._committed.wait_for(lambda: self.uncommitted < chunks)

    async def drained(self) -> None:
        """Wait until everything that was folded is committed."""
        while self._task is not None:
            await asyncio.shield(self._task)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self.partition.dirty:
                delay = self._not_before - loop.time()
                if delay > 0:
                    await asyncio.sleep(delay)
                self._not_before = loop.time() + self._interval
                async with self._turns:
                    await self._flush()
        except BaseException as error:
            where = f"{self.producer.transactional_id}, flush {self.partition.flush_number}"
            ours = None if isinstance(error, KafkaError | TimeoutError) else error
            stop_process(f"the transaction of {where} failed or its outcome is unknown: {error!r}", ours)
        finally:
            self._task = None

    async def _flush(self) -> None:
        began = asyncio.get_running_loop().time()
        flush = self.partition.drain()
        faultpoints.reach("flush.drained")
        quiet = [to for to in flush.records if to != self._changelog] if flush.is_history else flush.silent
        told: dict[Target, list[tuple[str, bytes | None]]] = {to: [HISTORY] for to in quiet}
        span = self._span(flush, told) if self.traced else None
        last = await self.producer.commit(self.partition.number, flush.records, told)
        self.partition.changelog_offset = last[self._changelog]
        before = self.partition.committed
        self.partition.committed = before | flush.positions
        took_s = asyncio.get_running_loop().time() - began
        self._meters.observe("daybook_transaction_seconds", value=took_s)
        rows = 0
        for target, pairs in flush.records.items():
            topic = target if isinstance(target, str) else target[0]
            self._meters.add("daybook_rows_written_total", topic, by=len(pairs))
            rows += len(pairs) if target != self._changelog else 0
        if span is not None:
            span.end({"daybook.rows": rows})
        self._chunklog.add(before, flush.positions, len(flush.acks), rows, took_s)
        for acknowledge in flush.acks:
            acknowledge()
        async with self._committed:
            self.uncommitted -= len(flush.acks)
            self._committed.notify_all()
        self._on_commit(self.partition)

    def _span(self, flush: Flush, told: dict[Target, list[tuple[str, bytes | None]]]) -> Span:
        """The transaction's, which goes on with the rows: `told` gets it for each topic but the changelog."""
        assert self._tracing is not None
        after, self.traced = self.traced, []
        said: Attributes = {
            "messaging.system": "kafka",
            "daybook.partition": self.partition.number,
            "daybook.flush": flush.number,
        }
        span = self._tracing.follow("commit", after, said)
        for to in flush.records:
            if to != self._changelog:
                told[to] = [*told.get(to, ()), (HEADER, span.traceparent)]
        return span
