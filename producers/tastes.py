"""What users like by their views and reactions, once more: plain code for tests and verify, which shares nothing with
streams/affinity but the schema. All events are read at once, winners are found, and everything is added up anew.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
from hashlib import sha256
from itertools import groupby
from typing import Any, NamedTuple

from schemas.affinity import HALF_LIFE_H, HALVINGS, HOUR_MS, ONE, REACTED, TASTES, UNKNOWN_LENGTH_S, TasteRow
from schemas.codec import Rejected, canonical, reader
from schemas.structs import TYPE_OF

_DAY_S = 86_400


class Received(NamedTuple):
    """One record of `views`."""

    key: bytes | None
    raw: bytes
    received_ms: int


class Said(NamedTuple):
    """What a winner says."""

    user: str
    ms: int
    milli: int
    """How much, in thousandths of a whole view."""
    data: Any


def winners(records: Iterable[Received]) -> list[Said]:
    """What holds in the end, deletes left out, by user."""
    read = reader("views")
    best: dict[tuple[str, str], tuple[tuple[int, bool, bytes], Said | None]] = {}
    for key, raw, received_ms in records:
        got = read(raw, received_ms)
        if isinstance(got, Rejected) or key != got[0].subject.encode():
            continue
        event, ms, _ = got
        name, kind = (event.subject, event.entity or event.id), TYPE_OF[type(event)]
        rank = (event.revision, kind.endswith(".deleted"), sha256(canonical(event)).digest()[:16])
        if name not in best or rank > best[name][0]:
            said = None if rank[1] else Said(event.subject, ms, _milli(kind, event.data), event.data)
            best[name] = (rank, said)
    return sorted((said for _, said in best.values() if said is not None), key=lambda said: said.user)


def _milli(kind: str, data: Any) -> int:
    if kind == "reaction.recorded":
        return REACTED[data.kind]
    if data.watched_s > _DAY_S:
        return 0
    length_ms = round((data.length_s or 0) * 1000) or UNKNOWN_LENGTH_S * 1000
    return min(1000, int(Fraction(round(data.watched_s * 1000), length_ms) * 1000))


def tastes(records: Iterable[Received]) -> dict[str, TasteRow]:
    """A row for every user of whom anything holds; versions are 0."""
    return {user: _row(user, list(some)) for user, some in groupby(winners(records), lambda said: said.user)}


def _row(user: str, said: list[Said]) -> TasteRow:
    hours = [one.ms // HOUR_MS for one in said]
    latest = max(hours)
    first = (latest // HALF_LIFE_H - HALVINGS + 1) * HALF_LIFE_H
    counted = [one for one in said if one.ms // HOUR_MS >= first]
    sums: dict[str, Counter[str]] = {kind: Counter() for kind in ("categories", "creators", "hashtags", "regions")}
    for one in counted:
        hour, data = one.ms // HOUR_MS - first, one.data
        weight = one.milli * _grown(hour)
        said_of = {
            "categories": [data.category],
            "creators": [data.creator],
            "regions": [data.region],
            "hashtags": list(dict.fromkeys(data.hashtags))[:10],
        }
        for kind, names in said_of.items():
            for name in names:
                if name is not None:
                    sums[kind][name] += weight
    shown = {kind: _strongest(weights, _grown(latest - first)) for kind, weights in sums.items()}
    region = next(iter(shown.pop("regions")), None)
    oldest = min(one.ms // HOUR_MS for one in counted)
    return TasteRow(user, 0, latest * HOUR_MS, oldest * HOUR_MS, len(counted), region, **shown)


@functools.cache
def _grown(hours: int) -> int:
    """2^(hours / week) · ONE; the part of a week is rounded to a whole number, as the formula has it."""
    weeks, rest = divmod(hours, HALF_LIFE_H)
    # The whole number nearest to ONE · 2^(rest / 168), by comparing 168th powers: no float is asked.
    low, high, goal = ONE, 2 * ONE, ONE**HALF_LIFE_H << rest
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**HALF_LIFE_H <= goal else (low, middle)
    is_nearer_below = (2 * low + 1) ** HALF_LIFE_H > goal << HALF_LIFE_H
    return (low if is_nearer_below else high) << weeks


def _strongest(weights: Counter[str], unit: int) -> dict[str, int]:
    whole = sorted(((-(weight // unit), name) for name, weight in weights.items() if weight >= unit))
    return {name: -weight for weight, name in whole[:TASTES]}


def together(records: Iterable[Received], reach: int) -> tuple[Counter[str], Counter[tuple[str, str]]]:
    """How many users like each item; and how many like both of two, at most `reach` apart in the order of their likes.

    Pairs are in the order of the alphabet. Only for histories of less than nine weeks: nothing is forgotten here.
    """
    liked: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    for _, some in groupby(winners(records), lambda said: said.user):
        last: dict[str, int] = {}
        for one in some:
            if one.milli >= 500:
                last[one.data.content] = max(one.ms, last.get(one.data.content, one.ms))
        order = sorted(last, key=lambda item: (last[item], item))
        liked.update(order)
        for place, item in enumerate(order):
            pairs.update((min(item, other), max(item, other)) for other in order[place + 1 : place + 1 + reach])
    return liked, pairs
