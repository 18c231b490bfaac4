"""Every day again, from what ClickHouse holds: winners from `entities`, and the raw events folded on top of them.

Pure: rows of tables in, daily rows out, by the same core that the stream runs. Raw events are dropped 90 days after
receipt, winners are not; so the winners are taken first, and an event that says otherwise shows a hole or a forgery.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from schemas.ledger import RANK_BYTES, entity_key, split_key, unpack_winner
from schemas.rows import DailyRow
from schemas.tables import DAILY_COLUMNS, Column
from sinks.clickhouse.entities import StoredEntity, packed
from streams.daily.core import Ledger
from streams.daily.definitions import AS_CODED, InForce
from streams.daily.rows import row
from streams.state import Records

METRICS = DAILY_COLUMNS[3:]
"""What is compared: all but user, date and version."""
DayKey = tuple[str, str]
"""User and local day as YYYY-MM-DD."""


class EventRow(NamedTuple):
    """One row of `events`."""

    topic: str
    received_ms: int
    subject: str
    entity: str
    register: str
    raw: str


class Recomputed(NamedTuple):
    """What some users' days must be."""

    rows: dict[DayKey, DailyRow]
    received_ms: dict[DayKey, int]
    """When the newest event about what is on a day came in: its row is at least as young. Not there: long ago."""
    holes: list[tuple[str, str]]
    """Users and entities whose winner `entities` does not hold, although `events` does."""
    altered: list[tuple[str, str]]
    """Users and entities whose winner in `entities` is not what its event says."""
    doubtful: dict[bytes, str]
    """Changelog keys of both, and what is wrong: lost, older or altered."""


def recompute(entities: Iterable[StoredEntity], events: Iterable[EventRow], in_force: InForce = AS_CODED) -> Recomputed:
    """All days of the users that these rows are about, judged by the definitions in force. Both must hold all rows of
    each of them."""
    winners = dict(map(packed, entities))
    by_events = Ledger()
    by_topic: dict[str, list[EventRow]] = defaultdict(list)
    newest: dict[bytes, int] = {}
    for event in events:
        by_topic[event.topic].append(event)
        key = entity_key(event.subject, event.topic, event.entity, event.register or None)
        newest[key] = max(newest.get(key, 0), event.received_ms)
    for topic, found in by_topic.items():
        keys, values = [e.subject.encode() for e in found], [e.raw.encode() for e in found]
        by_events.fold(Records(topic, 0, range(len(found)), [e.received_ms for e in found], keys, values))
    doubtful: dict[bytes, str] = {}
    for key, winner in by_events.drain(0).state:
        if winner is not None and (wrong := _wrong(winners.get(key), winner)):
            winners[key], doubtful[key] = winner, wrong
    ledger = Ledger()
    ledger.restore(list(winners), list(winners.values()))
    holes = [_named(key) for key, wrong in doubtful.items() if wrong != ALTERED]
    altered = [_named(key) for key, wrong in doubtful.items() if wrong == ALTERED]
    rows: dict[DayKey, DailyRow] = {}
    received: dict[DayKey, int] = {}
    for subject, user in ledger.users.items():
        for day, cell in user.warm().items():
            out = row(subject, day, cell, user.entities, 0, user.book, in_force.on(day))
            rows[subject, out.date] = out
            if ages := [newest[key] for key, _ in user.entities.pick(cell.members) if key in newest]:
                received[subject, out.date] = max(ages)
    return Recomputed(rows, received, holes, altered, doubtful)


LOST, OLDER, ALTERED = "lost", "older", "altered"


def _wrong(stored: bytes | None, winner: bytes) -> str | None:
    """What is wrong with a stored winner beside the one that events give; None if nothing is (rule 1)."""
    if stored is None:
        return LOST
    if stored[:RANK_BYTES] < winner[:RANK_BYTES]:
        return OLDER
    if stored[:RANK_BYTES] > winner[:RANK_BYTES] or stored == winner:
        return None
    # The same event: JSON may have changed the order of names, but nothing that they say.
    return None if unpack_winner(stored) == unpack_winner(winner) else ALTERED


def _named(key: bytes) -> tuple[str, str]:
    subject, family, entity, register = split_key(key)
    return subject, f"{family} {entity}" + (f" {register}" if register else "")


def differences(expected: DailyRow | None, stored: DailyRow | None) -> list[Column]:
    """Columns that differ. No row equals a row of nulls (DESIGN §8 rule 10)."""
    return [c for c in METRICS if getattr(expected, c.field, None) != getattr(stored, c.field, None)]
