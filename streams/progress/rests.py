"""A user's planned rest days as bits, also of days without a row.

A day with a row says itself whether rest was planned. Of a day without one, the last day before it that has a row does:
it names the weekdays that its plans rest on. So rest is a function of the daily rows, like all of progress.
"""

from __future__ import annotations

from streams.progress.facts import REST, WEEK, mask_of, week_of
from streams.progress.history import History

_NEVER = 1 << 30


def rests_on(week: int, day: int) -> bool:
    """Whether a plan that rests on these weekdays (bits, Monday first) rests on that day."""
    return bool(week >> (day + 3) % 7 & 1)  # 1970-01-01 was a Thursday


class Rests:
    """Bits of days, from `origin` on."""

    __slots__ = ("_weekly", "bits", "origin")

    def __init__(self) -> None:
        self.origin = _NEVER
        """The day of bit 0, not after the first one."""
        self.bits = 0
        self._weekly = False
        """Whether any plan ever rested on a weekday."""

    @classmethod
    def of(cls, history: History) -> Rests:
        """Of all days, of which there is at least one."""
        found = cls()
        found.origin = history.days[0]
        last, week = found.origin, 0
        for day, cell in history.all():
            found._fill(last + 1, day, week)
            last, week = day, week_of(cell)
            found._weekly |= bool(week)
            if mask_of(cell) & REST:
                found.bits |= 1 << day - found.origin
        return found

    def reach(self, day: int) -> int:
        """Begin no later than that day; returns by how many places all bits have moved."""
        if self.origin == _NEVER:
            self.origin = day
        by = self.origin - day
        if by <= 0:
            return 0
        self.origin = day
        self.bits <<= by
        return by

    def change(self, day: int, history: History) -> int:
        """A day has changed, or is gone; returns the bits that are others now."""
        before, cell = self.bits, history.get(day)
        mask = mask_of(cell)
        if not self._weekly and not mask & WEEK:
            place = 1 << day - self.origin
            self.bits = before | place if mask & REST else before & ~place
            return before ^ self.bits
        self._weekly = True
        earlier, later = history.around(day)
        first, week = (self.origin, 0) if earlier is None else (earlier + 1, week_of(history.get(earlier)))
        if cell is None:
            self._fill(first, later, week)
        else:
            self._fill(first, day, week)
            self._fill(day, day + 1, 0)
            if mask & REST:
                self.bits |= 1 << day - self.origin
            self._fill(day + 1, later, week_of(cell))
        return before ^ self.bits

    def _fill(self, first: int, end: int | None, week: int) -> None:
        """Days without a row, from `first` to before `end`; without an end, after the latest day, none is known."""
        low = (1 << first - self.origin) - 1
        if end is None:
            self.bits &= low
            return
        self.bits &= low | ~((1 << end - self.origin) - 1)
        if week:
            self.bits |= sum([1 << day - self.origin for day in range(first, end) if rests_on(week, day)])
