"""One user: the packed days, and what is kept beside them so that a changed day costs little."""

from __future__ import annotations

from schemas.instants import day_text
from schemas.progress import ESTIMATE, ProgressRow, Record, Streak
from streams.progress import records as personal
from streams.progress import streaks
from streams.progress.facts import REST, STREAK_BITS, bests, candidates, mask_of, widened
from streams.progress.history import History
from streams.progress.milestones import Shown
from streams.progress.windows import REACH, Windows, strength


class User:
    """All of it follows from `history`; a restored user is cold, which means that nothing else is there yet."""

    __slots__ = ("history", "lifts", "origin", "records", "rest", "shown", "streaks", "told", "warm", "windows")

    def __init__(self) -> None:
        self.history = History()
        self.warm = False
        self.windows: Windows | None = None
        self.records: personal.Records = {}
        self.told: dict[str, personal.Held | None] = {}
        """Records that changed since the last row, as they were."""
        self.origin = 0
        """The day of bit 0."""
        self.rest = 0
        self.streaks: dict[str, streaks.Streak] = {}
        self.shown: dict[str, Shown] = {}
        """The latest runs, as the last row told them."""
        self.lifts: dict[int, dict[str, float]] = {}
        """Days that the windows reach back to → exercise → best estimate in kg."""

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
        for day, cell in self.history.between(days[-1] - REACH + 1, days[-1]):
            self._lift(day, cell)
        self.shown = self._runs()

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
        self.windows.change(day, widened(cell) - widened(old))
        self._mark(day, mask_of(cell or b""))
        self._reach(day, cell, old)
        self.lifts.pop(day, None)
        if cell is not None:
            self._lift(day, cell)
        return True

    def _mark(self, day: int, mask: int) -> None:
        if not self.rest and not self.streaks:
            self.origin = day
        if (earlier := self.origin - day) > 0:
            self.origin = day
            self.rest <<= earlier
            for streak in self.streaks.values():
                streak.moved(earlier)
        place = day - self.origin
        if bool(self.rest >> place & 1) != bool(mask & REST):
            self.rest ^= 1 << place
            for streak in self.streaks.values():
                streak.longest = streaks.longest(streak.active, self.rest)
        for name, flag in STREAK_BITS.items():
            if mask & flag and name not in self.streaks:
                self.streaks[name] = streaks.Streak()
            if name in self.streaks:
                self.streaks[name].change(place, bool(mask & flag), self.rest)

    def _reach(self, day: int, cell: bytes | None, old: bytes | None) -> None:
        before, after = candidates(old), candidates(cell)
        if before == after:
            return
        for name in before.keys() | after.keys():
            self.told.setdefault(name, self.records.get(name))
        if lost := personal.change(self.records, day, before, after):
            found = personal.search(self.history.all(), lost)
            for name in lost:
                self.records.pop(name)
            self.records |= found

    def _lift(self, day: int, cell: bytes) -> None:
        if found := {n[len(ESTIMATE) :]: b.value for n, b in bests(cell).items() if n.startswith(ESTIMATE)}:
            self.lifts[day] = found

    # -- the row

    def row(self, user_id: str, version: int) -> ProgressRow:
        """The row as of the latest day; of nulls where no day is left."""
        days = self.history.days
        return self.row_as_of(user_id, version, days[-1]) if days else ProgressRow(user_id, version)

    def row_as_of(self, user_id: str, version: int, as_of: int) -> ProgressRow:
        """The row as of a day, which is not before the latest."""
        days = self.history.days
        if self.windows is None:
            self.windows = Windows(self.history, as_of)
        if self.windows.as_of != as_of:
            self._slide(as_of)
        windows, (acute, chronic, ratio) = self.windows.values(days[0])
        return ProgressRow(
            user_id,
            version,
            day_text(as_of),
            day_text(days[0]),
            len(days),
            acute,
            chronic,
            ratio,
            windows,
            strength(self.lifts, as_of) if self.lifts else None,
            self._streak_rows(as_of),
            {name: _record(held) for name, held in sorted(self.records.items())} or None,
        )

    def _slide(self, as_of: int) -> None:
        assert self.windows is not None
        if as_of < self.windows.as_of:  # the latest days are gone, and earlier ones are within reach again
            for day, cell in self.history.between(as_of - REACH + 1, as_of):
                self._lift(day, cell)
        self.windows.slide(self.history, as_of)
        for day in [day for day in self.lifts if day <= as_of - REACH]:
            del self.lifts[day]

    def _runs(self) -> dict[str, Shown]:
        if not self.history.days:
            return {}
        today = self.history.days[-1] - self.origin
        found = {}
        for name, streak in self.streaks.items():
            if run := streaks.latest(streak.active, self.rest):
                since, until, length = run
                stands = streaks.stands(run, self.rest, today)
                found[name] = Shown(since + self.origin, until + self.origin, length, stands)
        return found

    def tell(self) -> tuple[dict[str, personal.Held | None], dict[str, Shown], dict[str, Shown]]:
        """Changed records as they were, latest runs as they were, latest runs now; from now on these are told."""
        told, shown = self.told, self.shown
        self.told, self.shown = {}, self._runs()
        return told, shown, self.shown

    def _streak_rows(self, as_of: int) -> dict[str, Streak] | None:
        found = {}
        for name in STREAK_BITS:
            streak = self.streaks.get(name)
            run = None if streak is None else streaks.latest(streak.active, self.rest)
            best = None if streak is None else streak.longest
            if run is None or best is None:
                continue
            since, until, length = run
            found[name] = Streak(
                length if streaks.stands(run, self.rest, as_of - self.origin) else 0,
                day_text(since + self.origin),
                day_text(until + self.origin),
                best.length,
                day_text(best.since + self.origin),
                day_text(best.until + self.origin),
            )
        return found or None


def _record(held: personal.Held) -> Record:
    value, day, entity, previous = held
    if previous is None:
        return Record(value, day_text(day), entity)
    return Record(value, day_text(day), entity, previous[0], day_text(previous[1]), previous[2])
