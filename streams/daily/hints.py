"""What the owner of a ledger does with hints (schemas/hints.py): look again, and say again what it holds.

Nothing is believed. A day is made from the ledger's own winners; an event is judged as on its own topic; events and
winners are joined by rule 1. Whoever hints in vain gets the same numbers with a new version. A hint about a user with a
floor is followed once its old entities are back (old.py); a user that is not known at all holds nothing, and a row of
nulls says so (DESIGN §8 rule 7).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

from schemas.codec import Rejected, reader, type_name
from schemas.hints import DayHint, DaysHint, EventHint, WinnerHint, decode_hint
from schemas.instants import day_number, parse_day
from schemas.ledger import KIND_AT, RANK_BYTES, entity_key, register_of, unpack_winner
from schemas.refusal import filed
from schemas.rows import encode_row, rejected_key
from schemas.topics import DAILY_SOURCES
from streams.daily.cells import SHIFTS, winner_day
from streams.daily.valid import REGISTERS
from streams.state import Counts, Pairs, Records

if TYPE_CHECKING:
    from streams.daily.core import Ledger
    from streams.daily.users import User

_TOPICS = {topic.name for topic in DAILY_SOURCES}


def take_hints(ledger: Ledger, records: Records) -> Counts:
    """Follow the hints; those that cannot be read are filed as refused. Never raises."""
    counts = Counts()
    refused: Pairs = []
    winners: list[WinnerHint] = []
    for i, (key, value) in enumerate(zip(records.keys, records.values, strict=True)):
        try:
            subject = (key or b"").decode()
            if not subject:
                raise ValueError("Expected the Kafka key to be the subject")
            if ledger.old.defer(subject, one_of(records, i)):
                counts = counts._replace(applied=counts.applied + 1)
                continue
            match decode_hint(value):
                case WinnerHint() as hint:
                    if hint.key.partition(b"\0")[0] != key:
                        raise ValueError("Expected the Kafka key to be the winner's subject")
                    unpack_winner(hint.winner)
                    winners.append(hint)
                case DayHint() as hint:
                    ledger.above = max(ledger.above, hint.above)
                    ledger.emit_again(subject, day_number(parse_day(hint.date)))
                    counts = counts._replace(applied=counts.applied + 1)
                case DaysHint() as hint:
                    for date in hint.dates:
                        ledger.emit_silently(subject, day_number(parse_day(date)))
                    counts = counts._replace(applied=counts.applied + 1)
                case EventHint() as hint:
                    counts = _sum(counts, _event(ledger, key or b"", hint, records.partition))
        except Exception as why:  # struct.error, KeyError, ValueError...: whatever somebody wrote there
            place = (records.topic, records.partition, records.offsets[i], records.timestamps[i])
            reject = filed(Rejected(f"no hint: {type(why).__name__}: {why}"), *place, value, key)
            refused.append((rejected_key(reject), encode_row(reject)))
    ledger.refuse(refused)
    return _sum(_sum(counts, _join(ledger, winners)), Counts(rejected=len(refused)))


def one_of(records: Records, i: int) -> Records:
    """The record at position i alone."""
    return records._replace(
        offsets=[records.offsets[i]],
        timestamps=[records.timestamps[i]],
        keys=[records.keys[i]],
        values=[records.values[i]],
    )


def _sum(left: Counts, right: Counts) -> Counts:
    return Counts(*map(sum, zip(left, right, strict=True)))


def _event(ledger: Ledger, key: bytes, hint: EventHint, partition: int) -> Counts:
    """Join an event, and log its entity's winner again even where it is a duplicate: a store may have lost it."""
    if hint.topic not in _TOPICS:
        raise ValueError(f"{hint.topic} is no topic of events that this stream folds")
    got = reader(hint.topic)(hint.raw, hint.received_ms)
    if isinstance(got, Rejected):
        raise ValueError(f"the event is refused: {got.reason} at {got.path}")
    event, name = got[0], type_name(got[0])
    if event.subject.encode() != key:
        raise ValueError("Expected the Kafka key to be the event's subject")
    counts = ledger.fold(Records(hint.topic, partition, [0], [hint.received_ms], [key], [hint.raw]))
    entity = entity_key(event.subject, hint.topic, event.entity or event.id, register_of(event, name))
    user = ledger.users[event.subject]
    winner = user.entities[entity]
    ledger.log(entity, winner)
    for day in _days(user, [winner]):
        ledger.emit_again(event.subject, day)
    return counts


def _join(ledger: Ledger, hints: Iterable[WinnerHint]) -> Counts:
    """Join winners, all of a user's at once: rebuilding sends a million."""
    by_user: dict[str, list[WinnerHint]] = defaultdict(list)
    for hint in hints:
        by_user[hint.key[: hint.key.index(b"\0")].decode()].append(hint)
    applied = duplicate = superseded = 0
    for subject, given in by_user.items():
        user = ledger.users.get(subject)
        newer: dict[bytes, bytes] = {}
        for hint in given:
            old = newer.get(hint.key) or (user.entities.get(hint.key) if user else None)
            if old is None or hint.winner[:RANK_BYTES] > old[:RANK_BYTES]:
                newer[hint.key] = hint.winner
                applied += 1
            elif hint.winner[:RANK_BYTES] == old[:RANK_BYTES]:
                duplicate += 1
            else:
                superseded += 1
        if newer:
            _take(ledger, subject, newer)
    return Counts(applied, duplicate, superseded, 0)


def _take(ledger: Ledger, subject: str, newer: dict[bytes, bytes]) -> None:
    user = ledger.users.get(subject)
    replaced = [user.entities[key] for key in newer if key in user.entities] if user else []
    days = _days(user, replaced) if user else set()
    if moves := any(winner[KIND_AT] in REGISTERS for winner in (*newer.values(), *replaced)):
        days |= set(user.warm()) if user else set()
    ledger.put(list(newer), list(newer.values()))
    user = ledger.users[subject]
    days |= set(user.warm()) if moves else _days(user, newer.values())
    for key, winner in newer.items():
        ledger.log(key, winner)
    for day in days:
        ledger.emit_again(subject, day)


def _days(user: User, winners: Iterable[bytes]) -> set[int]:
    """The local days that these winners count on; deletes, goals and plans count on none."""
    user.warm()  # which also finds the profiles
    found = map(unpack_winner, winners)
    return {winner_day(winner, user.profiles) for winner in found if winner.kind.code in SHIFTS}
