"""Faust's recovery with the fence in front and a check behind, so that nothing is folded onto half a state."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from typing import Any, cast

from aiokafka.errors import IllegalStateError
from faust.tables.manager import TableManager
from faust.tables.recovery import RebalanceAgain, Recovery
from faust.types import TP

from schemas import faultpoints
from streams.runtime.quiet import FAUST_LOG
from streams.runtime.table import ChunkTable
from streams.stop import stop_process

log = logging.getLogger(__name__)

QUEUE_CHUNKS = 4


class ChunkRecovery(Recovery):
    """Fence, then read the changelogs, then admit. Faust goes on silently after a time-out, so none is left to it."""

    logger = FAUST_LOG
    app: Any
    tables: Any
    tp_to_table: Any

    _began = 0.0
    _read = 0

    @property
    def _limit(self) -> float:
        return 0.9 * float(self.app.conf.broker_request_timeout)

    async def _build_highwaters(self, consumer: Any, tps: set[TP], destination: Any, title: str) -> None:
        self._began = time.monotonic()
        self.app.collector.hold()
        try:
            async with asyncio.timeout(self._limit):
                if title == "active":
                    if not await self.tables.take(tps):
                        await asyncio.Event().wait()  # until the rebalance under way starts the recovery anew
                    faultpoints.reach("recovery.fenced")
                    self._read = self.tables.records_read
                await super()._build_highwaters(consumer, tps, destination, title)
        except IllegalStateError:
            raise  # the partitions are on the move again, and Faust begins anew with the next assignment
        except Exception as error:
            stop_process(f"cannot take over {sorted(tps)}: {error!r}", error)

    async def _build_offsets(self, consumer: Any, tps: set[TP], destination: Any, title: str) -> None:
        if title == "standby":
            for tp in tps:
                self.tp_to_table[tp].store.open(tp.partition).ready = False
        for tp in tps:  # Faust may have kept an offset of an earlier assignment; only memory knows what it holds
            destination[tp] = self.tp_to_table[tp].persisted_offset(tp)
        try:
            async with asyncio.timeout(self._limit):
                await super()._build_offsets(consumer, tps, destination, title)
        except IllegalStateError:
            raise  # the partitions are on the move again, and Faust begins anew with the next assignment
        except Exception as error:
            stop_process(f"cannot ask for the first offsets of {sorted(tps)}: {error!r}", error)
        for tp in tps:
            self.tp_to_table[tp].store.expect(tp, destination[tp] + 1)

    async def _seek_offsets(self, consumer: Any, tps: set[TP], offsets: Any, title: str) -> None:
        try:
            async with asyncio.timeout(self._limit):
                await consumer.seek_wait({tp: offsets[tp] + 1 for tp in tps})  # Faust's own reads one record again
        except IllegalStateError:
            raise  # the partitions are on the move again, and Faust begins anew with the next assignment
        except Exception as error:
            stop_process(f"cannot seek in the changelogs {sorted(tps)}: {error!r}", error)

    async def on_recovery_completed(self, generation_id: int = 0) -> None:
        """Check that every changelog was read to its end and that the sources still fit, then let the streams go on."""
        if self.signal_recovery_start.is_set():
            # Partitions have moved again. While it reads changelogs, Faust 0.15.3 takes that for the end of reading.
            raise RebalanceAgain
        for tp in self.active_tps:
            have, need = self.tp_to_table[tp].persisted_offset(tp), self.active_highwaters[tp]
            if need >= 0 and (have is None or have < need):
                stop_process(f"recovery of {tp} ended at offset {have}, its changelog at {need}")
        faultpoints.reach("recovery.restored")
        await self.tables.admit()
        self.app.collector.freeze()
        await super().on_recovery_completed(generation_id)
        if not self.app.rebalancing:
            partitions = sorted(tp.partition for tp in self.active_tps)
            read, took = self.tables.records_read - self._read, time.monotonic() - self._began
            log.info("ready: partitions %s after %.1f s, %d changelog records read", partitions, took, read)


class ChunkTableManager(TableManager):
    """Knows the app's ChunkTables and bounds the changelog queue in chunks."""

    logger = FAUST_LOG
    app: Any

    async def on_start(self) -> None:
        """Register the changelogs and start the recovery; Faust sleeps for a second before."""
        await self._update_channels()
        await self.recovery.start()

    @property
    def recovery(self) -> ChunkRecovery:
        """The recovery service."""
        if self._recovery is None:
            self._recovery = ChunkRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return cast(ChunkRecovery, self._recovery)

    @property
    def changelog_queue(self) -> Any:
        """Faust's queue of changelog events, which would hold 4,096 chunks."""
        if self._changelog_queue is None:
            self._changelog_queue = self.app.FlowControlQueue(maxsize=QUEUE_CHUNKS, clear_on_resume=True)
        return self._changelog_queue

    @property
    def chunk_tables(self) -> Iterable[ChunkTable]:
        """The tables that this runtime drives."""
        return [table for table in self.values() if isinstance(table, ChunkTable)]

    @property
    def records_read(self) -> int:
        """How many changelog records were restored since the start."""
        return sum(table.store.records_read for table in self.chunk_tables)

    def watermarks(self) -> dict[TP, int]:
        """Return the next offset to fold, per owned source partition of all tables."""
        return {tp: offset for table in self.chunk_tables for tp, offset in table.watermarks().items()}

    async def take(self, tps: set[TP]) -> bool:
        """Fence the partitions of all tables; whether nobody released them meanwhile."""
        numbers = {
            table: {tp.partition for tp in tps if tp.topic == table.changelog_topic_name} for table in self.chunk_tables
        }
        return all([await table.take(own) for table, own in numbers.items()])

    async def admit(self) -> None:
        """Check the restored positions against the source topics; a partition that passes may be folded into."""
        for table in self.chunk_tables:
            await self.app.admit(table)
            table.begin()

    async def release(self) -> None:
        """Commit what is in flight and close the producers."""
        for table in self.chunk_tables:
            await table.release()
