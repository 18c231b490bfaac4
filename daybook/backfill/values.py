"""The shadow in ClickHouse: who is to be computed, what came of it, and how it differs; questions and answers only."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import date
from typing import Any

import msgspec

from daybook.backfill.compute import COLUMN_OF, Value
from daybook.backfill.runs import Run
from daybook.settings import Settings
from daybook.stored import Range
from sinks.clickhouse import client as clickhouse
from sinks.clickhouse.cluster import stored
from sinks.clickhouse.entities import COLUMNS, StoredEntity

SAMPLES = 5
_MOST_FIRST = "1970-01-01"
"""ClickHouse's type Date begins there, so no daily row lies before it."""
_MOST_LAST = "2149-06-06"
_NAMES = ("run", "user_id", "date", "slice", "before", "after", "others", "gone", "at")
_CHANGED = "NOT gone AND (before != after OR notEmpty(others))"
_A_DAY_AROUND = 3
"""A time lies on a local day at most so many days away: the zone, the start of the day, and one more."""
Days = dict[str, list[str]]
"""User → local days."""


class Sample(msgspec.Struct, frozen=True):
    """One changed day."""

    user_id: str
    date: str
    before: str
    after: str


class Diff(msgspec.Struct, frozen=True):
    """What would change. Deltas are after less before, of days that have a number in both."""

    days: int
    users: int
    days_changed: int
    users_changed: int
    appeared: int
    """Days on which the metric was null and would not be."""
    vanished: int
    mean: float | None
    smallest: float | None
    median: float | None
    largest: float | None
    others: dict[str, int]
    """Other column → days on which it changes too."""
    samples: list[Sample] = []
    """The largest changes first."""

    def without_samples(self) -> Diff:
        """What may be kept when the shadow is dropped: nobody's days."""
        return msgspec.structs.replace(self, samples=[])


class Shadow:
    """One run's part of ClickHouse; not shared between threads."""

    def __init__(self, settings: Settings, run: Run) -> None:
        self._url, self._run = settings.address("clickhouse"), run
        self._stored = stored("backfill_values", settings.clickhouse_cluster)
        self._client: Any = None
        self._types: list[Any] = []

    def _ask(self, sql: str, **parameters: Any) -> Sequence[Sequence[Any]]:
        rows: Sequence[Sequence[Any]] = self._connected().query(sql, parameters=parameters).result_rows
        return rows

    def _connected(self) -> Any:
        if self._client is None:
            # One thread: live inserts shall not wait for the processor.
            self._client = clickhouse.dial(self._url, settings={"max_threads": 1})
        return self._client

    def close(self) -> None:
        """Let go of the connection; the next question makes a new one."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    # -- who is to be computed

    def clock(self) -> int:
        """ClickHouse's own [s since 1970]."""
        return int(self._ask("SELECT toUnixTimestamp(now())")[0][0])

    def total(self) -> int:
        """How many daily rows there are on the days of the run."""
        return int(self._ask(f"SELECT count() FROM daily_current WHERE {self._on_days('date')}")[0][0])

    def users_after(self, after: str | None, size: int) -> list[str]:
        """The next users that anything is known of, in byte order."""
        condition, parameters = Range(after, None).where("subject", _mark)
        query = f"SELECT DISTINCT subject FROM entities WHERE {condition} ORDER BY subject LIMIT {size}"
        return [user for (user,) in self._ask(query, **parameters)]

    def entities(self, users: Range, days: tuple[str, str] | None = None) -> list[StoredEntity]:
        """The winners that may lie on the run's days (or between these), and all goals, plans and profiles."""
        condition, parameters = users.where("subject", _mark)
        return self._entities(condition, parameters, days)

    def entities_of(self, users: Sequence[str], days: tuple[str, str]) -> list[StoredEntity]:
        """The same of these users."""
        return self._entities("subject IN {users:Array(String)}", {"users": users}, days)

    def _entities(self, who: str, parameters: dict[str, Any], days: tuple[str, str] | None) -> list[StoredEntity]:
        first, last = days or self._days()
        around = (
            f"(family = 'plans' OR (time >= toDateTime64('{first} 00:00:00', 3, 'UTC') - toIntervalDay({_A_DAY_AROUND})"
            f" AND time < toDateTime64('{last} 00:00:00', 3, 'UTC') + toIntervalDay({_A_DAY_AROUND})))"
        )
        query = f"SELECT {COLUMNS} FROM entities_current WHERE {who} AND {around}"
        return [StoredEntity(*row) for row in self._ask(query, **parameters)]

    def changed_since(self, since_s: int, after: str, size: int) -> Days:
        """Days of the run whose rows were written at that second or later, of the next users in byte order."""
        found = self._ask(
            "SELECT user_id, arraySort(groupUniqArray(toString(date))) FROM daily WHERE user_id > {after:String}"
            f" AND changed_at >= toDateTime({since_s}, 'UTC') AND {self._on_days('date')}"
            f" GROUP BY user_id ORDER BY user_id LIMIT {size}",
            after=after,
        )
        return {user: list(days) for user, days in found}

    # -- what came of it

    def last_user(self, slices: int) -> str | None:
        """The last user of the first so many slices; None where they brought no day."""
        query = f"SELECT max(user_id) FROM backfill_values WHERE run = {self._run.id} AND slice BETWEEN 1 AND {slices}"
        return self._ask(query)[0][0] or None

    def put(self, found: Sequence[Value], number: int, gone: Days | None = None) -> None:
        """Store what was computed; `gone`: days on which nothing is left. Again changes nothing."""
        now = time.time_ns()
        rows = [
            (self._run.id, v.user_id, date.fromisoformat(v.date), number, v.before, v.after, v.others, False, now)
            for v in found
        ]
        rows += [
            (self._run.id, user, date.fromisoformat(day), number, "null", "null", [], True, now)
            for user, days in (gone or {}).items()
            for day in days
        ]
        if rows:
            columns = list(map(list, zip(*rows, strict=True)))
            self._connected().insert("backfill_values", columns, column_names=_NAMES, column_oriented=True)

    def drop(self) -> None:
        """Take all of it away."""
        self._connected().command(f"ALTER TABLE {self._stored} DROP PARTITION {self._run.id}")

    # -- how it differs

    def diff(self) -> Diff:
        """What would change, as far as it was computed."""
        of = f"FROM backfill_values FINAL WHERE run = {self._run.id}"
        delta = "toFloat64OrNull(after) - toFloat64OrNull(before)"
        (row,) = self._ask(
            f"SELECT countIf(NOT gone), uniqExactIf(user_id, NOT gone), countIf({_CHANGED}),"
            f" uniqExactIf(user_id, {_CHANGED}), countIf({_CHANGED} AND before = 'null' AND after != 'null'),"
            f" countIf({_CHANGED} AND before != 'null' AND after = 'null'),"
            f" avgIf({delta}, {_CHANGED}), minIf({delta}, {_CHANGED}),"
            f" quantileExactIf(0.5)({delta}, {_CHANGED}), maxIf({delta}, {_CHANGED}) {of}"
        )
        others = self._ask(f"SELECT arrayJoin(others) AS name, count() {of} AND {_CHANGED} GROUP BY name ORDER BY name")
        samples = self._ask(
            f"SELECT user_id, toString(date), before, after {of} AND {_CHANGED}"
            f" ORDER BY abs({delta}) DESC NULLS LAST, user_id, date LIMIT {SAMPLES}"
        )
        days, users, days_changed, users_changed, appeared, vanished = map(int, row[:6])
        mean, smallest, median, largest = map(_number, row[6:])
        return Diff(
            *(days, users, days_changed, users_changed, appeared, vanished),
            *(mean, smallest, median, largest),
            others={name: int(count) for name, count in others},
            samples=[Sample(*each) for each in samples],
        )

    def changed_after(self, after: str, size: int) -> dict[str, dict[str, tuple[str, str]]]:
        """The next users in byte order whose rows change: user → day → what it said and will say."""
        found = self._ask(
            "SELECT user_id, groupArray(toString(date)), groupArray(before), groupArray(after) FROM backfill_values"
            f" FINAL WHERE run = {self._run.id} AND user_id > {{after:String}} AND {_CHANGED}"
            f" GROUP BY user_id ORDER BY user_id LIMIT {size}",
            after=after,
        )
        return {
            user: {day: (was, will) for day, was, will in zip(days, befores, afters, strict=True)}
            for user, days, befores, afters in found
        }

    def said(self, users: Sequence[str]) -> dict[tuple[str, str], Any]:
        """What the rows say now of the metric, by user and day."""
        assert self._run.metric in COLUMN_OF
        found = self._ask(
            f"SELECT user_id, toString(date), {self._run.metric} FROM daily_current"
            f" WHERE user_id IN {{users:Array(String)}} AND {self._on_days('date')}",
            users=users,
        )
        return {(user, day): value for user, day, value in found}

    def known_days(self, users: Sequence[str]) -> Days:
        """The days that were computed of these users before."""
        found = self._ask(
            f"SELECT user_id, groupArray(toString(date)) FROM backfill_values FINAL WHERE run = {self._run.id}"
            " AND NOT gone AND user_id IN {users:Array(String)} GROUP BY user_id",
            users=users,
        )
        return {user: list(days) for user, days in found}

    # -- days

    def _days(self) -> tuple[str, str]:
        since, until = self._run.since, self._run.until
        return str(since or _MOST_FIRST), str(until or _MOST_LAST)

    def _on_days(self, column: str) -> str:
        first, last = self._days()
        return f"{column} BETWEEN '{first}' AND '{last}'"


def _number(value: float | None) -> float | None:
    return None if value is None or value != value else round(float(value), 6)


def _mark(name: str) -> str:
    return f"{{{name}:String}}"
