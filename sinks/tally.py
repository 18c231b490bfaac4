"""What a sink did lately, said in one line every ten seconds."""

from __future__ import annotations

import logging
import time

from sinks.intake import Taken

log = logging.getLogger(__name__)
_EVERY_S = 10.0


class Tally:
    """Counts since the last line."""

    def __init__(self, role: str) -> None:
        self._role = role
        self._reset()

    def _reset(self) -> None:
        self._since = time.monotonic()
        self.records = self.rows = self.writes = self.aside = 0
        self.writing_s = 0.0

    def add(self, taken: Taken, refused: int, took_s: float) -> None:
        """One batch was stored."""
        if not taken.records:
            return
        self.records += taken.records
        self.rows += len(taken.batch) - refused
        self.writes += 1
        self.aside += refused + len(taken.unreadable)
        self.writing_s += took_s

    def say_if_due(self, retries: int) -> None:
        if time.monotonic() - self._since >= _EVERY_S:
            self.say(retries)

    def say(self, retries: int) -> None:
        """One line, if anything happened; `retries` since the start."""
        if self.records or self.aside:
            seconds = time.monotonic() - self._since
            log.info(
                "%s: %d records, %d rows in %d writes, %.0f rows/s, %.0f %% of it writing, %d retries, %d set aside",
                *(self._role, self.records, self.rows, self.writes, self.rows / seconds),
                *(100 * self.writing_s / seconds, retries, self.aside),
            )
        self._reset()
