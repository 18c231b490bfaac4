"""How long to wait before trying again: longer each time, never in step with others."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from random import Random
from typing import TypeVar

from sinks.base import Retry, Stop

log = logging.getLogger(__name__)
T = TypeVar("T")

FIRST_S = 0.1
LONGEST_S = 5.0
ANSWER_S = 120.0
"""How long one attempt may take: a frozen server must not look like a slow one for ever."""


def delays(random: Random) -> Iterator[float]:
    """Seconds to wait, without end: doubling up to LONGEST_S, each cut by up to half at random.

    >>> [0.05 <= s <= 5 for s, _ in zip(delays(Random(1)), range(3))]
    [True, True, True]
    """
    longest = FIRST_S
    while True:
        yield longest * random.uniform(0.5, 1.0)
        longest = min(longest * 2, LONGEST_S)


class Patience:
    """Tries again while a store is away, until told to stop."""

    def __init__(
        self,
        who: str,
        stop: asyncio.Event,
        random: Random | None = None,
        on_retry: Callable[[], None] = lambda: None,
    ) -> None:
        self._who, self._stop, self._random, self._on_retry = who, stop, random or Random(), on_retry
        self.retries = 0

    async def until_done(self, act: Callable[[], Awaitable[T]], give_up_after_s: float | None = None) -> T | None:
        """What `act` gives; None if told to stop before it was done.

        Retry, and no answer within ANSWER_S, mean again; everything else goes through. Raises Stop with the last
        reason once `give_up_after_s` have passed.
        """
        began = time.monotonic()
        for delay in delays(self._random):
            try:
                async with asyncio.timeout(ANSWER_S):
                    return await act()
            except (Retry, TimeoutError) as why:
                reason = str(why) or f"no answer within {ANSWER_S:g} s"
                if give_up_after_s is not None and time.monotonic() - began > give_up_after_s:
                    raise Stop(reason) from why
                log.warning("%s: %s: trying again in %.1f s", self._who, reason, delay)
                self.retries += 1
                self._on_retry()
            await self.rest(delay)
            if self._stop.is_set():
                return None
        raise AssertionError("delays do not end")

    async def rest(self, seconds: float) -> None:
        """Wait, or less when told to stop."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)
