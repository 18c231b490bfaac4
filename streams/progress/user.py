"""One user: the packed days, and what is kept beside them so that a changed day costs little."""

from __future__ import annotations

from typing import Any

from schemas.progress import GOAL, SHORT, ProgressRow
from schemas.rows import encode_row
from streams.progress import records as personal
from streams.progress import streaks
from streams.progress.facts import (
    BESTS,
    GOALS,
    MARKS,
    NO_TAIL,
    STREAK_BITS,
    Candidates,
    candidates,
    estimates,
    mask_of,
    tail_of,
)
from streams.progress.history import History
from streams.progress.milestones import Shown
from streams.progress.reading import (
    Windows,
    opened,
    record_said,
    row_said,
    streak_said,
    strength_said,
    sums_only,
)
from streams.progress.rests import Rests
from streams.progress.windows import REACH, STEPS


class User:
    """All of it follows from `history`; a restored user is cold, which means that nothing else is there yet."""

    __slots__ = (
        "history",
        "lifts",
        "marked",
        "pending",
        "reached",
        "records",
        "records_said",
        "rests",
        "runs",
        "said",
        "shown",
        "streaks",
        "streaks_said",
        "strength_said",
        "strong",
        "told",
        "warm",
        "windows",
    )

    def __init__(self, history: History | None = None) -> None:
        self.history = History() if history is None else history
        self.warm = False
        self.pending: dict[int, tuple[bytes | None, bytes | None]] = {}
        """Days that changed since the last row → their cells then and now; all else is as of the last row."""
        self.windows: Windows | None = None
        self.records: personal.Records = {}
        self.records_said: dict[str, bytes] = {}
        """Record → its JSON, sorted by name, as of the last row."""
        self.reached = False
        """Whether a record has changed since: those in `told`."""
        self.told: dict[str, personal.Held | None] = {}
        """Records that changed since the last row, as they were."""
        self.rests = Rests()
        self.streaks: dict[str, streaks.Streak] = {}
        self.marked = True
        """Whether a day of a streak, or of rest, has changed since the last row."""
        self.runs: dict[str, Shown] = {}
        """The latest runs, as of the last row."""
        self.said: dict[str, tuple[Shown, streaks.Run, bytes]] = {}
        """Streak → what was said of it last, and the JSON that said it."""
        self.streaks_said: bytes | None = None
        self.shown: dict[str, Shown] = {}
        """The latest runs, as they were told last."""
        self.lifts: dict[int, dict[str, float]] = {}
        """Days that the windows reach back to → exercise → best estimate in kg."""
        self.strong = False
        """Whether `strength_said` still holds: until a lift changes or another day is within reach."""
        self.strength_said: bytes | None = None

    # -- changes

    def heat(self) -> None:
        """Find everything from the days, once after a restart."""
        self.warm = True
        days = self.history.days
        if not days:
            return
        self.rests = Rests.of(self.history)
        origin = self.rests.origin
        bits: dict[str, int] = {}
        for day, cell in self.history.all():
            mask, place = mask_of(cell), 1 << day - origin
            for name, flag in STREAK_BITS.items():
                if mask & flag:
                    bits[name] = bits.get(name, 0) | place
            if mask & GOALS:
                for goal in tail_of(opened(cell)[2], mask).goals:
                    bits[GOAL + goal] = bits.get(GOAL + goal, 0) | place
        self.streaks = {name: streaks.Streak(active, self.rests.bits) for name, active in bits.items()}
        self.records = personal.search(self.history.all())
        self.records_said = {name: record_said(name, held) for name, held in sorted(self.records.items())}
        self.windows = Windows(self.history, days[-1])
        self._lift_between(days[-1] - REACH + 1, days[-1])
        self._run(days[-1])
        self.shown, self.marked = self.runs, True

    def put(self, day: int, cell: bytes | None) -> bool:
        """A day has another cell, or none any more; False if it is the one that it had."""
        if not self.warm:
            self.heat()
        old = self.history.put(day, cell)
        if cell == old:
            return False
        if (before := self.pending.get(day)) is not None:
            old = before[0]
        self.pending[day] = (old, cell)
        return True

    def settle(self) -> None:
        """Bring everything that is kept beside the days up to them, once for all changes of a day, first days first."""
        pending, self.pending = self.pending, {}
        for day in sorted(pending) if len(pending) > 1 else pending:
            old, cell = pending[day]
            if old != cell:
                self._settle(day, old, cell)

    def _settle(self, day: int, old: bytes | None, cell: bytes | None) -> None:
        if self.windows is None:
            self.windows = Windows(History(), day)
        self.windows.change(day, old, cell)
        if sums_only(old, cell, day, self.records):
            return
        mask, before, packed, week = opened(old)
        new_mask, after, new_packed, new_week = opened(cell)
        tail = new_tail = NO_TAIL
        if packed != new_packed:
            tail, new_tail = tail_of(packed, mask), tail_of(new_packed, new_mask)
        is_other = old is None or cell is None or week != new_week
        if is_other or (mask ^ new_mask) & MARKS or tail.goals != new_tail.goals:
            self._mark(day, mask, new_mask, tail.goals, new_tail.goals)
        if tail.bests != new_tail.bests:
            self._reach(day, before | tail.bests, after | new_tail.bests)
            self._lift(day, tail.bests, new_tail.bests)
        elif before != after:
            self._reach(day, before, after)

    def _mark(self, day: int, old: int, new: int, goals: list[str], new_goals: list[str]) -> None:
        """Rest and streaks of a day whose mask and goals were others."""
        self.marked = True
        if moved := self.rests.reach(day):
            for streak in self.streaks.values():
                streak.moved(moved)
        if changed := self.rests.change(day, self.history):
            for streak in self.streaks.values():
                streak.rested(changed, self.rests.bits)
        for name, flag in STREAK_BITS.items():
            if (old ^ new) & flag:
                self._streak(name, day, bool(new & flag))
        if goals != new_goals:
            for goal in goals:
                if goal not in new_goals:
                    self._streak(GOAL + goal, day, False)
            for goal in new_goals:
                if goal not in goals:
                    self._streak(GOAL + goal, day, True)

    def _streak(self, name: str, day: int, is_active: bool) -> None:
        if (streak := self.streaks.get(name)) is None:
            streak = self.streaks[name] = streaks.Streak()
        streak.change(day - self.rests.origin, is_active, self.rests.bits)

    def _reach(self, day: int, before: Candidates, after: Candidates) -> None:
        changed = personal.change(self.records, day, before, after, self.told)
        if changed.lost:
            found = personal.search(self.history.all(), changed.lost)
            for name in changed.lost:
                self.told.setdefault(name, self.records.pop(name))
            self.records |= found
        self.reached |= changed.any

    def _lift(self, day: int, before: dict[str, Any], after: dict[str, Any]) -> None:
        assert self.windows is not None
        found = estimates(after)
        if found != estimates(before) and day > self.windows.as_of - REACH:
            self.strong = False
            self.lifts.pop(day, None)
            if found:
                self.lifts[day] = found

    def _lift_between(self, first: int, last: int) -> None:
        self.strong = False
        for day, cell in self.history.between(first, last):
            if mask_of(cell) & BESTS and (found := estimates(candidates(cell))):
                self.lifts[day] = found

    # -- the row

    def row(self, user_id: str, version: int) -> bytes:
        """The encoded row as of the latest day; of nulls where no day is left."""
        self.settle()
        days = self.history.days
        if not days:
            self.runs, self.marked = {}, True
            return encode_row(ProgressRow(user_id, version))
        as_of = days[-1]
        assert self.windows is not None
        if self.windows.as_of != as_of:
            self._slide(as_of)
        if not self.strong:
            self.strength_said, self.strong = strength_said(self.lifts, as_of) if self.lifts else None, True
        if self.marked:
            self._run(as_of)
            self._say_streaks()
        if self.reached:
            self._say_records()
        windows, load = self.windows.values(days[0])
        records = b"{%b}" % b",".join(self.records_said.values()) if self.records_said else None
        parts = (windows, self.strength_said, self.streaks_said, records)
        return row_said(user_id, version, (as_of, days[0], len(days)), load, parts)

    def _slide(self, as_of: int) -> None:
        assert self.windows is not None
        was, lifts, self.marked = self.windows.as_of, self.lifts, True
        if as_of < was:  # the latest days are gone, and earlier ones are within reach again
            self._lift_between(as_of - REACH + 1, as_of)
        self.windows.slide(self.history, as_of)
        if not lifts:
            return
        if 0 < as_of - was <= STEPS:
            for day in range(was + 1, as_of + 1):
                if day - SHORT in lifts or day - REACH in lifts:
                    self.strong = False
                    lifts.pop(day - REACH, None)
            return
        self.strong = False
        for day in [day for day in lifts if not as_of - REACH < day <= as_of]:
            del lifts[day]

    def _run(self, as_of: int) -> None:
        """The latest runs as of a day."""
        found, origin, rest = {}, self.rests.origin, self.rests.bits
        today = as_of - origin
        for name, streak in self.streaks.items():
            if run := streak.latest:
                since, until, length = run
                stands = today - until <= 1 or streaks.stands(run, rest, today)
                found[name] = Shown(since + origin, until + origin, length, stands)
        self.runs, self.marked = found, False

    def _say_streaks(self) -> None:
        origin, said, other = self.rests.origin, self.said, False
        for name, shown in self.runs.items():
            longest = self.streaks[name].longest
            assert longest is not None
            best = streaks.Run(longest[0] + origin, longest[1] + origin, longest[2])
            known = said.get(name)
            if known is None or known[0] != shown or known[1] != best:
                said[name] = shown, best, streak_said(name, shown, best)
                other = True
        if len(said) != len(self.runs):
            self.said = said = {name: what for name, what in said.items() if name in self.runs}
            other = True
        if other:
            parts = [said[name][2] for name in sorted(said)]
            self.streaks_said = b"{%b}" % b",".join(parts) if parts else None

    def _say_records(self) -> None:
        said, self.reached, is_new = self.records_said, False, False
        for name in self.told:
            held = self.records.get(name)
            if held is None:
                said.pop(name, None)
            else:
                is_new |= name not in said
                said[name] = record_said(name, held)
        if is_new:
            self.records_said = {name: said[name] for name in sorted(said)}

    def tell(self) -> tuple[dict[str, personal.Held | None], dict[str, Shown], dict[str, Shown]]:
        """Changed records as they were, latest runs as they were, latest runs as of the row; all are told now."""
        told, shown = self.told, self.shown
        if told:
            self.told = {}
        self.shown = self.runs
        return told, shown, self.runs
