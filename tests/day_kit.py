"""Days in tests: events of one user by hand, and the rows that any events come to."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import msgspec
from events import RECEIVED_MS, encode, records_of
from msgspec import Struct

from schemas.codec import Rejected, decode
from schemas.families import FAMILIES, FAMILY_OF
from schemas.rows import DailyRow, decode_daily
from schemas.tables import DAILY_COLUMNS
from streams.daily.core import Ledger
from streams.state import Records

USER = "u"
Event = dict[str, Any]


def event(
    kind: str, data: dict[str, Any], entity: str = "e", time: str = "2026-03-01T12:00:00+01:00", **more: Any
) -> Event:
    """A CloudEvent of the one user."""
    head = {"specversion": "1.0", "id": f"id_{entity}", "source": "ios/5.2.0", "type": kind, "subject": USER}
    return {**head, "time": time, "entity": entity, "data": data, **more}


def drained(ledger: Ledger, *history: Event) -> dict[str, DailyRow]:
    """Fold these, drain, and say which days got a row, null rows too."""
    for one in history:
        counts = ledger.fold(records_of([encode(one)], FAMILY_OF[one["type"]]))
        assert not counts.rejected, one
    rows = [decode_daily(value or b"") for _, value in ledger.drain(1).rows["daily"]]
    return {row.date: row for row in rows}


def the_day(day: str, *history: Event) -> DailyRow:
    """The row of one day."""
    return drained(Ledger(), *history)[day]


def days_of(*history: Event) -> list[str]:
    """The days that have anything on them."""
    return sorted(day for day, row in drained(Ledger(), *history).items() if not row.is_null)


Rows = dict[tuple[str, str], dict[str, Any]]


def metrics(row: DailyRow) -> dict[str, Any]:
    return {c.name: plain(getattr(row, c.field)) for c in DAILY_COLUMNS[3:]}


def plain(value: Any) -> Any:
    """Structs as dicts."""
    if isinstance(value, dict):
        return {name: msgspec.structs.asdict(one) if isinstance(one, Struct) else one for name, one in value.items()}
    return value


def ledger_rows(raw: list[bytes], chunk: int = 500) -> Rows:
    """Fold as a worker does: by topic, in chunks, drained in between."""
    ledger = Ledger()
    by_topic: dict[str, list[tuple[bytes, bytes]]] = defaultdict(list)
    for value in raw:
        event = decode(value)
        key, topic = (b"?", "meals") if isinstance(event, Rejected) else (event.subject.encode(), topic_of(value))
        by_topic[topic].append((key, value))
    rows: Rows = {}
    for topic, records in by_topic.items():
        for at in range(0, len(records), chunk):
            part = records[at : at + chunk]
            n = len(part)
            ledger.fold(
                Records(topic, 0, range(at, at + n), [RECEIVED_MS] * n, [k for k, _ in part], [v for _, v in part])
            )
            for _, value in ledger.drain(at).rows["daily"]:
                row = decode_daily(value or b"")
                rows[row.user_id, row.date] = metrics(row)
    return {key: row for key, row in rows.items() if row["entities"] is not None}


def topic_of(value: bytes) -> str:
    return next(f for f in FAMILIES if f != "views" and not isinstance(decode(value, family=f), Rejected))
