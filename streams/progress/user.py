"""One user: the packed days, and what is kept beside them so that a changed day costs little."""

from __future__ import annotations

from typing import Any

from msgspec import Raw

from schemas.instants import day_text
from schemas.progress import ProgressRow, Record, Streak
from schemas.rows import encode_row
from streams.progress import records as personal
from streams.progress import streaks
from streams.progress.facts import (
    BESTS,
    CLOSED,
    REST,
    STREAK_BITS,
    Candidates,
    Opened,
    candidates,
    estimates,
    mask_of,
    opened,
)
from streams.progress.history import History
from streams.progress.milestones import Shown
from streams.progress.windows import REACH, Windows, strength

_NOTHING = Raw(b"null")


class User:
    """All of it follows from `history`; a restored user is cold, which means that nothing else is there yet."""

    __slots__ = (
        "history",
        "last",
        "lifts",
        "origin",
        "records",
        "records_said",
        "rest",
        "runs",
        "runs_of",
        "shown",
        "streaks",
        "streaks_said",
        "strength_of",
        "strength_said",
        "told",
        "warm",
        "windows",
    )

    def __init__(self, history: History | None = None) -> None:
        self.history = History() if history is None else history
        self.warm = False
        self.windows: Windows | None = None
        self.records: personal.Records = {}
        self.records_said: Raw | None = None
        """JSON, until a record changes."""
        self.last: tuple[int, Opened] = (-1, CLOSED)
        """The day that changed last, and its cell as it is: the same day often changes again."""
        self.told: dict[str, personal.Held | None] = {}
        """Records that changed since the last row, as they were."""
        self.origin = 0
        """The day of bit 0."""
        self.rest = 0
        self.streaks: dict[str, streaks.Streak] = {}
        self.runs: dict[str, Shown] = {}
        """The latest runs, as of the day `runs_of`; None where a day has changed since."""
        self.runs_of: int | None = None
        self.streaks_said = _NOTHING
        self.shown: dict[str, Shown] = {}
        """The latest runs, as the last row told them."""
        self.lifts: dict[int, dict[str, float]] = {}
        """Days that the windows reach back to → exercise → best estimate in kg."""
        self.strength_of: int | None = None
        self.strength_said = _NOTHING

    # -- changes

    def heat(self) -> None:
        """Find everything from the days, once after a restart."""
        self.warm = True
        days = self.history.days
        if not days:
            return
        self.origin = days[0]
        bits = dict.fromkeys(STREAK_BITS, 0)
        for day, cell in self.history.all():
            mask, place = mask_of(cell), 1 << day - self.origin
            if mask & REST:
                self.rest |= place
            for name, flag in STREAK_BITS.items():
                if mask & flag:
                    bits[name] |= place
        self.streaks = {name: streaks.Streak(active, self.rest) for name, active in bits.items() if active}
        self.records = personal.search(self.history.all())
        self.windows = Windows(self.history, days[-1])
        self._lift_between(days[-1] - REACH + 1, days[-1])
        self._run(days[-1])
        self.shown, self.runs_of = self.runs, None

    def put(self, day: int, cell: bytes | None) -> bool:
        """A day has another cell, or none any more; False if it is the one that it had."""
        if not self.warm:
            self.heat()
        old = self.history.get(day)
        if cell == old:
            return False
        self.history.put(day, cell)
        if self.windows is None:
            self.windows = Windows(History(), day)
        before = CLOSED if old is None else self.last[1] if self.last[0] == day else opened(old)
        after = CLOSED if cell is None else opened(cell)
        self.last = (day, after)
        self.windows.change(day, after.wide - before.wide)
        if before.mask != after.mask:
            self._mark(day, before.mask, after.mask)
        if before.candidates != after.candidates:
            self._reach(day, before.candidates, after.candidates)
            if (before.mask | after.mask) & BESTS:
                self._lift(day, before, after)
        return True

    def _lift(self, day: int, before: Opened, after: Opened) -> None:
        found = estimates(after.candidates)
        if found != estimates(before.candidates):
            self.strength_of = None
            self.lifts.pop(day, None)
            if found:
                self.lifts[day] = found

    def _mark(self, day: int, old: int, new: int) -> None:
        if not self.rest and not self.streaks:
            self.origin = day
        if (earlier := self.origin - day) > 0:
            self.origin = day
            self.rest <<= earlier
            for streak in self.streaks.values():
                streak.moved(earlier)
        place = day - self.origin
        if (old ^ new) & REST:
            self.runs_of = None
            self.rest ^= 1 << place
            for streak in self.streaks.values():
                streak.longest = streaks.longest(streak.active, self.rest)
        for name, flag in STREAK_BITS.items():
            if (old ^ new) & flag:
                self.runs_of = None
                if name not in self.streaks:
                    self.streaks[name] = streaks.Streak()
                self.streaks[name].change(place, bool(new & flag), self.rest)

    def _reach(self, day: int, before: Candidates, after: Candidates) -> None:
        changed = personal.change(self.records, day, before, after, self.told)
        if changed.lost:
            found = personal.search(self.history.all(), changed.lost)
            for name in changed.lost:
                self.told.setdefault(name, self.records.pop(name))
            self.records |= found
        if changed.any:
            self.records_said = None

    def _lift_between(self, first: int, last: int) -> None:
        for day, cell in self.history.between(first, last):
            if found := estimates(candidates(cell)):
                self.lifts[day] = found

    # -- the row

    def row(self, user_id: str, version: int) -> bytes:
        """The encoded row as of the latest day; of nulls where no day is left."""
        days = self.history.days
        if not days:
            self.runs, self.runs_of = {}, None
            return encode_row(ProgressRow(user_id, version))
        as_of = days[-1]
        assert self.windows is not None
        if self.windows.as_of != as_of:
            self._slide(as_of)
        if self.strength_of != as_of and self.lifts:
            self.strength_of, self.strength_said = as_of, _said(strength(self.lifts, as_of))
        if self.runs_of != as_of:
            self._run(as_of)
            self.streaks_said = _said(self._streak_rows())
        if self.records_said is None:
            self.records_said = _said({name: _record(held) for name, held in sorted(self.records.items())})
        windows, (acute, chronic, ratio) = self.windows.values(days[0])
        row = ProgressRow(
            *(user_id, version, day_text(as_of), day_text(days[0]), len(days), acute, chronic, ratio, windows),
            *(_or_none(self.strength_said) if self.lifts else None, _or_none(self.streaks_said)),
            _or_none(self.records_said),
        )
        return encode_row(row)

    def _slide(self, as_of: int) -> None:
        assert self.windows is not None
        if as_of < self.windows.as_of:  # the latest days are gone, and earlier ones are within reach again
            self._lift_between(as_of - REACH + 1, as_of)
        self.windows.slide(self.history, as_of)
        if self.lifts:
            for day in [day for day in self.lifts if day <= as_of - REACH]:
                del self.lifts[day]

    def _run(self, as_of: int) -> None:
        found, today = {}, as_of - self.origin
        for name in STREAK_BITS:
            if (streak := self.streaks.get(name)) and (run := streaks.latest(streak.active, self.rest)):
                stands = streaks.stands(run, self.rest, today)
                found[name] = Shown(run.since + self.origin, run.until + self.origin, run.length, stands)
        self.runs, self.runs_of = found, as_of

    def tell(self) -> tuple[dict[str, personal.Held | None], dict[str, Shown], dict[str, Shown]]:
        """Changed records as they were, latest runs as they were, latest runs as of the row; all are told now."""
        told, shown = self.told, self.shown
        if told:
            self.told = {}
        self.shown = self.runs
        return told, shown, self.runs

    def _streak_rows(self) -> dict[str, Streak]:
        found = {}
        for name, (since, until, length, stands) in self.runs.items():
            best = self.streaks[name].longest
            assert best is not None
            longest = best.length, day_text(best.since + self.origin), day_text(best.until + self.origin)
            found[name] = Streak(length if stands else 0, day_text(since), day_text(until), *longest)
        return found


def _said(value: Any) -> Raw:
    return Raw(encode_row(value)) if value else _NOTHING


def _or_none(said: Raw) -> Any:
    return None if said is _NOTHING else said


def _record(held: personal.Held) -> Record:
    value, day, entity, previous = held
    if previous is None:
        return Record(value, day_text(day), entity)
    return Record(value, day_text(day), entity, previous[0], day_text(previous[1]), previous[2])
