"""A thread that ends a worker which stands still, so that whoever supervises it starts it again (exit code 70).

The watchdog of streams/runtime looks from inside the event loop; a loop that is blocked asks nobody. This one looks
from outside, at all roles: does the loop still turn, and how long does the oldest chunk wait?
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

from streams.stop import stop_process

TICK_S = 1.0


class Heartbeat:
    """Watches one process; `beat` runs in its event loop."""

    def __init__(self, role: str, stuck_after_s: float, waits_s: Callable[[], float]) -> None:
        """`waits_s`: how long the oldest chunk has been waiting while it should not."""
        self._role, self._limit, self._waits_s = role, stuck_after_s, waits_s
        self._beat_at = time.monotonic()

    async def beat(self) -> None:
        """Say every second that the loop turns; ends with the loop."""
        threading.Thread(target=self._watch, name="heartbeat", daemon=True).start()
        while True:
            self._beat_at = time.monotonic()
            await asyncio.sleep(TICK_S)

    def _watch(self) -> None:
        while True:
            before = time.monotonic()
            time.sleep(TICK_S)
            if time.monotonic() - before > 5 * TICK_S:  # the whole process stood still: the loop gets its turn first
                self._beat_at = time.monotonic()
                continue
            if (why := self.verdict(time.monotonic())) is not None:
                stop_process(why)

    def verdict(self, now: float) -> str | None:
        """What is wrong at this time of the monotonic clock; None if nothing is."""
        if (still := now - self._beat_at) > self._limit:
            return f"the event loop of {self._role} has not turned for {still:.0f} s"
        if (waits := self._waits_s()) > self._limit:
            return f"the oldest chunk of {self._role} has been waiting for {waits:.0f} s"
        return None
