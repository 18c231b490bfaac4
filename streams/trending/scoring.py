"""How a score is made: integers at fixed landmarks, so that order and repetition of events cannot show in it. Pure.

observed   Σ weight(minute) · (views + reactions), weight halving every quarter of the window: forward decay from a
           landmark (Cormode, Shkapenyuk, Srivastava, Xu: Forward Decay, ICDE 2009), so nothing is scanned again as time
           goes by; the minutes of the window only
expected   the same weights over the mean of the same hour of the week in the weeks before (Gnip's Poisson background;
           four weeks at most), but never less than the floor
score      (observed - expected)² / expected where observed > expected, else none: the chi-square statistic by which
           Mastodon ranks its tags, over unique accounts
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from decimal import Context, Decimal

import msgspec

from schemas.trending import MINUTE_MS, WINDOWS
from streams.trending.events import AHEAD_MS

ONE = 1 << 24
"""The weight at a landmark."""
HOURS_PER_WEEK = 168
KEEP_HOURS = 6 * HOURS_PER_WEEK
"""Of sums for baselines: the weeks that they take, and the window."""
AHEAD = AHEAD_MS // MINUTE_MS
"""Minutes after the one that a list is made for, in which a view may lie that counts."""
_EXACT = Context(prec=40)


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a backtest may turn; all integers."""

    half_lives_per_window: int = 4
    """How often what is seen halves over the window."""
    floor: int = 2
    """Least that is expected of anything: two views are not a trend."""
    least_viewers: int = 3
    """Users in the window without whom nothing is listed."""
    per_creator: int = 5
    """Videos of one creator on one list."""
    reaction_milli: int = 500
    """What a weighted reaction counts, in thousandths of a view."""
    baseline_weeks: int = 4


def landmark(window: int, now: int) -> int:
    """The minute that weights are relative to, at this minute.

    >>> landmark(60, 125)
    120
    """
    return now // window * window


@functools.cache
def weight(window: int, halvings: int, after: int) -> int:
    """The weight of a minute that lies so many minutes after the landmark (before: negative).

    Decimal arithmetic is the same on every machine, which a float's power is not.

    >>> weight(60, 4, 0) == ONE, weight(60, 4, 15) == 2 * ONE, weight(60, 4, -15) == ONE // 2
    (True, True, True)
    """
    exponent = _EXACT.divide(Decimal(after * halvings), Decimal(window))
    return int(_EXACT.multiply(Decimal(ONE), _EXACT.power(Decimal(2), exponent)).to_integral_value())


@functools.lru_cache(maxsize=64)
def hour_weights(window: int, halvings: int, now: int) -> Mapping[int, int]:
    """Hour since 1970 → sum of the weights of its minutes that lie in the window that ends with the minute `now`."""
    start, found = landmark(window, now), dict[int, int]()
    for minute in range(now - window + 1, now + 1):
        found[minute // 60] = found.get(minute // 60, 0) + weight(window, halvings, minute - start)
    return found


def weeks_known(params: Params, hours: Iterable[int], now: int) -> int:
    """How many whole weeks ago the first of these hours began, in which anything of the kind was seen; at most as many
    as the baseline takes, and hours that are not kept are left out.

    >>> weeks_known(Params(), [0, 168], 3 * 10_080 + 5), weeks_known(Params(), [], 5)
    (3, 0)
    """
    first = min((hour for hour in hours if hour >= now // 60 - KEEP_HOURS), default=now // 60)
    return max(0, min(params.baseline_weeks, (now - 60 * first) // 10_080))


def is_inside(minute: int, window: int, now: int) -> bool:
    """Whether a minute counts in a window (in minutes) of a list that is made for `now`."""
    return now - window < minute <= now + AHEAD


def baseline(hourly: Mapping[int, int], window: int, params: Params, now: int, weeks: int) -> int:
    """What the same hours of the week lead one to expect, weighted. `hourly`: hour → views then; `weeks`: 0 is no idea.

    >>> baseline({0: 60}, 60, Params(), 168 * 60 + 59, 1) == sum(weight(60, 4, m) for m in range(60))
    True
    """
    if not weeks or not hourly:
        return 0
    total = 0
    for hour, share in hour_weights(window, params.half_lives_per_window, now).items():
        for back in range(1, weeks + 1):
            if seen := hourly.get(hour - HOURS_PER_WEEK * back):
                total += seen * share
    return total // (60 * weeks)


class Parts(msgspec.Struct, frozen=True, gc=False):
    """What a score is made of, in weighted units (`unit` is the weight of one view now)."""

    unit: int
    observed: int
    expected: int
    reactions: int
    score: int


def score(params: Params, window: int, now: int, seen: int, reacted: int, base: int, viewers: int) -> Parts | None:
    """The parts of a score, or None for what is no trend.

    `seen`, `reacted`: weighted sums of views and of reactions; `base`: as `baseline` says; `viewers`: users.

    >>> score(Params(), 60, 0, 2 * ONE, 0, 0, 2) is None, score(Params(), 60, 0, 6 * ONE, 0, 0, 6).score
    (True, 8000)
    """
    if viewers < params.least_viewers:
        return None
    unit = weight(window, params.half_lives_per_window, now - landmark(window, now))
    reactions = reacted * params.reaction_milli // 1000
    observed = seen + reactions
    expected = max(base, params.floor * unit, 1)
    over = observed - expected
    if over <= 0:
        return None
    return Parts(unit, observed, expected, reactions, over * over * 1000 // (expected * unit))


MINUTES = tuple(WINDOWS.values())
