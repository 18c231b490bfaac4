"""The counts of one item in one region over time, and its weighted sums, moving with counts and minutes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from schemas.trending import Entry
from streams.trending.crowd import Crowd
from streams.trending.scoring import AHEAD, MINUTES, Params, Parts, baseline, is_inside, landmark, score, weight


class Summed(NamedTuple):
    """Of one window: weighted views, weighted reactions, views, reactions."""

    seen: int
    reacted: int
    viewers: int
    plain: int


class Sums:
    """The same, relative to a landmark, of the minutes that a list of the minute `now` counts."""

    __slots__ = ("landmark", "now", "plain", "reacted", "seen", "viewers")

    def __init__(self, at: int, now: int) -> None:
        self.landmark, self.now = at, now
        self.seen = self.reacted = self.viewers = self.plain = 0


class Series:
    """One item in one region."""

    __slots__ = ("changes", "crowd", "hours", "minutes", "params", "sums")

    def __init__(self, params: Params) -> None:
        self.params = params
        self.minutes: dict[int, list[int]] = {}
        """Minute → users first seen in the hour, the day, the week; weighted reactions."""
        self.hours: dict[int, list[int]] = {}
        """The same without reactions, by hour since 1970, also of forgotten minutes: what baselines rest on."""
        self.sums: list[Sums | None] = [None, None, None]
        self.crowd: Crowd | None = None
        self.changes = 0
        """How often anything was added."""

    def add(self, minute: int, by: tuple[int, int, int, int]) -> None:
        """Change the counts of a minute."""
        self.changes += 1
        counts = self.minutes.get(minute)
        if counts is None:
            self.minutes[minute] = [*by]
        else:
            for n in range(4):
                counts[n] += by[n]
        self.add_hour(minute // 60, by)
        for n, sums in enumerate(self.sums):
            if sums is not None and is_inside(minute, MINUTES[n], sums.now):
                self._change(sums, n, minute, by)

    def forget(self, minute: int, by: tuple[int, int, int, int]) -> None:
        """Take counts out of a minute that no window reaches any more; its hour stays."""
        counts = self.minutes.get(minute)
        for n, sums in enumerate(self.sums):
            if sums is not None and is_inside(minute, MINUTES[n], sums.now):
                self.sums[n] = None  # it was made long ago
        if counts is not None:
            counts[:] = (held - each for held, each in zip(counts, by, strict=True))
            if not any(counts):
                del self.minutes[minute]

    def add_hour(self, hour: int, by: Sequence[int], sign: int = 1) -> None:
        """Change the sums of an hour."""
        sums = self.hours.get(hour)
        if sums is None:
            sums = self.hours[hour] = [0, 0, 0]
        for n in range(3):
            sums[n] += sign * by[n]

    def forget_hour(self, hour: int, by: Sequence[int]) -> bool:
        """Take sums out of an hour that no baseline reaches any more; whether nothing at all is left."""
        self.add_hour(hour, by, -1)
        if not any(self.hours[hour]):
            del self.hours[hour]
        return not self.hours and not self.minutes

    def summed(self, window: int, now: int) -> Summed:
        """The sums of a window (by number) that ends with this minute; made anew at a new landmark. Never goes back."""
        size, sums = MINUTES[window], self.sums[window]
        at = landmark(size, now)
        if sums is None or sums.landmark != at:
            sums = self.sums[window] = Sums(at, now)
            for minute in self.minutes:
                if is_inside(minute, size, now):
                    self._change(sums, window, minute, self.minutes[minute])
        elif sums.now != now:
            before, sums.now = sums.now, now
            for minute in range(before - size + 1, now - size + 1):
                self._change(sums, window, minute, self.minutes.get(minute, ()), -1)
            for minute in range(before + AHEAD + 1, now + AHEAD + 1):
                self._change(sums, window, minute, self.minutes.get(minute, ()))
        return Summed(sums.seen, sums.reacted, sums.viewers, sums.plain)

    def parts(self, window: int, now: int, weeks: int) -> Parts | None:
        """The parts of its score; `weeks`: how many are known of its kind."""
        sums = self.summed(window, now)
        if sums.viewers < self.params.least_viewers:
            return None
        hourly = {hour: counts[window] for hour, counts in self.hours.items()} if weeks else {}
        base = baseline(hourly, MINUTES[window], self.params, now, weeks)
        return score(self.params, MINUTES[window], now, sums.seen, sums.reacted, base, sums.viewers)

    def _change(self, sums: Sums, window: int, minute: int, by: Sequence[int], sign: int = 1) -> None:
        if not by or not (by[window] or by[3]):
            return
        unit = sign * weight(MINUTES[window], self.params.half_lives_per_window, minute - sums.landmark)
        sums.seen += unit * by[window]
        sums.reacted += unit * by[3]
        sums.viewers += sign * by[window]
        sums.plain += sign * by[3]


def entry(name: str, sums: Summed | Any, parts: Parts, unique: int, creator: str | None, left_out: int) -> Entry:
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
