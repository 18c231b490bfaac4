"""What the three stores hold, read back for comparison: by ranges of users, in byte order, in one common form.

The common form of a day is column → value as DailyRow has it: null columns are left out, instants are milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import islice
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

import clickhouse_connect
import msgspec
import psycopg
import redis

from daybook.recompute import DayKey, EntityRow, EventRow
from daybook.settings import Settings
from schemas.tables import DAILY, DAILY_COLUMNS, DAILY_METRICS, Column

Days = dict[DayKey, dict[str, Any]]
_T = TypeVar("_T")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAMES = ", ".join(DAILY_METRICS)
_ENTITIES = """
SELECT subject, family, entity, register, type, revision, deleted, digest, toUnixTimestamp64Milli(time),
       utc_offset_min, timezone, source, contribution
FROM entities_current WHERE {}"""
_EVENTS = """
SELECT topic, toUnixTimestamp64Milli(received_at), subject, entity, register, raw
FROM events WHERE topic != 'views' AND {}"""


class Range(NamedTuple):
    """Users after `after` and up to `through`, both in byte order; None: without end."""

    after: str | None
    through: str | None
    only: str | None = None

    @classmethod
    def of(cls, user: str) -> Range:
        """One user."""
        return cls(None, None, user)

    def where(self, column: str, mark: Callable[[str], str]) -> tuple[str, dict[str, str]]:
        """A condition on a column and its parameters; `mark` writes a parameter as the store does."""
        sides = {"after": (">", self.after), "through": ("<=", self.through), "only": ("=", self.only)}
        there = {name: (sign, value) for name, (sign, value) in sides.items() if value is not None}
        text = " AND ".join(f"{column} {sign} {mark(name)}" for name, (sign, _) in there.items())
        return text or "1 = 1", {name: value for name, (_, value) in there.items()}


class Stores:
    """Connections to all three; close them by leaving the `with`."""

    def __init__(self, settings: Settings, redis_ttl_ms: int = 35 * 86_400_000) -> None:
        self._postgres = psycopg.connect(settings.address("postgres"), autocommit=True)
        self._clickhouse = clickhouse_connect.get_client(
            dsn=settings.address("clickhouse"), autogenerate_session_id=False
        )
        self._redis = redis.Redis.from_url(settings.address("redis"), decode_responses=True)
        self.redis_ttl_ms = redis_ttl_ms

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, why: BaseException | None, at: TracebackType | None) -> None:
        self._postgres.close()
        self._clickhouse.close()
        self._redis.close()

    def user_ranges(self, size: int) -> Iterator[Range]:
        """Ranges that together hold every user there could be, about `size` known users each."""
        after: str | None = None
        while True:
            condition, parameters = Range(after, None).where("subject", _clickhouse_mark)
            found = self._query(
                f"SELECT DISTINCT subject FROM entities WHERE {condition} ORDER BY subject LIMIT {size}", parameters
            )
            if len(found) < size:
                yield Range(after, None)
                return
            yield Range(after, found[-1][0])
            after = found[-1][0]

    def entities(self, users: Range) -> list[EntityRow]:
        """Winners of these users."""
        condition, parameters = users.where("subject", _clickhouse_mark)
        return [EntityRow(*row) for row in self._query(_ENTITIES.format(condition), parameters)]

    def events(self, users: Range) -> list[EventRow]:
        """Raw events of these users that are still kept, and that the daily stream folds."""
        condition, parameters = users.where("subject", _clickhouse_mark)
        return [EventRow(*row) for row in self._query(_EVENTS.format(condition), parameters)]

    def clickhouse(self, users: Range) -> Days:
        """Daily rows of these users as analysts see them."""
        condition, parameters = users.where("user_id", _clickhouse_mark)
        return _days(self._query(f"SELECT user_id, date, {_NAMES} FROM daily_current WHERE {condition}", parameters))

    def postgres(self, users: Range) -> Days:
        """Daily rows of these users as the app sees them; rows of nulls are left out."""
        condition, parameters = users.where("user_id", lambda name: f"%({name})s")
        query = f"SELECT user_id, date, {_NAMES} FROM {DAILY.postgres} WHERE entities IS NOT NULL AND {condition}"
        return _days(self._postgres.execute(query, parameters).fetchall())

    def redis(self, days: Collection[DayKey]) -> Days:
        """The rows of these days that Redis holds; rows of nulls are left out."""
        found: Days = {}
        for some in _batches(days, 500):
            pipeline = self._redis.pipeline(transaction=False)
            for user_id, day in some:
                pipeline.hgetall(_redis_key(user_id, day))
            for key, fields in zip(some, pipeline.execute(), strict=True):
                row = {c.name: _parsed(c, fields[c.name]) for c in DAILY_COLUMNS[3:] if c.name in fields}
                if row:
                    found[key] = row
        return found

    def days_only_in_redis(self) -> Iterator[DayKey]:
        """Days with a row in Redis and none in ClickHouse; some may come twice."""
        pattern = _redis_key("*", "*")
        shape = re.compile(re.escape(_redis_key("\0", "\1")).replace("\0", "(.*)").replace("\1", "([0-9-]{10})"), re.S)
        for keys in _batches(self._redis.scan_iter(match=pattern, count=1000), 500):
            days = {(m[1], m[2]) for m in map(shape.fullmatch, keys) if m}
            users, dates = zip(*sorted(days), strict=True) if days else ((), ())
            known = self._query(
                "SELECT user_id, toString(date) FROM daily_current"
                " WHERE (user_id, toString(date)) IN arrayZip({users:Array(String)}, {dates:Array(String)})",
                {"users": list(users), "dates": list(dates)},
            )
            yield from self.redis(sorted(days - {(user, day) for user, day in known}))

    def _query(self, sql: str, parameters: dict[str, Any]) -> Sequence[Sequence[Any]]:
        rows: Sequence[Sequence[Any]] = self._clickhouse.query(sql, parameters=parameters).result_rows
        return rows


def _batches(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    each = iter(items)
    while some := list(islice(each, size)):
        yield some


def _clickhouse_mark(name: str) -> str:
    return f"{{{name}:String}}"


def _redis_key(user_id: str, day: str) -> str:
    assert DAILY.redis is not None
    return DAILY.redis.format(user_id=user_id, date=day)


def _days(rows: Iterable[Sequence[Any]]) -> Days:
    found: Days = {}
    for user_id, day, *values in rows:
        assert isinstance(day, date)
        row = {name: _common(value) for name, value in zip(DAILY_METRICS, values, strict=True)}
        found[user_id, day.isoformat()] = {name: value for name, value in row.items() if value is not None}
    return found


def _common(value: Any) -> Any:
    """A value as DailyRow has it; ClickHouse's empty maps and lists are null."""
    if isinstance(value, datetime):
        at = value if value.tzinfo else value.replace(tzinfo=UTC)
        return (at - _EPOCH) // (datetime.resolution * 1000)
    if isinstance(value, dict | list | tuple):
        return (dict(value) if isinstance(value, dict) else list(value)) or None
    return value


def _parsed(column: Column, text: str) -> Any:
    """A field of a Redis hash."""
    if column.name.endswith("_at"):
        return _common(datetime.fromisoformat(text))
    if column.type is float:
        return float(text)
    if column.type is int:
        return int(text)
    return msgspec.json.decode(text)
