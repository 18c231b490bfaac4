"""When several sources saw the same thing: the stronger one counts, and nothing is added up twice.

strength      a platform's place in the profile's source_priority (weakest first) or, without one, in DEFAULT; those
              that it does not name are weaker than all that it does, in the order of DEFAULT, then of their names
activity      per metric: an interval counts for the share of its time that no stronger platform's intervals cover, as
              if steps were spread evenly over it. An interval of TOTAL_S or more is its provider's daily total: of one
              platform the longest beats its own intervals that it overlaps, and beside stronger platforms' intervals
              it never counts for more than it says beyond them
workout,      two platforms' whose times overlap by more than half of the shorter one are one: it has the values of the
sleep         strongest, and from the others what that one does not say

All of it is a function of the entities of one local day, in whole seconds and base units, whatever order they came in.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

PHONES = ("android", "ios")
"""Platforms that `phone` in a source_priority stands for."""
DEFAULT = ("web", "phone", "watch")
TOTAL_S = 20 * 3600
"""An activity interval that long is a daily total: the shortest civil day has 23 hours, and today's is not over yet."""


@lru_cache(maxsize=4096)
def strength(platform: str, priority: tuple[str, ...] | None) -> tuple[int, int, str]:
    """Greater is stronger.

    >>> strength("ios", None) < strength("watch", None), strength("ios", ("watch", "ios")) > strength("watch", None)
    (True, True)
    """
    return _place(platform, priority or ()), _place(platform, DEFAULT), platform


def _place(platform: str, order: Sequence[str]) -> int:
    """From 1 on; 0 for what is not named. Of a name that comes twice the last place counts."""
    for name in (platform, "phone") if platform in PHONES else (platform,):
        if name in order:
            return len(order) - list(reversed(order)).index(name)
    return 0


class Span(NamedTuple):
    """Something that took time."""

    key: bytes
    platform: str
    start_ms: int
    seconds: int
    values: tuple[int | None, ...] = ()
    """Of an activity interval, one per metric."""

    @property
    def end_ms(self) -> int:
        return self.start_ms + self.seconds * 1000


Strength = Callable[[str], tuple[int, int, str]]


# -- workouts and sleeps


def same(spans: Iterable[Span], strong: Strength) -> dict[bytes, list[bytes]]:
    """Which are one: the key that counts → the keys that it stands for, itself first and then by strength."""
    order = sorted(spans, key=lambda span: (span.start_ms, span.key))
    order.sort(key=lambda span: strong(span.platform), reverse=True)
    kept: list[Span] = []
    groups: dict[bytes, list[bytes]] = {}
    for span in order:
        into = next((one for one in kept if one.platform != span.platform and _mostly(one, span)), None)
        if into is None:
            kept.append(span)
            groups[span.key] = [span.key]
        else:
            groups[into.key].append(span.key)
    return groups


def _mostly(one: Span, other: Span) -> bool:
    """Whether they overlap by more than half of the shorter one."""
    common = min(one.end_ms, other.end_ms) - max(one.start_ms, other.start_ms)
    return common * 2 > min(one.seconds, other.seconds) * 1000


# -- activity intervals

Counted = dict[bytes, list[int | None]]
"""Key → what counts of each metric; None where the interval does not say it."""


def counted(spans: Sequence[Span], strong: Strength) -> Counted:
    """What counts of each interval."""
    platforms = sorted({span.platform for span in spans}, key=strong, reverse=True)
    found: Counted = {span.key: [None] * len(span.values) for span in spans}
    for metric in range(len(spans[0].values) if spans else 0):
        stronger = _Covered()
        for platform in platforms:
            own = [span for span in spans if span.platform == platform and span.values[metric] is not None]
            total = _total(own)
            shares = [(span, stronger.leaves(span, span.values[metric] or 0)) for span in own if _counts(span, total)]
            for span in own:
                found[span.key][metric] = 0
            for span, share in shares:
                found[span.key][metric] = share
            stronger.add(shares)
    return found


def _total(own: Iterable[Span]) -> Span | None:
    """A platform's daily total, if it has one: the longest, then the latest."""
    totals = [span for span in own if span.seconds >= TOTAL_S]
    return max(totals, key=lambda span: (span.seconds, span.start_ms, span.key)) if totals else None


def _counts(span: Span, total: Span | None) -> bool:
    """Whether its own platform's daily total does not speak for it."""
    return total is None or span.key == total.key or not _meet(span, total)


def _meet(one: Span, other: Span) -> bool:
    return one.start_ms < other.end_ms and other.start_ms < one.end_ms


class _Covered:
    """The time that stronger platforms' intervals cover, and what they count for."""

    def __init__(self) -> None:
        self._shares: list[tuple[Span, int]] = []
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._before: list[int] = []
        """Disjoint stretches in order of time, and how much is covered before each."""

    def add(self, shares: Iterable[tuple[Span, int]]) -> None:
        self._shares += shares
        self._starts, self._ends, self._before = [], [], []
        covered = 0
        for start, end in sorted([(span.start_ms, span.end_ms) for span, _ in self._shares]):
            if self._ends and start <= self._ends[-1]:
                covered += max(0, end - self._ends[-1])
                self._ends[-1] = max(end, self._ends[-1])
            else:
                self._starts.append(start)
                self._ends.append(end)
                self._before.append(covered)
                covered += end - start

    def _until(self, ms: int) -> int:
        """How much is covered before a moment."""
        at = bisect_right(self._starts, ms) - 1
        return 0 if at < 0 else self._before[at] + min(ms, self._ends[at]) - self._starts[at]

    def leaves(self, span: Span, value: int) -> int:
        """What is left of an interval's value, half a unit up."""
        taken_ms = self._until(span.end_ms) - self._until(span.start_ms)
        if not taken_ms:
            return value
        whole_ms = span.seconds * 1000
        left = (value * (whole_ms - taken_ms) * 2 + whole_ms) // (whole_ms * 2)
        if span.seconds < TOTAL_S:
            return left
        return min(left, max(0, value - sum(share for one, share in self._shares if _meet(one, span))))
