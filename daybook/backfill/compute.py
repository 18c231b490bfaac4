"""What days say by the definitions in force and by others: pure, by the very core that the stream runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec

from schemas.instants import day_text
from schemas.rows import DailyRow
from schemas.tables import DAILY_COLUMNS, Column
from sinks.clickhouse.entities import StoredEntity, packed
from streams.daily.core import Ledger
from streams.daily.definitions import InForce
from streams.daily.rows import row

COLUMN_OF = {column.name: column for column in DAILY_COLUMNS[3:]}
_encode = msgspec.json.Encoder().encode


class Value(NamedTuple):
    """One day of one user, by both."""

    user_id: str
    date: str
    before: str
    """JSON of the metric."""
    after: str
    others: list[str]
    """Other columns that differ."""

    @property
    def is_changed(self) -> bool:
        """Whether the row is another."""
        return self.before != self.after or bool(self.others)


def values(
    entities: Iterable[StoredEntity],
    metric: str,
    before: InForce,
    after: InForce,
    is_asked: Callable[[str, int], bool],
) -> list[Value]:
    """The days that are asked for, by user and day (days since 1970). `entities` must hold all winners that lie on
    these days, and all goals, plans and profiles of these users."""
    winners = dict(map(packed, entities))
    ledger = Ledger()
    ledger.restore(list(winners), list(winners.values()))
    column = COLUMN_OF[metric]
    found: list[Value] = []
    for subject, user in ledger.users.items():
        for day, cell in user.warm().items():
            if is_asked(subject, day):
                now = row(subject, day, cell, user.entities, 0, user.book, before.on(day))
                then = row(subject, day, cell, user.entities, 0, user.book, after.on(day))
                said = said_of(now, column), said_of(then, column)
                found.append(Value(subject, day_text(day), *said, _others(now, then, column)))
    return found


def said_of(out: DailyRow, column: Column) -> str:
    """JSON of one column of a row."""
    return _encode(getattr(out, column.field)).decode()


def _others(now: DailyRow, then: DailyRow, metric: Column) -> list[str]:
    if now == then:
        return []
    return [
        column.name
        for column in DAILY_COLUMNS[3:]
        if column is not metric and getattr(now, column.field) != getattr(then, column.field)
    ]
