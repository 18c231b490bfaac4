"""When Python collects cyclic garbage: between flushes, never while a chunk is folded.

A collection walks everything that is younger than the last `gc.freeze()`. Restored state is frozen after recovery;
what is folded later is walked by the young collections, which are cheap, and by full ones only in a pause.
"""

from __future__ import annotations

import gc
import time

FULL_PAUSE_S = 600.0


class Collector:
    """Runs the collector by hand."""

    def __init__(self, every_flushes: int) -> None:
        self._every = every_flushes
        self._flushes = 0
        self._last_full = time.monotonic()

    def hold(self) -> None:
        """Switch the automatic collector off, for recovery and for good."""
        if gc.isenabled():
            gc.disable()
            gc.collect()  # what the start left; the state is not there yet

    def freeze(self) -> None:
        """Leave everything that is alive out of later collections. Walks nothing, so a large state costs no pause."""
        gc.freeze()

    def after_flush(self, *, idle: bool) -> None:
        """Collect what is young, now and then; everything, in a pause and at most every ten minutes."""
        self._flushes += 1
        if idle and time.monotonic() - self._last_full > FULL_PAUSE_S:
            self._last_full = time.monotonic()
            gc.collect()
        elif self._flushes % self._every == 0:
            gc.collect(1 if self._flushes % (16 * self._every) == 0 else 0)
