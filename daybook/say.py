"""Where words go: stdout is for programs (whole lines, no colour, never wrapped), stderr is for people."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from daybook.scrub import scrub

if TYPE_CHECKING:
    from rich.console import Console


def out(line: object) -> None:
    """One line for programs."""
    print(line, flush=True)


def say(text: str) -> None:
    """One line for people, without secrets."""
    print(scrub(text), file=sys.stderr, flush=True)


def console() -> Console:
    """A terminal for people: tables, bars and colours where stderr is one, plain text elsewhere."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)
