"""What keeps a worker's log few and factual, whatever the libraries below it say how often."""

from __future__ import annotations

import logging

FAUST_LOG = logging.getLogger("faust.runtime")
"""Faust's own lines about our subclasses: mode would name the logger after our modules."""

LIBRARIES = ("faust", "mode", "aiokafka", "asyncio")

LEVELS = {
    **dict.fromkeys(LIBRARIES, logging.WARNING),
    "aiokafka.consumer.group_coordinator": logging.ERROR,  # a warning at every rebalance
    "mode.timers": logging.ERROR,  # a busy loop makes timers late, and lateness is measured by the watermarks
}


class Seldom(logging.Filter):
    """Passes each line of the libraries once per ``every_s``: a broker that is away makes thousands a second."""

    def __init__(self, every_s: float = 10.0) -> None:
        super().__init__()
        self._every = every_s
        self._last: dict[tuple[str, str], float] = {}
        self._left_out = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Judge a record by its own time."""
        if not record.name.startswith(LIBRARIES):
            return True
        line = (record.name, record.getMessage())
        if record.created - self._last.get(line, float("-inf")) < self._every:
            self._left_out += 1
            return False
        if len(self._last) > 1_000:
            self._last.clear()
        self._last[line] = record.created
        if self._left_out:
            record.msg, record.args = f"{line[1]} ({self._left_out} lines like it or others were left out)", ()
            self._left_out = 0
        return True


def hush() -> None:
    """Set the libraries' levels and make repeated lines seldom, in all handlers that there are."""
    for name, level in LEVELS.items():
        logging.getLogger(name).setLevel(level)
    for handler in logging.root.handlers:
        if not any(isinstance(present, Seldom) for present in handler.filters):
            handler.addFilter(Seldom())
