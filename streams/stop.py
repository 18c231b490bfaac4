"""How a worker stops when going on could lose or double an event: at once, with one line, and a code that says so.

Nothing is lost by it. What was committed is in Kafka, what was not is folded again by the next owner; memory that is no
longer certain must not be flushed on the way out, so no handler, no event loop and no finaliser runs any more.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Callable
from typing import NoReturn

log = logging.getLogger(__name__)

EXIT_FAILED = 70
"""EX_SOFTWARE: start again, it goes on where the last commit left it."""
EXIT_REFUSED = 78
"""EX_CONFIG: starting again changes nothing until somebody does what the line says."""


last_words: list[Callable[[int, str], None]] = []
"""Who is told the code and the reason before the end: must be quick, and touch nothing that the worker holds."""


def stop_process(reason: str, error: BaseException | None = None) -> NoReturn:
    """End this process because going on would not be exact."""
    log.critical("stopping this worker: %s", reason, exc_info=error)
    _exit(EXIT_FAILED, reason)


def refuse(reason: str) -> NoReturn:
    """End this process because it may not work on what it found; ``reason`` says what and what to do."""
    log.critical("refusing to work: %s", reason)
    _exit(EXIT_REFUSED, reason)


def _exit(code: int, reason: str) -> NoReturn:
    for tell in last_words:
        with contextlib.suppress(Exception):
            tell(code, reason)
    with contextlib.suppress(Exception):
        logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code)
