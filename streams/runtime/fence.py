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
        self._releases = 0
        self._taking = asyncio.Lock()
        """A take that a rebalance interrupts ends before the next begins: ours must not refuse each other."""

    def producer(self, partition: int) -> FencedProducer:
        """Return the producer of an owned partition."""
        return self._producers[partition]

    async def take(self, partitions: Iterable[int]) -> bool:
        """Start a new producer for every partition, also for those that we had: others may have been there since.

        False if `release` was called meanwhile, because the partitions are on the move again: then none is held.
        """
        async with self._taking:
            await self.release()
            releases = self._releases
            taken: dict[int, FencedProducer] = {}
            try:
                async with asyncio.TaskGroup() as group:
                    for partition in partitions:
                        group.create_task(self._take(partition, taken))
            except BaseException:
                await _close(taken)
                raise
            if releases != self._releases:
                await _close(taken)
                return False
            self._producers = taken
            return True

    async def _take(self, partition: int, taken: dict[int, FencedProducer]) -> None:
        producer = self._new_producer(partition)
        try:
            await producer.start(self._topics)
        except BaseException:
            await asyncio.wait_for(producer.stop(), CLOSE_WITHIN_S)
            raise
        taken[partition] = producer

    async def release(self) -> None:
        """Close all producers; nothing may be in flight."""
        self._releases += 1
        producers, self._producers = self._producers, {}
        await _close(producers)


async def _close(producers: dict[int, FencedProducer]) -> None:
    closing = (asyncio.wait_for(producer.stop(), CLOSE_WITHIN_S) for producer in producers.values())
    await asyncio.gather(*closing, return_exceptions=True)
