"""Tastes: weights that halve in a week, summed week by week, in integers. Pure.

An event of strength s in the hour h of week w (168 hours, since 1970) adds s · 2^(k/168), k the hour within its week,
to the sums of its week; weeks are put together when a row is made, each half of the one after it. So a sum has an
inverse, no order shows, and to forget is to drop a week. What counts is the week of the user's latest event and the
seven before it: no clock is asked.
"""

from __future__ import annotations

import functools
from decimal import Context, Decimal
from sys import intern

from schemas.affinity import HALF_LIFE_H, HALVINGS, HOUR_MS, ONE, TASTES, TasteRow
from streams.affinity.reading import Winner

CATEGORY, CREATOR, HASHTAG, REGION = "c", "u", "h", "r"
"""First letters of the names of tastes."""
SLACK = 1
"""Weeks beyond those that count which are kept, should the latest event be edited away."""
_EXACT = Context(prec=50)


@functools.cache
def growth() -> tuple[int, ...]:
    """Hour of the week → its weight beside the week's first, which has ONE; decimal, so the same on every machine.

    >>> growth()[0] == ONE, growth()[84] == 1482910
    (True, True)
    """
    root = [_EXACT.divide(Decimal(hour), Decimal(HALF_LIFE_H)) for hour in range(HALF_LIFE_H)]
    return tuple(
        int(_EXACT.multiply(Decimal(ONE), _EXACT.power(Decimal(2), part)).to_integral_value()) for part in root
    )


class Week:
    """One week of a user."""

    __slots__ = ("hours", "sums")

    def __init__(self) -> None:
        self.hours: dict[int, int] = {}
        """Hour since 1970 → how many events of it count."""
        self.sums: dict[str, int] = {}
        """Name of a taste → weight, as of the week's first hour."""


Weeks = dict[int, Week]


def names_of(winner: Winner) -> list[str]:
    """The tastes that an event says something about."""
    names = [intern(HASHTAG + tag) for tag in winner.hashtags]
    for kind, name in ((CATEGORY, winner.category), (CREATOR, winner.creator), (REGION, winner.region)):
        if name is not None:
            names.append(intern(kind + name))
    return names


def week_of(ms: int) -> int:
    """The week that an instant lies in."""
    return ms // HOUR_MS // HALF_LIFE_H


def add(weeks: Weeks, winner: Winner, sign: int = 1) -> None:
    """Add what an event says; with -1, take it out again."""
    hour = winner.ms // HOUR_MS
    number, within = divmod(hour, HALF_LIFE_H)
    week = weeks.get(number)
    if week is None:
        week = weeks[number] = Week()
    hours, sums = week.hours, week.sums
    hours[hour] = hours.get(hour, 0) + sign
    if not hours[hour]:
        del hours[hour]
    gain = sign * winner.strength * growth()[within]
    if gain:
        for name in names_of(winner):
            total = sums.get(name, 0) + gain
            if total:
                sums[name] = total
            else:
                del sums[name]
    if not hours:
        del weeks[number]


def row(weeks: Weeks, user_id: str, version: int) -> TasteRow:
    """What a user likes."""
    if not weeks:
        return TasteRow(user_id, version)
    last = max(weeks)
    latest = max(weeks[last].hours)
    if len(weeks) == 1:
        counted, sums = [weeks[last]], weeks[last].sums
        unit = growth()[latest % HALF_LIFE_H]
    else:
        first = last - HALVINGS + 1
        counted, sums = [week for number, week in sorted(weeks.items()) if number >= first], {}
        for number, week in weeks.items():
            if number >= first:
                for name, weight in week.sums.items():
                    sums[name] = sums.get(name, 0) + (weight << number - first)
        unit = growth()[latest % HALF_LIFE_H] << HALVINGS - 1
    found = TasteRow(user_id, version, latest * HOUR_MS, min(counted[0].hours) * HOUR_MS)
    found.events = sum(sum(week.hours.values()) for week in counted)
    kinds: dict[str, list[tuple[int, str]]] = {CATEGORY: [], CREATOR: [], HASHTAG: [], REGION: []}
    for name, weight in sums.items():
        if weight >= unit:
            kinds[name[0]].append((-(weight // unit), name[1:]))
    found.categories, found.creators, found.hashtags = (
        _strongest(kinds[CATEGORY]),
        _strongest(kinds[CREATOR]),
        _strongest(kinds[HASHTAG]),
    )
    found.region = min(kinds[REGION], default=(0, None))[1]
    return found


def _strongest(weights: list[tuple[int, str]]) -> dict[str, int]:
    weights.sort()
    return {name: -weight for weight, name in weights[:TASTES]}
