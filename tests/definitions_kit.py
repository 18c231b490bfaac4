"""Definitions of metrics in tests: any that may be in force, as an owner hears of them, and what rows they bring."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from events import RECEIVED_MS, encode, records_of
from hypothesis import strategies as st

from schemas import definitions
from schemas.definitions import KEY, NONE, Definitions, Version
from schemas.families import FAMILY_OF
from schemas.ledger import split_key, unpack_winner
from schemas.rows import decode_daily
from schemas.topics import DAILY, DEFINITIONS
from sinks.batch import EntityRow
from sinks.clickhouse import encode as clickhouse
from sinks.clickhouse.entities import StoredEntity
from streams.daily.core import Ledger
from streams.daily.definitions import PARAMETERS, parameters_of
from streams.state import Records

FIRST = date(2026, 2, 25)
days = st.one_of(st.none(), st.integers(0, 12).map(lambda n: (FIRST + timedelta(n)).isoformat()))


@st.composite
def _version(draw: st.DrawFn) -> Version:
    metric = draw(st.sampled_from([each.metric for each in PARAMETERS]))
    values = {
        p.name: draw(st.sampled_from(p.words) if p.words else st.integers(p.low, p.high)) for p in parameters_of(metric)
    }
    since, until = draw(days), draw(days)
    if since and until and since > until:
        since, until = until, since
    return Version(metric, 2, values, since, until, "1")


def said_of(versions: list[Version]) -> Definitions:
    said = NONE
    for each in versions:
        said = said.plus(each)
    return said


in_force = st.lists(_version(), max_size=4).map(said_of)


def heard(said: Definitions) -> Records:
    """The record as an owner reads it."""
    return Records(DEFINITIONS.name, 0, [0], [RECEIVED_MS], [KEY], [definitions.encode(said)])


def learn(ledger: Ledger, seen: dict[tuple[str, str], Any]) -> None:
    for target, pairs in ledger.drain(1).rows.items():
        if target == DAILY.name or target[0] == DAILY.name:
            for _, value in pairs:
                row = decode_daily(value or b"")
                seen[row.user_id, row.date] = row


def drained_all(ledger: Ledger, history: list[Any]) -> dict[tuple[str, str], Any]:
    rows: dict[tuple[str, str], Any] = {}
    for one in history:
        ledger.fold(records_of([encode(one)], FAMILY_OF[one["type"]]))
    learn(ledger, rows)
    return rows


def compute_rows(history: list[Any]) -> list[Any]:
    """What ClickHouse's `entities` holds of these events."""
    ledger = Ledger()
    drained_all(ledger, history)
    winners = [
        EntityRow(*split_key(key), unpack_winner(value))
        for user in ledger.users.values()
        for key, value in user.entities.items()
    ]
    contributions = clickhouse.entities(winners)["contribution"]
    return [
        StoredEntity(
            w.subject, w.family, w.entity, w.register or "", w.winner.kind.type, w.winner.revision, w.winner.deleted,
            w.winner.digest, w.winner.ms, w.winner.offset_min, w.winner.timezone, w.winner.source, said,
        )
        for w, said in zip(winners, contributions, strict=True)
    ]  # fmt: skip
