"""What was refused, and what became of it: read from PostgreSQL, which keeps each refusal with its replays."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from daybook.errors import Misuse
from schemas.codec import Rejected
from schemas.rows import RejectedRow
from sinks.postgres.connect import WRITER, acting_as

if TYPE_CHECKING:
    import psycopg

_AGO = re.compile(r"(\d{1,6})([smhd])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_PLACE = re.compile(r"([a-z0-9._-]+)/(\d{1,9})@(\d{1,18})", re.ASCII)
_AT_ONCE = 500
"""Rows that are held at a time: an event may have a quarter of a megabyte."""


class Place(NamedTuple):
    """Where a refused event lies: its identity."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}@{self.offset}"

    @classmethod
    def of(cls, text: str) -> Place:
        """Raises Misuse.

        >>> Place.of("meals/3@41")
        Place(topic='meals', partition=3, offset=41)
        """
        if (named := _PLACE.fullmatch(text)) is None:
            raise Misuse(f"{text}: expected topic/partition@offset, such as meals/3@41")
        return cls(named[1], int(named[2]), int(named[3]))


@dataclass(frozen=True, slots=True)
class Selection:
    """Which refusals are meant; what is not given selects all."""

    places: tuple[Place, ...] = ()
    topic: str | None = None
    reason: str | None = None
    """Some of its words, in small or large letters."""
    since: datetime | None = None
    until: datetime | None = None
    """Of receipt, from `since` on and before `until`."""
    replayed: bool | None = None

    @property
    def is_everything(self) -> bool:
        return self == Selection(replayed=self.replayed)

    def where(self) -> tuple[str, dict[str, Any]]:
        """A condition on r (rejected) and p (its last replay), and its parameters."""
        conditions = {
            '(r.topic, r.partition, r."offset") IN (SELECT * FROM unnest(%(topics)s::text[], %(partitions)s::int[], '
            "%(offsets)s::bigint[]))": bool(self.places),
            "r.topic = %(topic)s": self.topic is not None,
            "position(lower(%(reason)s) IN lower(r.reason)) > 0": self.reason is not None,
            "r.received_at >= %(since)s": self.since is not None,
            "r.received_at < %(until)s": self.until is not None,
            "(p.replayed_at IS NOT NULL) = %(replayed)s": self.replayed is not None,
        }
        parameters = {
            "topics": [place.topic for place in self.places],
            "partitions": [place.partition for place in self.places],
            "offsets": [place.offset for place in self.places],
            **{name: getattr(self, name) for name in ("topic", "reason", "since", "until", "replayed")},
        }
        return " AND ".join(text for text, given in conditions.items() if given) or "true", parameters


class Replay(NamedTuple):
    """The last time that a refused event was sent again."""

    at: datetime
    to: Place
    refused: Rejected | None
    """Why it was refused there again, as far as PostgreSQL knows."""


class Refusal(NamedTuple):
    """One refused event."""

    row: RejectedRow
    replay: Replay | None

    @property
    def place(self) -> Place:
        return Place(self.row.topic, self.row.partition, self.row.offset)

    @property
    def received_at(self) -> datetime:
        return at(self.row.received_ms)


class Count(NamedTuple):
    """How many events of a topic were refused for one reason."""

    topic: str
    reason: str
    path: str
    refused: int
    replayed: int


_FROM = """
FROM rejected AS r
LEFT JOIN LATERAL (
    SELECT replayed_at, to_partition, to_offset FROM replayed AS p
    WHERE p.topic = r.topic AND p.partition = r.partition AND p."offset" = r."offset"
    ORDER BY replayed_at DESC, to_offset DESC LIMIT 1
) AS p ON true
LEFT JOIN rejected AS again
    ON again.topic = r.topic AND again.partition = p.to_partition AND again."offset" = p.to_offset
"""
_ROWS = f"""
SELECT r.topic, r.partition, r."offset", r.received_at, r.reason, r.path, r.raw, r.key, r.original_at,
       p.replayed_at, p.to_partition, p.to_offset, again.reason, again.path
{_FROM} WHERE """
_COUNTS = f"SELECT r.topic, r.reason, r.path, count(*), count(p.replayed_at) {_FROM} WHERE "


class Refusals:
    """A connection for questions; use `opened`."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    def counts(self, selection: Selection) -> list[Count]:
        """By topic and reason, the most frequent first."""
        where, parameters = selection.where()
        sql = f"{_COUNTS} {where} GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3"
        return [Count(*row) for row in self._connection.execute(sql.encode(), parameters)]

    def newest(self, selection: Selection, most: int) -> list[Refusal]:
        """The refusals received last, the newest first."""
        where, parameters = selection.where()
        sql = f'{_ROWS} {where} ORDER BY r.received_at DESC, r.topic, r.partition, r."offset" DESC LIMIT {most}'
        return [_refusal(values) for values in self._connection.execute(sql.encode(), parameters)]

    def oldest_first(self, selection: Selection) -> Iterator[Refusal]:
        """All of them as of now, few at a time."""
        where, parameters = selection.where()
        sql = f'{_ROWS} {where} ORDER BY r.received_at, r.topic, r.partition, r."offset"'
        with self._connection.transaction(), self._connection.cursor("refusals") as cursor:
            cursor.itersize = _AT_ONCE
            cursor.execute(sql.encode(), parameters)
            for values in cursor:
                yield _refusal(values)


@contextmanager
def opened(url: str, role: str = WRITER) -> Iterator[Refusals]:
    """Refusals as PostgreSQL at `url` holds them; a READER may only ask for `counts`."""
    import psycopg

    with psycopg.connect(acting_as(role, url), autocommit=True, connect_timeout=5) as connection:
        yield Refusals(connection)


def _refusal(values: tuple[Any, ...]) -> Refusal:
    *row, replayed_at, to_partition, to_offset, reason, path = values
    refused = None if reason is None else Rejected(reason, path)
    place = Place(row[0], to_partition, to_offset)
    row[3], row[8] = ms(row[3]), None if row[8] is None else ms(row[8])
    return Refusal(RejectedRow(*row), None if replayed_at is None else Replay(replayed_at, place, refused))


def moment(text: str, now: datetime) -> datetime:
    """A time as an operator writes it: ISO 8601 (UTC where it names no offset), or so long ago: 30m, 6h, 2d.

    >>> moment("2h", datetime(2026, 3, 1, 12, tzinfo=UTC)).isoformat()
    '2026-03-01T10:00:00+00:00'
    """
    if (ago := _AGO.fullmatch(text)) is not None:
        return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Misuse(f"{text}: expected a time such as 2026-03-01T12:00, or how long ago: 30m, 6h, 2d") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def ms(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(milliseconds=1)


def at(time_ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=time_ms)
