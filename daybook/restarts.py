"""Whether and when a worker that ended is started again. Pure.

A worker ends by itself to stay exact (70) or is killed: the next one goes on from the last commit, so starting it again
is always right. One that refused to work (78) needs a person first. One that keeps ending is left alone after a while.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

FIRST_S, LONGEST_S = 0.5, 30.0
MOST, WITHIN_S = 10, 600.0
REFUSED = (2, 78)
"""Asked for in the wrong way; refused until somebody does what the line says."""


class Again(NamedTuple):
    """Start it after so many seconds."""

    after_s: float


class Leave(NamedTuple):
    """Do not start it again; the text says why."""

    why: str


def verdict(code: int | None, starts: Sequence[float], now: float) -> Again | Leave:
    """``code``: how it ended, None if it was killed; ``starts``: when it was started again so far [seconds].

    >>> verdict(None, [], 100.0), verdict(70, [99.0, 98.0], 100.0)
    (Again(after_s=0.5), Again(after_s=2.0))
    >>> verdict(78, [], 100.0)
    Leave(why='it refused to work (exit code 78)')
    """
    if code in REFUSED:
        return Leave(f"it refused to work (exit code {code})")
    lately = sum(now - at < WITHIN_S for at in starts)
    if lately >= MOST:
        return Leave(f"it was started {MOST} times in {WITHIN_S / 60:g} minutes")
    return Again(min(FIRST_S * 2**lately, LONGEST_S))
