"""One pass: months are made ahead, what is due leaves, empty months are dropped. One at a time in an installation."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

import psycopg

from daybook.errors import Problem
from daybook.keep import archiving, days, months, policy, raw
from daybook.keep.archive import Archive
from daybook.settings import Settings
from schemas.metrics import Meters
from sinks.clickhouse import client as clickhouse

log = logging.getLogger(__name__)

_LOCK = 0x6B656570  # "keep"
_PATIENCE_S = 3_600
"""A mutation rewrites files of a month."""
_PATIENT_S = 10.0
_OLD_IN_POSTGRES = (("rejected", "received_at"), ("replayed", "replayed_at"))

KEEP_EVERY_S = 1_800.0
"""How often the role audit looks whether a new day has begun, or a pass that failed is to be tried again."""

DROPPED = (*raw.BY_NAME, "daily")
"""What leaves."""

Say = Callable[[str], None]


class Keeper:
    """What the role audit does: months ahead always, a pass a day where `keep` says so."""

    def __init__(self, settings: Settings, meters: Meters, stopped: Callable[[], bool]) -> None:
        self._settings, self._meters, self._stopped = settings, meters, stopped
        self._kept: date | None = None
        if settings.keep:
            meters.set("daybook_keep_passed_seconds", to=time.time())  # so that one that never ends is noticed

    def turn(self) -> None:
        """Once more. Raises what a store that is away does."""
        today = today_utc()
        if self._kept == today:
            return
        make_months(self._settings)
        if self._settings.keep:
            for done in keep(self._settings, today, log.info, self._stopped):
                if done.what in DROPPED:
                    self._meters.add("daybook_keep_dropped_total", done.what, by=done.rows)
            self._meters.set("daybook_keep_passed_seconds", to=time.time())
        self._kept = today


class Done(NamedTuple):
    """What one pass did to one thing."""

    what: str
    """raw, views, rejected, replayed, daily; months made, months dropped; swept: came back into PostgreSQL alone."""
    rows: int


def today_utc() -> date:
    """The day it is, where receipt is counted."""
    return datetime.now(UTC).date()


def make_months(settings: Settings) -> list[date]:
    """Make the months of daily rows that will be needed; returns those that were not there."""
    with months.connect(settings.address("postgres")) as connection:
        return months.make_ahead(connection, today_utc(), settings.keep_months_ahead)


def look(settings: Settings, today: date | None = None) -> list[Done]:
    """What a pass would do, without doing it."""
    today = today or today_utc()
    with opened(settings) as (client, connection):
        here = months.months(connection)
        yet = [each for each in policy.months_ahead(today, settings.keep_months_ahead) if each not in here]
        found: dict[str, int] = {dataset.name: 0 for dataset in raw.RAW}
        for each in raw.due(client, settings, today):
            found[each.dataset.name] += each.rows
        found["daily"] = days.due_rows(client, today, settings.keep_daily_days)
    return [Done("months to make", len(yet)), *(Done(what, rows) for what, rows in found.items())]


def keep(
    settings: Settings,
    today: date | None = None,
    say: Say = lambda line: None,
    stopped: Callable[[], bool] = bool,
) -> list[Done]:
    """Do it. Raises Problem if another pass is under way; what was not finished, the next one goes on with."""
    today = today or today_utc()
    done: dict[str, int] = {}
    with opened(settings) as (client, connection), alone(connection):
        done["months made"] = len(months.make_ahead(connection, today, settings.keep_months_ahead))
        dueness = raw.due(client, settings, today)
        raw.note(client, dueness)
        archive = None if settings.archive is None else Archive(settings.archive)
        if archive is not None:
            archive.clear()
        elif dueness:
            raw.drop(client, dueness)
        for each in dueness:
            if stopped():
                break
            if archive is not None:
                manifest = archiving.archive_day(client, archive, each)
                archiving.drop_day(client, each)
                say(f"{manifest.name}: {manifest.rows:,} rows archived, verified and dropped")
            done[each.dataset.name] = done.get(each.dataset.name, 0) + each.rows
        before = policy.first_kept(today, settings.keep_raw_days)
        for table, at in _OLD_IN_POSTGRES:
            months.drop_old(connection, table, at, before, stopped)
        put = None if archive is None else lambda: archiving.archive_days(client, archive, today).name
        for rows in days.drop(client, connection, today, settings.keep_daily_days, put, stopped):
            done["daily"] = done.get("daily", 0) + rows
            say(f"daily: {done['daily']:,} rows dropped")
        archiving.forget(client)
        done["swept"] = days.sweep(client, connection, today, settings.keep_daily_days)
        done["months dropped"] = len(months.drop_empty(connection, today, settings.keep_daily_days))
    return [Done(what, rows) for what, rows in done.items()]


@contextmanager
def opened(settings: Settings) -> Iterator[tuple[Any, psycopg.Connection[Any]]]:
    """Connections to ClickHouse and PostgreSQL. Raises Problem on a ClickHouse cluster."""
    if settings.clickhouse_cluster is not None:
        raise Problem("nothing is dropped, archived or restored on a ClickHouse cluster yet: unset DAYBOOK_KEEP")
    with (
        clickhouse.dial(settings.address("clickhouse"), send_receive_timeout=_PATIENCE_S) as client,
        months.connect(settings.address("postgres")) as connection,
    ):
        yield client, connection


@contextmanager
def alone(connection: psycopg.Connection[Any], patient_s: float = _PATIENT_S) -> Iterator[None]:
    """Inside, nobody else does a pass. Raises Problem if somebody does, and goes on with it."""
    deadline = time.monotonic() + patient_s
    while connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,)).fetchone() != (True,):
        if time.monotonic() > deadline:
            raise Problem("another pass is under way: what is kept and dropped is looked after by one at a time")
        time.sleep(0.2)
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))
