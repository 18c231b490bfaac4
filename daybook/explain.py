"""What a day's numbers are made of: the entities that count, what was left out and why, what judged it.

Pure: rows of ClickHouse in, an explanation out, by the same core that the stream runs (recompute.py does so too).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from daybook.recompute import EventRow
from schemas.instants import MS_PER_DAY, day_number, day_text, parse_day
from schemas.ledger import RANK_BYTES, Winner, split_key, unpack_winner
from schemas.rows import DailyRow, GoalDay, PlannedDay
from schemas.tables import DAILY_COLUMNS
from sinks.clickhouse.entities import StoredEntity, packed
from streams.daily.cells import MEASURED, SHIFTS, WORKOUT, platform_of, winner_day
from streams.daily.core import Ledger, judge
from streams.daily.days import Profile
from streams.daily.definitions import AS_CODED, InForce
from streams.daily.metrics import METRICS
from streams.daily.overlap import TOTAL_S
from streams.daily.rows import row
from streams.daily.sources import Sources
from streams.daily.users import User
from streams.state import Records

_ACTIVITY = ("steps", "active_s", "calories_cal", "distance_mm")


class Line(msgspec.Struct, omit_defaults=True):
    """One entity, or one event about it, and what became of it."""

    type: str
    entity: str
    revision: int
    source: str
    time: str
    """Local, as it was written: with its offset, or Z."""
    says: dict[str, int] = {}
    """Its values, in base units."""
    counts: dict[str, int] = {}
    """What counts of them, where that is less."""
    why: str | None = None
    """Why it does not count, or not wholly."""


class Explanation(msgspec.Struct):
    """One day of one user."""

    user_id: str
    date: str
    metric: str | None
    exists: bool
    """Whether anything is left on the day."""
    row: dict[str, Any]
    """What the row must say: column → value."""
    counted: list[Line]
    left_out: list[Line]
    goals: dict[str, GoalDay]
    planned: dict[str, PlannedDay]
    plans: list[Line]
    """Goals, plans and profiles that were ever set, the winners."""
    profile: str | None
    """The one that was valid, in words."""
    priority: list[str] | None
    stores: dict[str, dict[str, Any] | None] = {}
    """Store → the same columns there, with the row's version; None: it has no row."""


def explain(
    user_id: str,
    date: str,
    metric: str | None,
    entities: Iterable[StoredEntity],
    events: Iterable[EventRow],
    in_force: InForce = AS_CODED,
) -> Explanation:
    """`entities` and `events`: all rows of the user. Events that `entities` does not hold yet are folded on top."""
    ledger = Ledger()
    winners = [packed(entity) for entity in entities]
    ledger.restore([key for key, _ in winners], [value for _, value in winners])
    said = list(_said(events))
    for records in _chunks(events):
        ledger.fold(records)
    user, day = ledger.users.get(user_id, User()), day_number(parse_day(date))
    cell = user.warm().get(day)
    out = row(user_id, day, cell, user.entities, 0, user.book, in_force.on(day))
    types = METRICS[metric].types if metric else None
    valid = user.book.on(day)
    counted, left_out = _members(user, day, valid.priority, metric)
    left_out += _others(user, day, said)
    left_out += _elsewhere(user, day)
    goals = {name: goal for name, goal in (out.goals or {}).items() if metric in (None, "goals", goal.metric)}
    registers = [
        _line(key, unpack_winner(one))
        for key, one in sorted(user.entities.items())
        if b"\0p\0" in key and _asked(unpack_winner(one).kind.type, split_key(key).entity, goals, types)
    ]
    profile = next((profile for profile in user.profiles if profile.since <= day), None)
    return Explanation(
        user_id,
        date,
        metric,
        not out.is_null,
        shown(out, metric),
        [line for line in counted if types is None or line.type in types],
        [line for line in left_out if types is None or _is_about(line, types)],
        goals,
        (out.planned or {}) if types is None or "plan.assigned" in types else {},
        registers,
        None if profile is None else _profile(profile),
        None if valid.priority is None else list(valid.priority),
    )


def _asked(type_name: str, entity: str, goals: Mapping[str, GoalDay], types: tuple[str, ...] | None) -> bool:
    """Whether a goal, plan or profile is about what was asked."""
    return types is None or type_name in types or type_name == "profile.updated" or entity in goals


def shown(out: DailyRow | None, metric: str | None) -> dict[str, Any]:
    """Column → value of a row, all that are there or the one asked for."""
    names = [c for c in DAILY_COLUMNS[3:] if metric in (None, c.name)]
    values = {c.name: getattr(out, c.field) for c in names} if out is not None else {}
    return {name: value for name, value in values.items() if value is not None or metric}


def _chunks(events: Iterable[EventRow]) -> Iterator[Records]:
    by_topic: dict[str, list[EventRow]] = defaultdict(list)
    for event in events:
        by_topic[event.topic].append(event)
    for topic, found in by_topic.items():
        times = [event.received_ms for event in found]
        keys, values = [event.subject.encode() for event in found], [event.raw.encode() for event in found]
        yield Records(topic, 0, range(len(found)), times, keys, values)


def _said(events: Iterable[EventRow]) -> Iterator[tuple[bytes, bytes]]:
    """Key and packed winner of every event."""
    for records in _chunks(events):
        for one in judge(records)[0]:
            yield one[1], one[2]


def _is_about(line: Line, types: tuple[str, ...]) -> bool:
    """Deletes count with what they delete."""
    return line.type in types or f"{line.type.partition('.')[0]}." in {f"{name.partition('.')[0]}." for name in types}


# -- what lies on the day


def _members(
    user: User, day: int, priority: tuple[str, ...] | None, metric: str | None
) -> tuple[list[Line], list[Line]]:
    cell = user.warm().get(day)
    if cell is None:
        return [], []
    sources = Sources(cell, user.entities, priority)
    instead = {key: group[0] for group in (*sources.workouts, *sources.sleeps) for key, _ in group[1:]}
    members = [(key, unpack_winner(one)) for key, one in user.entities.pick(cell.members)]
    measured = [(w.ms, *w[:3], key) for key, w in members if _value(w, metric) is not None]
    last = {key: (w.ms, *w[:3], key) == max(measured) for key, w in members if _value(w, metric) is not None}
    counted: list[Line] = []
    left_out: list[Line] = []
    for key, winner in sorted(members, key=lambda member: (member[1].ms, member[0])):
        line = _line(key, winner)
        line.why = _unasked(winner, metric, sources, last.get(key, False))
        if line.why is not None:
            left_out.append(line)
        elif key in instead:
            other, its = instead[key]
            line.why = (
                f"lower-priority source: the same as {split_key(other).entity} of {platform_of(its.source)}, for more"
                " than half of the time; only what that one does not say is taken from it"
            )
            left_out.append(line)
        elif key in sources.activity:
            _share(line, sources.activity[key], winner, [w for _, w in members])
            (counted if any(line.counts.values()) or not line.why else left_out).append(line)
        else:
            counted.append(line)
    return counted, left_out


def _value(winner: Winner, metric: str | None) -> int | None:
    """What it says of the metric, where one value of it is all that counts."""
    name = METRICS[metric].value if metric else None
    return winner.values[winner.kind.values.index(name)] if name in winner.kind.values else None


def _unasked(winner: Winner, metric: str | None, sources: Sources, is_last: bool) -> str | None:
    """Why the metric does not ask it, if so."""
    if metric is None or METRICS[metric].value is None or winner.kind.type not in METRICS[metric].types:
        return None
    if _value(winner, metric) is None:
        return f"does not say {metric}, or nothing plausible"
    if winner.kind.code == MEASURED and not is_last:
        return "a later measurement of the day counts"
    burned = any(shares[_ACTIVITY.index("calories_cal")] is not None for shares in sources.activity.values())
    if metric == "calories_burned_kcal" and winner.kind.code == WORKOUT and burned:
        return "activity intervals count: they contain the workout"
    return None


def _share(line: Line, shares: list[int | None], winner: Winner, members: Iterable[Winner]) -> None:
    """Say what counts of an activity interval, where that is not all."""
    counts = {name: share for name, share in zip(_ACTIVITY, shares, strict=True) if share is not None}
    if all(counts[name] == line.says[name] for name in counts):
        return
    own = [w for w in members if w.kind.code == winner.kind.code]
    mine = platform_of(winner.source)
    totals = [w for w in own if platform_of(w.source) == mine and (w.values[4] or 0) >= TOTAL_S and w != winner]
    others = sorted({platform_of(w.source) for w in own} - {mine})
    line.counts = counts
    line.why = f"lower-priority source: {', '.join(others)} was there"
    if totals:
        line.why = "its provider's daily total counts instead"


# -- what does not


def _others(user: User, day: int, said: Iterable[tuple[bytes, bytes]]) -> Iterator[Line]:
    """Events whose entity would lie on the day, but that did not win, or won by deleting."""
    seen: set[tuple[bytes, bytes]] = set()
    for key, one in said:
        winner, won = unpack_winner(one), user.entities[key]
        rank = key, one[:RANK_BYTES]
        line = _line(key, winner)
        if one[:RANK_BYTES] == won[:RANK_BYTES]:
            if rank in seen and _lies_on(winner, user, day):
                line.why = "duplicate: the same content was sent again"
                yield line
        elif rank not in seen and _lies_on(winner, user, day):
            line.why = _lost(unpack_winner(won), winner, user, day)
            yield line
        seen.add(rank)


def _lost(won: Winner, lost: Winner, user: User, day: int) -> str:
    if won.deleted:
        return f"deleted by revision {won.revision}"
    if won.kind.code in SHIFTS and (to := winner_day(won, user.profiles)) != day:
        return f"moved to {day_text(to)} by revision {won.revision}"
    by = f"revision {won.revision}"
    return f"superseded by {by}" if won.revision > lost.revision else f"superseded by another content of {by}"


def _lies_on(winner: Winner, user: User, day: int) -> bool:
    return winner.kind.code in SHIFTS and winner_day(winner, user.profiles) == day


def _elsewhere(user: User, day: int) -> Iterator[Line]:
    """Live entities whose date, as written or in UTC, is this day, but that count on another one."""
    for key, one in sorted(user.entities.items()):
        winner = unpack_winner(one)
        if winner.kind.code not in SHIFTS:
            continue
        written = (winner.ms + (winner.offset_min or 0) * 60_000) // MS_PER_DAY
        lived = winner_day(winner, user.profiles)
        if lived != day and day in (written, winner.ms // MS_PER_DAY):
            line = _line(key, winner)
            line.why = f"other day: counts on {day_text(lived)} ({_why_there(winner, user, lived, written)})"
            yield line


def _why_there(winner: Winner, user: User, lived: int, written: int) -> str:
    profile = next((each for each in user.profiles if each.since <= lived), None)
    reasons = []
    if winner.offset_min is not None:
        reasons.append(f"its offset is {_offset(winner.offset_min)}")
    elif zone := winner.timezone or (profile.timezone if profile else None):
        reasons.append(f"zone {zone}")
    else:
        reasons.append("UTC: no zone is known")
    if profile is not None and profile.day_start_ms and (lived != written or winner.offset_min is None):
        reasons.append(f"the day starts at {_clock(profile.day_start_ms)}")
    return ", ".join(reasons)


# -- in words


def _line(key: bytes, winner: Winner) -> Line:
    name = split_key(key)
    says = {what: v for what, v in zip(winner.kind.values, winner.values, strict=True) if v is not None}
    entity = name.entity if name.register is None else f"{name.entity} from {name.register}"
    if name.register == "ended":
        entity = f"{name.entity} ended"
    return Line(winner.kind.type, entity, winner.revision, winner.source, _local(winner), says)


def _local(winner: Winner) -> str:
    offset = winner.offset_min or 0
    days, rest = divmod(winner.ms + offset * 60_000, MS_PER_DAY)
    tail = "Z" if winner.offset_min is None else _offset(offset)
    return f"{day_text(days)}T{_clock(rest)}:{rest // 1000 % 60:02}{tail}"


def _offset(minutes: int) -> str:
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def _clock(ms: int) -> str:
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}"


def _profile(profile: Profile) -> str:
    zone = f"zone {profile.timezone}" if profile.timezone else "no zone"
    return f"since {day_text(profile.since)}: {zone}, the day starts at {_clock(profile.day_start_ms)}"


def agrees(explanation: Explanation) -> Mapping[str, bool]:
    """Store → whether it says the same; a row that is not in Redis may have expired there."""
    return {
        store: store == "redis" if found is None else {**found, "version": 0} == {**explanation.row, "version": 0}
        for store, found in explanation.stores.items()
    }
