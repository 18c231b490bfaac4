"""What the three stores hold, read back for comparison: by ranges of users, in byte order. A row of nulls is no row."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import msgspec

from daybook.connected import Connected
from daybook.keep.days import Dropped, dropped
from daybook.recompute import DayKey, EventRow
from daybook.settings import Settings
from schemas.progress import ProgressRow
from schemas.rows import DailyRow
from schemas.tables import DAILY, DAILY_COLUMNS
from sinks.clickhouse import progress as clickhouse_progress
from sinks.clickhouse.entities import COLUMNS, StoredEntity
from sinks.clickhouse.read import row as clickhouse_row
from sinks.postgres import progress as postgres_progress
from sinks.postgres.read import row as postgres_row
from sinks.redis.encode import key as redis_key
from sinks.redis.encode import progress_key
from sinks.redis.read import progress_row as redis_progress
from sinks.redis.read import row as redis_row

Days = dict[DayKey, DailyRow]
_T = TypeVar("_T")
_NAMES = ", ".join(column.name for column in DAILY_COLUMNS)
_ENTITIES = f"SELECT {COLUMNS} FROM entities_current WHERE {{}}"
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

    def holds(self, user: str) -> bool:
        """Whether a user is one of them."""
        each = user.encode()
        if self.only is not None:
            return user == self.only
        return (self.after is None or each > self.after.encode()) and (
            self.through is None or each <= self.through.encode()
        )

    def where(self, column: str, mark: Callable[[str], str]) -> tuple[str, dict[str, str]]:
        """A condition on a column and its parameters; `mark` writes a parameter as the store does."""
        sides = {"after": (">", self.after), "through": ("<=", self.through), "only": ("=", self.only)}
        there = {name: (sign, value) for name, (sign, value) in sides.items() if value is not None}
        text = " AND ".join(f"{column} {sign} {mark(name)}" for name, (sign, _) in there.items())
        return text or "1 = 1", {name: value for name, (_, value) in there.items()}


class Stores(Connected):
    """All three, by ranges of users."""

    def __init__(self, settings: Settings, redis_ttl_ms: int = 35 * 86_400_000, *, of: str | None = None) -> None:
        """`of`: as Connected says."""
        super().__init__(settings, of=of, decode_responses=True)
        self.redis_ttl_ms = redis_ttl_ms

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

    def entities(self, users: Range) -> list[StoredEntity]:
        """Winners of these users."""
        condition, parameters = users.where("subject", _clickhouse_mark)
        return [StoredEntity(*row) for row in self._query(_ENTITIES.format(condition), parameters)]

    def events(self, users: Range) -> list[EventRow]:
        """Raw events of these users that are still kept, and that the daily stream folds."""
        condition, parameters = users.where("subject", _clickhouse_mark)
        return [EventRow(*row) for row in self._query(_EVENTS.format(condition), parameters)]

    def clickhouse(self, users: Range) -> Days:
        """Daily rows of these users as analysts see them."""
        condition, parameters = users.where("user_id", _clickhouse_mark)
        return _days(clickhouse_row, self._query(f"SELECT {_NAMES} FROM daily_current WHERE {condition}", parameters))

    def dropped(self, users: Range) -> dict[DayKey, Dropped]:
        """The days of these users whose rows were dropped because nothing had changed on them for so long."""
        condition, parameters = users.where("user_id", _clickhouse_mark)
        query = f"SELECT user_id, date, version, said FROM days_dropped FINAL WHERE gone AND {condition}"
        found = self._clickhouse.query(query, parameters=parameters, column_formats={"said": "bytes"})
        return dropped(found.result_rows)

    def postgres(self, users: Range) -> Days:
        """Daily rows of these users as the app sees them."""
        condition, parameters = users.where("user_id", lambda name: f"%({name})s")
        query = f"SELECT {_NAMES} FROM {DAILY.postgres} WHERE entities IS NOT NULL AND {condition}"
        return _days(postgres_row, self._postgres.execute(query, parameters).fetchall())

    def redis(self, days: Collection[DayKey]) -> Days:
        """The rows of these days that Redis holds."""
        found: Days = {}
        for some in _batches(days, 500):
            pipeline = self._redis.pipeline(transaction=False)
            for user_id, day in some:
                pipeline.hgetall(redis_key(user_id, day))
            for at, fields in zip(some, pipeline.execute(), strict=True):
                if "entities" in fields:
                    found[at] = _hash_row(at, fields)
        return found

    def progress(self, users: Range, known: Collection[str]) -> dict[str, dict[str, ProgressRow]]:
        """Store → user → progress row; Redis is asked for all that the other stores hold, and for those `known`."""
        condition, parameters = users.where("user_id", _clickhouse_mark)
        query = f"SELECT {clickhouse_progress.NAMES} FROM progress_current WHERE {condition}"
        clickhouse = [clickhouse_progress.row(row) for row in self._query(query, parameters)]
        condition, parameters = users.where("kept.user_id", lambda name: f"%({name})s")
        query = f"{postgres_progress.SELECT} AND {condition}"
        postgres = [postgres_progress.row(row) for row in self._postgres.execute(query.encode(), parameters).fetchall()]
        found = {"postgres": {r.user_id: r for r in postgres}, "clickhouse": {r.user_id: r for r in clickhouse}}
        found["redis"] = self._progress_in_redis(sorted({*known, *found["postgres"], *found["clickhouse"]}))
        return found

    def _progress_in_redis(self, users: Iterable[str]) -> dict[str, ProgressRow]:
        found: dict[str, ProgressRow] = {}
        for some in _batches(users, 500):
            pipeline = self._redis.pipeline(transaction=False)
            for user in some:
                pipeline.hgetall(progress_key(user))
            for user, fields in zip(some, pipeline.execute(), strict=True):
                if "as_of" in fields:
                    found[user] = _progress_hash(user, fields)
        return found

    def users_only_in_redis(self) -> Iterator[str]:
        """Users with a progress row in Redis and none in ClickHouse; some may come twice."""
        prefix = progress_key("")
        for keys in _batches(self._redis.scan_iter(match=f"{prefix}*", count=1000), 500):
            users = sorted({key.removeprefix(prefix) for key in keys})
            query = "SELECT user_id FROM progress_current WHERE user_id IN {users:Array(String)}"
            known = {user for (user,) in self._query(query, {"users": users})}
            yield from self._progress_in_redis(user for user in users if user not in known)

    def days_only_in_redis(self) -> Iterator[DayKey]:
        """Days with a row in Redis and none in ClickHouse; some may come twice."""
        pattern = redis_key("*", "*")
        shape = re.compile(re.escape(redis_key("\0", "\1")).replace("\0", "(.*)").replace("\1", "([0-9-]{10})"), re.S)
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


def _days(row: Callable[[Any], DailyRow], found: Iterable[Any]) -> Days:
    return {(r.user_id, r.date): r for r in map(row, found)}


def _progress_hash(user: str, fields: dict[str, str]) -> ProgressRow:
    """As `_hash_row`."""
    try:
        return redis_progress({"version": "0", **fields, "user_id": user})
    except (ValueError, msgspec.MsgspecError):
        return ProgressRow(user, 0, "unreadable")


def _hash_row(at: DayKey, fields: dict[str, str]) -> DailyRow:
    """The row of a hash, whatever somebody wrote into it: what cannot be read is null, and differs."""
    named = {"version": "0", **fields, "user_id": at[0], "date": at[1]}
    try:
        return redis_row(named)
    except (ValueError, msgspec.MsgspecError):
        return DailyRow(at[0], at[1], 0)
