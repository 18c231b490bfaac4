"""Where accepted events go: into Kafka, or onto the disk while it is down, and from the disk into Kafka.

What is sent after another event of the same subject was accepted comes behind it: while anything is on the disk, what
arrives goes behind it there. The last stretch is replayed with the door held, or a steady stream would keep the disk in
use for ever.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress

from api.publisher import Publisher, Unacknowledged
from api.spool import Spool
from producers.publish import PublishError, Record, publish_records
from schemas.metrics import Meters

log = logging.getLogger(__name__)

DOOR_S = 2.0
"""So long a request waits for the last stretch; then it goes behind it on the disk."""
AGAIN_S = 0.5
"""Between two tries to replay."""
LAST_BYTES = 1 << 20
"""So little is replayed while requests wait for it."""
REPLAY_S = 30.0
"""How long Kafka may take to acknowledge what is replayed at a time, a file: less would be never where it is slow."""
END_S = 5.0
"""How long a replay under way may take when the process is to end; what it had sent is sent again by the next."""


class Outlet:
    """The publisher, and the disk beside it."""

    def __init__(self, kafka: str, publisher: Publisher, spool: Spool, meters: Meters) -> None:
        self._kafka = kafka
        self._publisher, self.spool, self._meters = publisher, spool, meters
        self._door = asyncio.Event()
        self._door.set()
        self._replaying: asyncio.Task[None] | None = None
        self._ends = False

    def begin(self) -> None:
        """Replay from now on what is on the disk, whenever Kafka is up."""
        self._replaying = asyncio.create_task(self._replay())

    @property
    def is_up(self) -> bool:
        """Whether Kafka counts as up."""
        return self._publisher.is_up

    @property
    def takes(self) -> bool:
        """Whether events can be stored now."""
        if self.spool.is_empty and self._publisher.is_up:
            return True
        return self.spool.has_room

    def check(self) -> None:
        """Raises Problem 503 at once while events cannot be stored."""
        if self.spool.is_empty and (self._publisher.is_up or not self.spool.takes):
            self._publisher.check()
        else:
            self.spool.check()

    async def send(self, records: Sequence[Record], traceparent: bytes | None = None) -> bool:
        """Returns when all are stored: True if on the disk, False if in Kafka. Raises Problem 503 if any may not be.

        `traceparent`: goes with them into Kafka; the disk does not keep it."""
        if not records:
            return False
        with suppress(TimeoutError):
            async with asyncio.timeout(DOOR_S):
                await self._door.wait()
        if self.spool.is_empty and (self._publisher.is_up or not self.spool.takes):
            try:
                await self._publisher.send(records, traceparent)
                return False
            except Unacknowledged:
                if not self.spool.takes:
                    raise
        await self.spool.append(records)
        self._meters.add("daybook_ingest_spool_events_total", "stored", by=len(records))
        return True

    async def _replay(self) -> None:
        while not self._ends:
            await self.spool.filled.wait()
            if not self._publisher.is_up or not await self._one():
                self._door.set()
                await asyncio.sleep(AGAIN_S)
            elif not self.spool.left:
                await self.spool.settled()
                if self.spool.is_empty:
                    self._door.set()

    async def _one(self) -> bool:
        """Replay the oldest events; whether Kafka has them."""
        if self.spool.left <= LAST_BYTES:
            self._door.clear()
        try:
            chunk = await self.spool.read()
            await asyncio.to_thread(publish_records, self._kafka, chunk.records, acknowledge_s=REPLAY_S)
        except (PublishError, OSError) as why:
            log.warning("%d events stay on the disk: %s", self.spool.events, why)
            self._publisher.failed(str(why))
            return False
        self.spool.drop(chunk)
        self._meters.add("daybook_ingest_spool_events_total", "replayed", by=len(chunk.records))
        if self.spool.is_empty:
            log.info("Kafka has all events that were on the disk")
        return True

    async def close(self) -> None:
        """End the replay, and let go of the disk."""
        self._ends = True
        self._door.set()
        if self._replaying is not None:
            if not self.spool.filled.is_set():
                self._replaying.cancel()
            await asyncio.wait([self._replaying], timeout=END_S)
            self._replaying.cancel()
        await self.spool.close()
