"""Streaks as bits: one integer of active days, one of rest days; a run is found by counting zeros and ones.

A run is a longest row of days that are active or planned rest, from its first active day to its last; its length is the
number of its active days. Rest neither breaks a streak nor adds to it. The latest run stands while no day is missing
between it and the as-of day; that day itself is still open.
"""

from __future__ import annotations

from typing import NamedTuple


class Run(NamedTuple):
    """Some days in a row, as places of bits."""

    since: int
    until: int
    length: int


def run_around(active: int, rest: int, at: int) -> Run:
    """The run that the active day `at` belongs to."""
    either = active | rest
    gaps = ~either
    above = gaps >> at
    end = at + (above & -above).bit_length() - 1  # the first day after it
    begin = (gaps & ((1 << at) - 1)).bit_length()
    inside = active >> begin & ((1 << end - begin) - 1)
    since = begin + (inside & -inside).bit_length() - 1
    return Run(since, begin + inside.bit_length() - 1, inside.bit_count())


def latest(active: int, rest: int) -> Run | None:
    """The run of the last active day."""
    return run_around(active, rest, active.bit_length() - 1) if active else None


def longest(active: int, rest: int) -> Run | None:
    """The longest run ever; of equals the earliest."""
    best: Run | None = None
    while active:
        run = run_around(active, rest, active.bit_length() - 1)
        if best is None or run.length >= best.length:
            best = run
        active &= (1 << run.since) - 1
    return best


def stands(run: Run, rest: int, today: int) -> bool:
    """Whether the latest run is not broken as of the day at that place."""
    between = today - run.until - 1
    return between <= 0 or rest >> run.until + 1 & ((1 << between) - 1) == (1 << between) - 1


class Streak:
    """One user's days of one kind, with the latest and the longest run kept up to date."""

    __slots__ = ("active", "latest", "longest")

    def __init__(self, active: int = 0, rest: int = 0) -> None:
        self.active = active
        self.latest = latest(active, rest)
        self.longest = longest(active, rest)

    def change(self, at: int, is_active: bool, rest: int) -> None:
        """A day became active, or is not any more. `rest`: all rest days, as they are now."""
        bit = 1 << at
        if bool(self.active & bit) == is_active:
            return
        self.active ^= bit
        last, best = self.latest, self.longest
        if is_active:
            if last is not None and at == last.until + 1:
                run = Run(last.since, at, last.length + 1)
            else:
                run = run_around(self.active, rest, at)
            if last is None or run.until >= last.until:
                self.latest = run
            if best is None or (run.length, -run.since) > (best.length, -best.since):
                self.longest = run
            return
        if last is not None and at >= last.since:
            self.latest = latest(self.active, rest)
        if best is not None and best.since <= at <= best.until:
            self.longest = longest(self.active, rest)

    def rested(self, changed: int, rest: int) -> None:
        """Rest is planned on other days; `changed`: on which."""
        if changed & ((1 << self.active.bit_length()) - 1):  # rest after the last active day joins nothing
            self.latest = latest(self.active, rest)
            self.longest = longest(self.active, rest)

    def moved(self, by: int) -> None:
        """All days got another place, because an earlier first day came."""
        self.active <<= by
        self.latest, self.longest = (
            None if run is None else Run(run.since + by, run.until + by, run.length)
            for run in (self.latest, self.longest)
        )
