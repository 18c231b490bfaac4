"""Who has seen one item in one region: told count by count, looked at only where it is listed. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from streams.trending.scoring import AHEAD, MINUTES
from streams.trending.viewers import Viewers, distinct, unpacked

BUCKETS = tuple(window // 8 for window in MINUTES)
"""Minutes of one sketch, by window: nine sketches cover any window."""
RENEWED_AT = 64
"""An estimate holds until views have changed by more than one in so many, about the sketch's standard error."""


Exactly = Callable[[Iterable[tuple[int, bytes]], int, int], int | None]
"""streams.trending.viewers.exactly, or as it."""


class Estimate(NamedTuple):
    """How many different viewers there were, and when that was found."""

    viewers: int
    views: int
    bucket: int


class Crowd:
    """Viewers by count, of most items nobody ever asks; sketches once somebody does and they are many."""

    __slots__ = ("sketches", "told", "waiting")

    def __init__(self) -> None:
        self.waiting: dict[bytes, tuple[int, bytes]] = {}
        """Count → its minute and viewers; those of its earlier versions are among them."""
        self.sketches: dict[tuple[int, int], Viewers] | None = None
        """(window, bucket) → who was seen."""
        self.told: list[Estimate | None] | None = None

    def unique(self, window: int, now: int, views: int, exactly: Exactly) -> int:
        """Distinct viewers in the window, many by the sketches that overlap it; `views`: so many are counted there."""
        size = BUCKETS[window]
        if self.told is None:
            self.told = [None, None, None]
        last, held = now // size, self.told[window]
        if held is not None and held.bucket == last and abs(views - held.views) * RENEWED_AT <= views:
            return held.viewers
        first = now - MINUTES[window] + 1
        count = None if self.sketches else exactly(self.waiting.values(), first - 1, now + AHEAD)
        if count is None:
            self._join()
            assert self.sketches is not None, "just made"
            found = (self.sketches.get((window, at)) for at in range(first // size, last + 1))
            count = distinct(each for each in found if each is not None)
        self.told[window] = Estimate(count, views, last)
        return count

    def _join(self) -> None:
        """Take those who wait into the sketches."""
        sketches = self.sketches = self.sketches or {}
        for minute, viewers in self.waiting.values():
            some = unpacked(viewers)
            for window, size in enumerate(BUCKETS):
                at = (window, minute // size)
                sketch = sketches.get(at)
                if sketch is None:
                    sketch = sketches[at] = Viewers()
                sketch.join(some)
        self.waiting.clear()

    def forget(self, key: bytes, first_minute: int) -> None:
        """Drop those of a count, and the sketches that end before this minute."""
        self.waiting.pop(key, None)
        for window, at in [key for key in self.sketches or () if (key[1] + 1) * BUCKETS[key[0]] <= first_minute]:
            assert self.sketches is not None, "it has them"
            del self.sketches[window, at]
