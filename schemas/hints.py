"""Hints: what somebody who may not write a user's cells asks of the one who may (DESIGN §8 rule 6).

topic    hints           key: the user (subject), partitioned as the events are, so it reaches the owner of the ledger
         progress-hints  the same, to the owner of the user's progress
value    JSON of one of the Structs below, told apart by its field `hint`

The owner never believes a hint: a day is made again from the ledger's own winners, an event is judged as on its own
topic and joined by rule 1, a winner is joined by rule 1. So a hint that is repeated, late, or wrong changes no number.
Hints are no events: conservation counts event topics only.
"""

from __future__ import annotations

import msgspec

from schemas.instants import parse_day


class DayHint(msgspec.Struct, tag_field="hint", tag="day", frozen=True, omit_defaults=True):
    """Emit the row of this day again, with a new version; a day with nothing on it gives a row of nulls."""

    date: str
    """Local day as YYYY-MM-DD."""
    above: int = 0
    """The highest version that a store holds of it: the new row's must be higher, or that store would not take it."""
    why: str = ""


class EventHint(msgspec.Struct, tag_field="hint", tag="event", frozen=True, omit_defaults=True):
    """An accepted event whose effect somebody misses: join it, log its entity's winner and emit its day again."""

    topic: str
    """The event's own topic."""
    received_ms: int
    """The broker's append time there: acceptance is judged by it (rule 4)."""
    raw: bytes
    why: str = ""


class DaysHint(msgspec.Struct, tag_field="hint", tag="days", frozen=True, omit_defaults=True):
    """Emit the rows of these days again, silently: another definition judges them now. No milestone comes of it."""

    dates: list[str]
    """Local days as YYYY-MM-DD."""
    why: str = ""


class WinnerHint(msgspec.Struct, tag_field="hint", tag="winner", frozen=True, omit_defaults=True):
    """A winner from another ledger (an earlier generation's), as `schemas/ledger.py` packs it: join it."""

    key: bytes
    winner: bytes


class ProgressHint(msgspec.Struct, tag_field="hint", tag="progress", frozen=True, omit_defaults=True):
    """On the topic `progress-hints`: find a user's progress again from the days, and say it with a new version."""

    above: int = 0
    """The highest version that a store holds of it, as of a day."""
    why: str = ""


Hint = DayHint | DaysHint | EventHint | WinnerHint

encode_hint = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Hint).decode
_decode_progress = msgspec.json.Decoder(ProgressHint).decode


def decode_hint(value: bytes | None) -> Hint:
    """Raises ValueError, saying why, for what is no hint.

    >>> decode_hint(encode_hint(DayHint("2026-03-01")))
    DayHint(date='2026-03-01', above=0, why='')
    """
    if value is None:
        raise ValueError("Expected a hint, got a Kafka record without a value")
    hint: Hint = _decode(value)
    if isinstance(hint, DayHint):
        parse_day(hint.date)
        if hint.above < 0:
            raise ValueError("Expected `above` >= 0")
    elif isinstance(hint, DaysHint):
        for each in hint.dates:
            parse_day(each)
    return hint


def decode_progress_hint(key: bytes | None, value: bytes | None) -> tuple[str, ProgressHint]:
    """Whose progress is asked for, and the hint. Raises ValueError, saying why, for what is no hint about progress.

    >>> decode_progress_hint(b"u_1", encode_hint(ProgressHint(7)))
    ('u_1', ProgressHint(above=7, why=''))
    """
    if not key:
        raise ValueError("Expected the Kafka key to be the subject")
    hint: ProgressHint = _decode_progress(value or b"")
    if hint.above < 0:
        raise ValueError("Expected `above` >= 0")
    return key.decode(), hint
