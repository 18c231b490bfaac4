"""What a client does next, by what the service answered. Pure: the dice are an argument."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

FIRST_S, LONGEST_S = 0.5, 60.0
"""Back-off: up to so long after the first failure, twice as long after each further one, at most so long."""


class Step(NamedTuple):
    """What to do with a batch."""

    do: Literal["settle", "again", "halve", "set aside", "new token"]
    """settle: read the verdicts · again: the same batch after `wait_s` · halve: half of it, to find the one that spoils
    it · set aside: this one event will never be taken · new token: ask for another, then the same batch"""
    wait_s: float = 0.0


def step(
    status: int | None,
    headers: Mapping[str, str],
    *,
    events: int,
    failures: int,
    dice: float,
    longest_s: float = LONGEST_S,
) -> Step:
    """`status`: None where no answer came. `headers`: names in lower case. `events`: how many were sent. `failures`: in
    a row before this one. `dice`: from 0 to 1, so that many clients do not come back at the same moment."""
    if status == 202:
        return Step("settle")
    if status in (400, 413, 415, 422):
        return Step("halve") if events > 1 else Step("set aside")
    wait = max(asked_s(headers), back_off_s(failures, dice, longest_s))
    return Step("new token" if status in (401, 403) else "again", wait)


def back_off_s(failures: int, dice: float, longest_s: float = LONGEST_S) -> float:
    """Full jitter (Brooker, Exponential Backoff and Jitter, AWS Architecture Blog 2015), never nothing."""
    return max(0.05, dice * min(longest_s, FIRST_S * (1 << min(failures, 16))))


def asked_s(headers: Mapping[str, str]) -> float:
    """Retry-After in seconds; 0 where there is none that can be read (a date is not waited for)."""
    text = headers.get("retry-after", "").strip()
    return float(min(int(text), 3_600)) if text.isascii() and text.isdigit() and len(text) < 10 else 0.0
