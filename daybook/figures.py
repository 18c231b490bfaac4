"""What the stores say, asked while it runs: how many events became what, and what the days come to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from daybook.chart import Day
from daybook.settings import Settings
from schemas.topics import HINTS
from sinks.clickhouse import client as clickhouse
from sinks.postgres.connect import as_writer

if TYPE_CHECKING:
    import psycopg
    from clickhouse_connect.driver.client import Client


class Counters(NamedTuple):
    """What became of the events that were received, from the positions beside the state (ClickHouse)."""

    received: int = 0
    applied: int = 0
    duplicate: int = 0
    superseded: int = 0
    rejected: int = 0


class Totals(NamedTuple):
    """All of `user_metrics_daily` in PostgreSQL, summed."""

    people: int = 0
    days: int = 0
    steps: int = 0
    calories_kcal: float = 0.0
    sleep_minutes: float = 0.0


class Figures:
    """Two connections, to PostgreSQL and ClickHouse, for questions; use it with `with`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __enter__(self) -> Figures:
        import psycopg

        self._postgres: psycopg.Connection = psycopg.connect(
            as_writer(self._settings.address("postgres")), autocommit=True
        )
        self._clickhouse: Client = clickhouse.dial(self._settings.address("clickhouse"))
        return self

    def __exit__(self, *error: object) -> None:
        self._postgres.close()
        self._clickhouse.close()

    def counters(self) -> Counters:
        """Summed over all partitions of all source topics, as of what ClickHouse has stored."""
        newest = ", ".join(f"argMax({name}, (generation, flush)) AS {name}" for name in Counters._fields)
        sums = ", ".join(f"sum({name})" for name in Counters._fields)
        [row] = self._clickhouse.query(
            f"SELECT {sums} FROM (SELECT {newest} FROM positions WHERE topic != '{HINTS.name}'"
            " GROUP BY topic, partition)"
        ).result_rows
        return Counters(*map(int, row))

    def totals(self) -> Totals:
        row = self._postgres.execute(
            "SELECT count(DISTINCT user_id), count(*), coalesce(sum(steps), 0), coalesce(sum(calories_burned_kcal), 0),"
            " coalesce(sum(sleep_minutes), 0) FROM user_metrics_daily WHERE entities IS NOT NULL"
        ).fetchone()
        assert row is not None
        return Totals(int(row[0]), int(row[1]), int(row[2]), float(row[3]), float(row[4]))

    def days(self) -> list[Day]:
        """Every row of the daily table, in the order of people and days."""
        rows = self._postgres.execute(
            "SELECT user_id, date, steps, activity_calories_kcal, sleep_minutes FROM user_metrics_daily"
            " WHERE entities IS NOT NULL ORDER BY 1, 2"
        )
        return [Day(user, on, steps, _number(kcal), _number(sleep)) for user, on, steps, kcal, sleep in rows]


def _number(value: object) -> float | None:
    return None if value is None else float(str(value))


def by_person_and_day(days: list[Day]) -> Mapping[tuple[str, str], tuple[int | None, float | None]]:
    """Steps and kcal by (user, YYYY-MM-DD), as the comparison with Fitbit's own totals takes them."""
    return {(day.user, _iso(day.date)): (day.steps, day.calories_kcal) for day in days}


def _iso(day: date) -> str:
    return day.isoformat()
