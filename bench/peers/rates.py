"""From what was seen to figures: pure functions over times and counts."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import NamedTuple

WARM = 0.5
"""Share of the meals before which nothing is timed: start-up, joining the group, and above all the JVM's compiling."""


class Window(NamedTuple):
    """The part of a run that is timed."""

    begin_s: float
    end_s: float
    events: float


def steady(folded: Mapping[int, int], meals: int, events: int, warm: float = WARM) -> Window | None:
    """From when rows told of `warm` of the meals until they told of the last; None where they told of less.

    `folded`: append time in ms → meals that rows of then told of first. `meals`: how many there are; `events`: what
    they took, edits included, spread evenly over them.
    """
    told, begin = 0, None
    for at in sorted(folded):
        told += folded[at]
        if begin is None and told >= warm * meals:
            begin, before = at, told
    if begin is None or not meals:
        return None
    end = max(at for at, fresh in folded.items() if fresh)
    return Window(begin / 1000, end / 1000, (told - before) * events / meals)


def rate(window: Window | None) -> float:
    """Events a second; 0 where nothing was timed."""
    return window.events / (window.end_s - window.begin_s) if window and window.end_s > window.begin_s else 0.0


def cpu_per_million(window: Window | None, samples: Sequence[tuple[float, float]]) -> float:
    """CPU seconds per million events. `samples`: (time, CPU seconds so far), ascending."""
    if window is None or not window.events or not samples:
        return 0.0
    return (at(samples, window.end_s) - at(samples, window.begin_s)) / window.events * 1e6


def at(samples: Sequence[tuple[float, float]], time: float) -> float:
    """The value at a time, on a straight line between the samples beside it."""
    i = bisect_left(samples, (time,))
    if i == 0:
        return samples[0][1]
    if i == len(samples):
        return samples[-1][1]
    (t0, v0), (t1, v1) = samples[i - 1], samples[i]
    return v0 + (v1 - v0) * (time - t0) / (t1 - t0)


def quantile(ordered: Sequence[float], share: float) -> float:
    """Of ascending values, at least one: the smallest that `share` of them do not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
