"""Who may write for a partition: the owner that started its transactional producer last.

Takes place in the recovery service, before it asks how long the changelogs are: what an earlier owner committed before
that is read, what it did not commit is aborted and can never become visible. Not in the assignment callback, during
which no heartbeats are sent.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence

from streams.runtime.producer import FencedProducer

log = logging.getLogger(__name__)


CLOSE_WITHIN_S = 5.0


class Fence:
    """The transactional producers of one table, one a partition."""

    def __init__(self, new_producer: Callable[[int], FencedProducer], topics: Sequence[str]) -> None:
        self._new_producer = new_producer
        self._topics = topics
        self._producers: dict[int, FencedProducer] = {}
        self._taking = asyncio.Lock()
        """A take that a rebalance interrupts ends before the next begins: ours must not refuse each other."""

    def producer(self, partition: int) -> FencedProducer:
        """Return the producer of an owned partition."""
        return self._producers[partition]

    async def take(self, partitions: Iterable[int]) -> None:
        """Start a new producer for every partition, also for those that we had: others may have been there since."""
        async with self._taking:
            await self.release()
            async with asyncio.TaskGroup() as group:
                for partition in partitions:
                    group.create_task(self._take(partition))

    async def _take(self, partition: int) -> None:
        producer = self._new_producer(partition)
        try:
            await producer.start(self._topics)
        except BaseException:
            await asyncio.wait_for(producer.stop(), CLOSE_WITHIN_S)
            raise
        self._producers[partition] = producer

    async def release(self) -> None:
        """Close all producers; nothing may be in flight."""
        producers, self._producers = self._producers, {}
        closing = (asyncio.wait_for(producer.stop(), CLOSE_WITHIN_S) for producer in producers.values())
        await asyncio.gather(*closing, return_exceptions=True)
