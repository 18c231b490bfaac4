"""What a sink did lately, said in one line: at once after a pause, else summed up every so many seconds."""

from __future__ import annotations

import logging
import time

from sinks.batch import Place
from sinks.intake import Taken

log = logging.getLogger(__name__)
EVERY_S = 10.0
_NAMED = 4
"""So many partitions are named in a line; as fields (JSON) all are."""


class Tally:
    """Counts since the last line."""

    def __init__(self, role: str, every_s: float = EVERY_S) -> None:
        """`every_s`: least time between two lines."""
        self._role, self._every_s = role, every_s
        self._reset()
        self._since -= every_s

    def _reset(self) -> None:
        self._since = time.monotonic()
        self.records = self.rows = self.writes = self.aside = 0
        self.writing_s = 0.0
        self.offsets: dict[Place, tuple[int, int]] = {}

    def add(self, taken: Taken, refused: int, took_s: float) -> None:
        """One batch was stored."""
        if not taken.records:
            return
        self.records += taken.records
        self.rows += len(taken.batch) - refused
        self.writes += 1
        self.aside += refused + len(taken.unreadable)
        self.writing_s += took_s
        for place, (first, last) in taken.offsets.items():
            self.offsets[place] = self.offsets.get(place, (first, 0))[0], last

    def say_if_due(self, retries: int) -> None:
        if (self.records or self.aside) and time.monotonic() - self._since >= self._every_s:
            self.say(retries)

    def say(self, retries: int) -> None:
        """One line, if anything happened; `retries` since the start."""
        if self.records or self.aside:
            ms = round(1000 * self.writing_s / max(1, self.writes), 1)
            offsets = {f"{topic}/{partition}": list(at) for (topic, partition), at in sorted(self.offsets.items())}
            log.info(
                "%s: %d records, %d rows in %d writes of %.0f ms, %d retries, %d set aside: %s",
                *(self._role, self.records, self.rows, self.writes, ms, retries, self.aside),
                _places(offsets),
                extra={
                    **{"role": self._role, "offsets": offsets, "records": self.records, "rows": self.rows},
                    **{"writes": self.writes, "ms": ms, "retries": retries, "aside": self.aside},
                },
            )
        self._reset()


def _places(offsets: dict[str, list[int]]) -> str:
    """
    >>> _places({f"daily/{n}": [n, 7] for n in range(10)})
    'daily/0 0-7, daily/1 1-7, daily/2 2-7, daily/3 3-7 and 6 more'
    """
    named = ", ".join([f"{place} {first}-{last}" for place, (first, last) in list(offsets.items())[:_NAMED]])
    return named + (f" and {len(offsets) - _NAMED} more" if len(offsets) > _NAMED else "")
