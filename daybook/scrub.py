"""Passwords and keys out of what people read: log lines, errors, stack traces.

Settings say what is secret as they are read (`hide`); whatever goes to stderr or into a log passes `scrub`. What stands
as a password in any address is left out too, known or not.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from types import TracebackType
from urllib.parse import quote

HIDDEN = "***"
_SHORTEST = 6
"""Shorter ones would take words out of lines that have nothing to do with them; nothing starts with such a password."""
_IN_URL = re.compile(r"(?<=://)([^\s/:@]*):([^\s/@]+)@")
_IN_WORDS = re.compile(
    r"\b(password|passwd|requirepass|sasl[._]password)(\s*[=:]\s*)('[^']*'|\"[^\"]*\"|[^\s,;)]+)", re.IGNORECASE
)
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

_secrets: set[str] = set()


def hide(*secrets: str) -> None:
    """From now on these do not show."""
    for each in secrets:
        if len(each) >= _SHORTEST:
            _secrets.update((each, quote(each, safe="")))


def scrub(text: str) -> str:
    """The text without secrets.

    >>> scrub("cannot reach postgresql://me:hunter2@pg/daybook")
    'cannot reach postgresql://me:***@pg/daybook'
    """
    for each in sorted(_secrets, key=len, reverse=True):
        text = text.replace(each, HIDDEN)
    return _IN_WORDS.sub(rf"\1\2{HIDDEN}", _IN_URL.sub(rf"\1:{HIDDEN}@", text))


class Scrubbing(logging.Formatter):
    """A formatter whose lines, stack traces included, say no secret."""

    def format(self, record: logging.LogRecord) -> str:
        return scrub(super().format(record))


def log_to_stderr(formatter: logging.Formatter | None = None) -> None:
    """Set up logging for a process that goes on, and what it says when it dies of an error that nobody caught.

    `formatter`: passes its lines through `scrub`; lines for people if left out."""
    handler = logging.StreamHandler()
    handler.setFormatter(formatter or Scrubbing(FORMAT))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    sys.excepthook = _dying


def _dying(kind: type[BaseException], why: BaseException, where: TracebackType | None) -> None:
    print(scrub("".join(traceback.format_exception(kind, why, where))), end="", file=sys.stderr, flush=True)
