"""The counts of one item in one region over time, and its weighted sums, moving with counts and minutes. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.trending import Count, Entry
from streams.trending.scoring import MINUTES, Params, Parts, baseline, is_inside, landmark, score, weight
from streams.trending.viewers import Viewers, distinct

BUCKETS = tuple(window // 8 for window in MINUTES)
"""Minutes of one sketch, by window: nine sketches cover any window."""


class Sums:
    """Of one window: weighted views, weighted reactions, views, reactions; relative to a landmark."""

    __slots__ = ("landmark", "plain", "reacted", "seen", "viewers")

    def __init__(self, at: int) -> None:
        self.landmark = at
        self.seen = self.reacted = self.viewers = self.plain = 0


class Series:
    """One item in one region."""

    __slots__ = ("hours", "minutes", "sketches", "sums", "waiting")

    def __init__(self) -> None:
        self.minutes: dict[int, list[int]] = {}
        """Minute → users first seen in the hour, the day, the week; weighted reactions."""
        self.hours: dict[int, list[int]] = {}
        """The same without reactions, by hour since 1970, also of forgotten minutes: what baselines rest on."""
        self.sums: list[Sums | None] = [None, None, None]
        self.sketches: dict[tuple[int, int], Viewers] = {}
        """(window, bucket) → who was seen."""
        self.waiting: dict[bytes, tuple[int, bytes]] = {}
        """Count → its minute and viewers, until somebody asks: of most items nobody ever does."""

    def add(self, minute: int, by: tuple[int, int, int, int], params: Params, now: int) -> None:
        """Change the counts of a minute."""
        counts = self.minutes.get(minute)
        if counts is None:
            self.minutes[minute] = [*by]
        else:
            counts[0] += by[0]
            counts[1] += by[1]
            counts[2] += by[2]
            counts[3] += by[3]
        self.add_hour(minute // 60, by)
        for n, sums in enumerate(self.sums):
            if sums is not None and is_inside(minute, MINUTES[n], now):
                _change(sums, n, minute, by[n], by[3], params)

    def shift(self, window: int, minute: int, params: Params, sign: int) -> None:
        """Let a minute into a window (by number) that has come to it, or, with -1, out of one that it has left."""
        sums, counts = self.sums[window], self.minutes.get(minute)
        if sums is not None and counts is not None:
            _change(sums, window, minute, sign * counts[window], sign * counts[3], params)

    def forget(self, minute: int, by: tuple[int, int, int, int]) -> None:
        """Take counts out of a minute that no window reaches any more; its hour stays."""
        counts = self.minutes.get(minute)
        if counts is not None:
            counts[:] = (held - each for held, each in zip(counts, by, strict=True))
            if not any(counts):
                del self.minutes[minute]

    def add_hour(self, hour: int, by: Sequence[int], sign: int = 1) -> None:
        """Change the sums of an hour."""
        sums = self.hours.get(hour)
        if sums is None:
            sums = self.hours[hour] = [0, 0, 0]
        sums[0] += sign * by[0]
        sums[1] += sign * by[1]
        sums[2] += sign * by[2]

    def summed(self, window: int, params: Params, now: int) -> Sums:
        """The sums of a window (by number) that ends with this minute; made anew at a new landmark."""
        at, sums = landmark(MINUTES[window], now), self.sums[window]
        if sums is None or sums.landmark != at:
            sums = self.sums[window] = Sums(at)
            for minute, counts in self.minutes.items():
                if is_inside(minute, MINUTES[window], now):
                    _change(sums, window, minute, counts[window], counts[3], params)
        return sums

    def parts(self, window: int, params: Params, now: int, weeks: int) -> Parts | None:
        """The parts of its score; `weeks`: how many are known of its kind."""
        sums = self.summed(window, params, now)
        if sums.viewers < params.least_viewers:
            return None
        hourly = {hour: counts[window] for hour, counts in self.hours.items()} if weeks else {}
        base = baseline(hourly, MINUTES[window], params, now, weeks)
        return score(params, MINUTES[window], now, sums.seen, sums.reacted, base, sums.viewers)

    def unique(self, window: int, now: int) -> int:
        """Distinct viewers in the window, by the sketches that overlap it."""
        for minute, viewers in self.waiting.values():
            self._join(minute, viewers)
        self.waiting.clear()
        size = BUCKETS[window]
        first, last = (now - MINUTES[window] + 1) // size, now // size
        found = (self.sketches.get((window, at)) for at in range(first, last + 1))
        return distinct(each for each in found if each is not None)

    def join(self, key: bytes, minute: int, viewers: bytes) -> None:
        """Add the viewers of a count; those of its earlier versions are among them."""
        if viewers:
            self.waiting[key] = minute, viewers

    def _join(self, minute: int, viewers: bytes) -> None:
        for window, size in enumerate(BUCKETS):
            at = (window, minute // size)
            sketch = self.sketches.get(at)
            if sketch is None:
                sketch = self.sketches[at] = Viewers()
            sketch.join(viewers)

    def forget_viewers(self, key: bytes, first_minute: int) -> None:
        """Drop those of a count, and the sketches that end before this minute."""
        self.waiting.pop(key, None)
        for window, at in [key for key in self.sketches if (key[1] + 1) * BUCKETS[key[0]] <= first_minute]:
            del self.sketches[window, at]


def entry(name: str, sums: Sums, parts: Parts, unique: int, creator: str | None, left_out: int) -> Entry:
    """A place on a list, in units of one view now."""
    unit = parts.unit
    undecayed = sums.viewers + sums.plain * parts.reactions / sums.reacted if sums.reacted else sums.viewers
    return Entry(
        id=name,
        score=parts.score,
        observed=round(parts.observed / unit, 3),
        expected=round(parts.expected / unit, 3),
        views=sums.viewers,
        unique_viewers=unique,
        reactions=round(parts.reactions / unit, 3),
        decay=round(parts.observed / unit / undecayed, 4) if undecayed else 0.0,
        creator=creator,
        left_out=left_out,
    )


def _change(sums: Sums, window: int, minute: int, views: int, reactions: int, params: Params) -> None:
    if not views and not reactions:
        return
    unit = weight(MINUTES[window], params.half_lives_per_window, minute - sums.landmark)
    sums.seen += unit * views
    sums.reacted += unit * reactions
    sums.viewers += views
    sums.plain += reactions


def difference(count: Count, old: Count | None) -> tuple[int, int, int, int]:
    """What a count adds to the one before it."""
    a, b, c = count.seen
    if old is None:
        return a, b, c, count.reactions
    return a - old.seen[0], b - old.seen[1], c - old.seen[2], count.reactions - old.reactions
