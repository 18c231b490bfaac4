"""The same lists from the events themselves, in one plain pass: what verify, backtest and the tests compare with.

Shares with the stream what an event is (events.py) and the formula of a score (scoring.py); nothing is incremental.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from hashlib import sha256
from typing import NamedTuple

from schemas.codec import Event, Rejected, canonical, reader
from schemas.structs import TYPE_OF
from schemas.trending import ALL, KINDS, LIST_SIZE, MINUTE_MS, WINDOWS
from streams.trending.events import HOUR_MS, KEEP_HOURS, NOTHING, VIEW, WEIGHTS, is_timely, slot_of
from streams.trending.scoring import Params, Parts, baseline, is_inside, landmark, score, weeks_known, weight


class Received(NamedTuple):
    """One record of `views`."""

    key: bytes | None
    raw: bytes
    received_ms: int
    partition: int = 0
    """Its records come in the order of their offsets; of receipts alone the order says nothing."""


class Listed(NamedTuple):
    """One entry."""

    id: str
    parts: Parts
    views: int


Lists = dict[tuple[str, str, str], list[Listed]]
"""(kind, region, window) → entries, the best first; lists without any are left out."""
Item = tuple[str, str]
Minutes = dict[int, int]


def lists(
    records: Iterable[Received],
    params: Params,
    *,
    by_event_time: bool = False,
    now_ms: int | None = None,
    at_least_ms: int = 0,
    blocked: Collection[Item] = (),
    kinds: Collection[str] = KINDS,
) -> Lists:
    """All lists. `now_ms`: the clock they are made for; None: as far as the records bring it, and `at_least_ms`."""
    found = winners(records, by_event_time)
    now = (max(found.clock_ms, at_least_ms) if now_ms is None else now_ms) // MINUTE_MS
    made: Lists = {}
    for name, window in WINDOWS.items():
        views, reactions = counts(found, window)
        scored: dict[tuple[str, str], list[Listed]] = {}
        hours: dict[str, set[int]] = {}
        for (kind, _, _), minutes in views.items():
            hours.setdefault(kind, set()).update(minute // 60 for minute in minutes)
        weeks = {kind: weeks_known(params, hours.get(kind, ()), now) for kind in KINDS}
        for kind, item, region in {**views, **reactions}:
            if kind in kinds and (kind, item) not in blocked:
                own = views.get((kind, item, region), {}), reactions.get((kind, item, region), {})
                parts, seen = _parts(params, window, now, *own, weeks[kind])
                if parts is not None:
                    scored.setdefault((kind, region), []).append(Listed(item, parts, seen))
        for (kind, region), entries in scored.items():
            entries.sort(key=lambda entry: (-entry.parts.score, entry.id))
            made[kind, region, name] = _capped(entries, found.creators if kind == KINDS[0] else {}, params)

    return made


class Winners(NamedTuple):
    """What counts: per user, and item, when and where; per reaction too."""

    views: dict[tuple[str, Item], list[tuple[int, str]]]
    reactions: dict[tuple[str, Item, int], list[tuple[int, str]]]
    creators: dict[str, str]
    clock_ms: int
    """As far as the furthest partition has come: with all of them read to their ends, none is waited for."""


def winners(records: Iterable[Received], by_event_time: bool) -> Winners:
    """The winning event of every entity, if any copy of it came in time, by the clock of its partition."""
    read, clocks = reader("views"), {0: 0}
    best: dict[tuple[str, str], tuple[tuple[int, bool, bytes], bool, int, Event]] = {}
    where: dict[str, int] = {}
    for key, raw, received_ms, partition in records:
        got = read(raw, received_ms)
        if isinstance(got, Rejected) or key != got[0].subject.encode():
            continue
        event, ms, _ = got
        clock_ms = clocks[partition] = max(clocks.get(partition, 0), ms if by_event_time else received_ms)
        where[event.subject] = partition
        deleted = TYPE_OF[type(event)].endswith(".deleted")
        rank = (event.revision, deleted, _digest(canonical(event)))
        timely = is_timely(ms, clock_ms if by_event_time else received_ms)
        name = (event.subject, event.entity or event.id)
        old = best.get(name)
        if old is None or rank > old[0]:
            best[name] = (rank, timely, ms, event)
        elif rank == old[0]:
            best[name] = (rank, timely or old[1], ms, event)
    found = Winners({}, {}, {}, max(clocks.values()))
    for (user, _), (_, timely, ms, event) in best.items():
        slot = slot_of(event)
        if not timely or slot == NOTHING:
            continue
        data = event.data
        items = {(KINDS[0], data.content), *((KINDS[2], tag) for tag in data.hashtags)}
        items |= {(kind, name) for kind, name in ((KINDS[1], data.creator), (KINDS[3], data.sound)) if name is not None}
        if data.creator is not None and ms // HOUR_MS >= clocks[where[user]] // HOUR_MS - KEEP_HOURS:
            found.creators[data.content] = max(data.creator, found.creators.get(data.content, ""))
        at = (ms // MINUTE_MS, data.region or "")
        for item in items:
            if slot == VIEW:
                found.views.setdefault((user, item), []).append(at)
            else:
                found.reactions.setdefault((user, item, slot), []).append(at)
    return found


def counts(
    found: Winners, window: int
) -> tuple[Mapping[tuple[str, str, str], Minutes], Mapping[tuple[str, str, str], Minutes]]:
    """Views and weighted reactions per (kind, id, region) and minute, one per user and window (reactions: per week)."""
    views: dict[tuple[str, str, str], Minutes] = {}
    reactions: dict[tuple[str, str, str], Minutes] = {}
    for (_, item), seen in found.views.items():
        _count(views, item, seen, window, 1)
    for (_, item, slot), seen in found.reactions.items():
        _count(reactions, item, seen, WINDOWS["7d"], WEIGHTS[slot])
    return views, reactions


def _count(
    into: dict[tuple[str, str, str], Minutes], item: Item, seen: list[tuple[int, str]], window: int, by: int
) -> None:
    for bucket in {minute // window for minute, _ in seen}:
        minute, region = min(at for at in seen if at[0] // window == bucket)
        for where in {ALL, region or ALL}:
            minutes = into.setdefault((*item, where), {})
            minutes[minute] = minutes.get(minute, 0) + by


def _parts(
    params: Params, window: int, now: int, views: Minutes, reactions: Minutes, weeks: int
) -> tuple[Parts | None, int]:
    start = landmark(window, now)

    def weighted(minutes: Minutes) -> int:
        inside = {minute: n for minute, n in minutes.items() if is_inside(minute, window, now)}
        return sum(n * weight(window, params.half_lives_per_window, minute - start) for minute, n in inside.items())

    hourly: dict[int, int] = {}
    for minute, n in views.items():
        hourly[minute // 60] = hourly.get(minute // 60, 0) + n
    base = baseline(hourly, window, params, now, weeks)
    seen = sum(n for minute, n in views.items() if is_inside(minute, window, now))
    return score(params, window, now, weighted(views), weighted(reactions), base, seen), seen


def _capped(entries: list[Listed], creators: Mapping[str, str], params: Params) -> list[Listed]:
    kept: list[Listed] = []
    for each in entries:
        creator = creators.get(each.id)
        same = sum(creator is not None and creators.get(other.id) == creator for other in kept)
        if same < params.per_creator and len(kept) < LIST_SIZE:
            kept.append(each)
    return kept


def _digest(content: bytes) -> bytes:
    return sha256(content).digest()[:16]
