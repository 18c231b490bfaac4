"""Rolling windows: three sums of widened cells that slide with the as-of day D.

recent  D-6 … D            the last 7 days
middle  D-27 … D-7         with recent: the last 28 days
oldest  D-34 … D-28        with middle: the 28 days before the last 7

Change compares means over days that have the metric. The load ratio compares sums, because a day without training is a
day of rest: the last 7 days against a week of the 28 before, which do not contain them. With overlapping windows both
sides correlate by construction (Lolli et al., Br J Sports Med 53(15), 2019); that any such ratio says something about
injuries has been disputed altogether (Impellizzeri et al., Int J Sports Physiol Perform 15(6), 2020). So it describes
the load and advises nothing. Ratio after Hulin et al., Br J Sports Med 48(8), 2014; load: session RPE after Foster et
al., J Strength Cond Res 15(1), 2001.

Sums, means, changes and ratios are whole thousandths, rounded once, half to even. native.pyx has the same `Windows`,
compiled.
"""

from __future__ import annotations

from typing import Any

from schemas.progress import LOAD, LONG, METRICS, SHORT, Strength, Window
from schemas.rows import encode_row
from streams.progress.facts import WIDE, widened
from streams.progress.history import History

REACH = SHORT + LONG
"""Days that the windows look at."""
STEPS = 4
"""A move of the as-of day by more is summed anew."""
_N = len(METRICS)
_TABLE = tuple((i, _N + i, m.name, m.scale, m.is_level) for i, m in enumerate(METRICS))
_LOAD = next(i for i, m in enumerate(METRICS) if m.name == LOAD)
_LOAD_SCALE = METRICS[_LOAD].scale


Load = tuple[float | None, float | None, float | None]
"""Acute, chronic, their ratio."""


def thousandths(number: int, of: int) -> float:
    """number / of, rounded to a thousandth, half to even; `of` > 0.

    >>> thousandths(2, 3), thousandths(-2, 3), thousandths(1, 2000), thousandths(3, 2000)
    (0.667, -0.667, 0.0, 0.002)
    """
    found, rest = divmod(2000 * number + of, 2 * of)
    return (found - (not rest and found & 1)) / 1000


class Windows:
    """The three sums of one user, as of a day."""

    __slots__ = ("as_of", "middle", "oldest", "recent")

    def __init__(self, history: History, as_of: int) -> None:
        self.as_of = as_of
        self.recent, self.middle, self.oldest = (
            sum([widened(cell) for _, cell in history.between(as_of - back, as_of - ahead)])
            for back, ahead in ((SHORT - 1, 0), (LONG - 1, SHORT), (REACH - 1, LONG))
        )

    def change(self, day: int, before: bytes | None, after: bytes | None) -> None:
        """A day has another cell, or none any more; days outside change nothing."""
        back = self.as_of - day
        if 0 <= back < REACH:
            by = widened(after) - widened(before)
            if back < SHORT:
                self.recent += by
            elif back < LONG:
                self.middle += by
            else:
                self.oldest += by

    def slide(self, history: History, as_of: int) -> None:
        """Move to another as-of day."""
        if not 0 < as_of - self.as_of <= STEPS:
            if as_of != self.as_of:
                self.__init__(history, as_of)  # type: ignore[misc]
            return
        for day in range(self.as_of + 1, as_of + 1):
            leaves_recent = widened(history.get(day - SHORT))
            leaves_middle = widened(history.get(day - LONG))
            self.recent += widened(history.get(day)) - leaves_recent
            self.middle += leaves_recent - leaves_middle
            self.oldest += leaves_middle - widened(history.get(day - REACH))
        self.as_of = as_of

    def values(self, first_day: int) -> tuple[bytes | None, Load]:
        """Metric → its windows, as JSON, and the training load. `first_day`: the user's first."""
        recent = WIDE.unpack(self.recent.to_bytes(WIDE.size, "little"))
        middle, oldest = self.middle, self.oldest
        long = WIDE.unpack((self.recent + middle).to_bytes(WIDE.size, "little"))
        before = WIDE.unpack((middle + oldest).to_bytes(WIDE.size, "little"))
        found: dict[str, Window] = {}
        for at, count_at, name, scale, is_level in _TABLE:
            n_long = long[count_at]
            if not n_long:
                continue
            short_sum, long_sum, n_short, change = recent[at], long[at], recent[count_at], None
            sum_7d = mean_7d = None
            if n_short:
                mean_7d = thousandths(short_sum, scale * n_short)
                sum_7d = None if is_level else thousandths(short_sum, scale)
                if was := before[at] * n_short:
                    change = thousandths(100 * (short_sum * before[count_at] - was), was)
            found[name] = Window(
                sum_7d,
                mean_7d,
                n_short,
                None if is_level else thousandths(long_sum, scale),
                thousandths(long_sum, scale * n_long),
                n_long,
                change,
            )
        said = encode_row(found) if found else None
        if not recent[_N + _LOAD] and not before[_N + _LOAD]:
            return said, (None, None, None)
        acute, chronic = recent[_LOAD], before[_LOAD]
        ratio = thousandths(4 * acute, chronic) if chronic and first_day <= self.as_of - REACH + 1 else None
        return said, (thousandths(acute, _LOAD_SCALE), thousandths(chronic, 4 * _LOAD_SCALE), ratio)


def strength(lifts: dict[int, dict[str, float]], as_of: int) -> dict[str, Strength] | None:
    """Exercise → best estimates of the last 7 days and of the 28 before. `lifts`: day → exercise → estimate in kg."""
    now: dict[str, float] = {}
    before: dict[str, float] = {}
    for day, estimates in lifts.items():
        back = as_of - day
        if 0 <= back < REACH:
            into = now if back < SHORT else before
            for exercise, kg in estimates.items():
                if kg > into.get(exercise, 0.0):
                    into[exercise] = kg
    found: dict[str, Any] = {}
    for exercise in sorted({*now, *before}):
        lately, earlier = now.get(exercise), before.get(exercise)
        change = None
        if lately is not None and earlier is not None and (was := round(earlier * 1000)):
            change = thousandths(100 * (round(lately * 1000) - was), was)
        found[exercise] = Strength(lately, earlier, change)
    return found or None
