"""What a partition committed, in one line of the log: at once after a pause, else summed up every so many seconds.

Two additions a transaction; the line itself is made where one is due.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from schemas.positions import Position

log = logging.getLogger(__name__)


class ChunkLog:
    """Of one owned partition."""

    def __init__(self, role: str, partition: int, every_s: float) -> None:
        """`every_s`: least time between two lines."""
        self._role, self._partition, self._every = role, partition, every_s
        self._not_before = 0.0
        self._due: asyncio.TimerHandle | None = None
        self._from: dict[str, Position] = {}
        self._to: dict[str, Position] = {}
        self._chunks = self._rows = self._flushes = 0
        self._seconds = 0.0

    def add(
        self, before: Mapping[str, Position], after: Mapping[str, Position], chunks: int, rows: int, took_s: float
    ) -> None:
        """A transaction was committed: positions of the topics that moved before (where known) and after it."""
        for topic, position in after.items():
            self._from.setdefault(topic, before.get(topic, position))
            self._to[topic] = position
        self._chunks += chunks
        self._rows += rows
        self._flushes += 1
        self._seconds += took_s
        if self._due is None:
            loop = asyncio.get_running_loop()
            self._due = loop.call_at(max(loop.time(), self._not_before), self._say)

    def _say(self) -> None:
        self._due = None
        self._not_before = asyncio.get_running_loop().time() + self._every
        moved = {topic: at for topic, at in self._to.items() if at.next_offset > self._from[topic].next_offset}
        events = sum([at.received - self._from[topic].received for topic, at in moved.items()])
        offsets = {topic: [self._from[topic].next_offset, at.next_offset - 1] for topic, at in moved.items()}
        ms = round(1000 * self._seconds / self._flushes, 1)
        if moved:
            log.info(
                "%s/%d: %d events, %d rows in %d transactions of %.0f ms: %s",
                *(self._role, self._partition, events, self._rows, self._flushes, ms),
                ", ".join([f"{topic} {first}-{last}" for topic, (first, last) in offsets.items()]),
                extra={
                    **{"role": self._role, "partition": self._partition, "offsets": offsets, "events": events},
                    **{"rows": self._rows, "chunks": self._chunks, "transactions": self._flushes, "ms": ms},
                },
            )
        self._from, self._to = {}, {}
        self._chunks = self._rows = self._flushes = 0
        self._seconds = 0.0
