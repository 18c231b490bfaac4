"""PostgreSQL's part: monthly partitions are made ahead, rows leave some at a time, empty months are dropped.

No lock is held for long. Rows are deleted by their keys in short transactions, and a month goes when nothing is left in
it: looked at again and dropped in one transaction, which gives up if it does not have its lock within a second. DETACH
CONCURRENTLY would drop a month with its rows, but leaves it neither readable nor writable for as long as any older
transaction lives, and a late event of that month would stop the sink (docs/adr).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import psycopg

from daybook.keep import policy
from sinks.postgres.connect import as_writer
from sinks.postgres.encode import array

log = logging.getLogger(__name__)
_T = TypeVar("_T")

ROWS = 5_000
"""Rows of one transaction."""
_PARTS = r"""
SELECT to_date(substring(relname from '\d{4}_\d\d$'), 'YYYY_MM')
FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
WHERE inhparent = 'user_metrics_daily'::regclass AND relname ~ '_\d{4}_\d\d$' ORDER BY 1
"""
_DELETE_DAYS = """
DELETE FROM user_metrics_daily AS kept
USING unnest(%s::text[], %s::date[], %s::bigint[]) AS leaving (user_id, date, version)
WHERE kept.user_id = leaving.user_id AND kept.date = leaving.date AND kept.version <= leaving.version
AND kept.date BETWEEN %s AND %s
"""
_DELETE_OLD = """
DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {table} WHERE {at} < %s LIMIT %s))
"""


class Leaving(NamedTuple):
    """A daily row that leaves: this version, and any lower one."""

    user_id: str
    date: date
    version: int


def connect(url: str) -> psycopg.Connection[Any]:
    """A connection as the writer, whose statements wait for no lock long."""
    connection = psycopg.connect(as_writer(url), autocommit=True, connect_timeout=5, application_name="daybook-keep")
    connection.execute("SET lock_timeout = '5s'; SET statement_timeout = '60s'")
    return connection


def months(connection: psycopg.Connection[Any]) -> list[date]:
    """The months that have a partition, by their first days."""
    return [first for (first,) in connection.execute(_PARTS).fetchall()]


def make_ahead(connection: psycopg.Connection[Any], today: date, ahead: int) -> list[date]:
    """Make the months that will be needed; returns those that were not there."""
    missing = sorted(set(policy.months_ahead(today, ahead)) - set(months(connection)))
    for first in missing:
        connection.execute("SELECT user_metrics_daily_make_month(%s::date)", (first,))
    return missing


def rows_of(connection: psycopg.Connection[Any], first: date, size: int) -> Iterator[list[Leaving]]:
    """The rows of a month, some at a time, in the order of their keys."""
    user, day = "", date.min
    while True:
        query = (
            f"SELECT user_id, date, version FROM {_part(first)} WHERE (user_id, date) > (%s, %s)"
            " ORDER BY user_id, date LIMIT %s"
        )
        found = [Leaving(*row) for row in connection.execute(query.encode(), (user, day, size)).fetchall()]
        if not found:
            return
        yield found
        user, day, _ = found[-1]


def drop_days(connection: psycopg.Connection[Any], leaving: Iterable[Leaving]) -> int:
    """Delete these rows, unless something newer took their place; returns how many there were."""
    count = 0
    for some in _batches(sorted(leaving, key=lambda row: row.date), ROWS):
        keys = (array(r.user_id for r in some), [r.date for r in some], [r.version for r in some])
        count += connection.execute(_DELETE_DAYS, (*keys, some[0].date, some[-1].date)).rowcount
    return count


def drop_old(
    connection: psycopg.Connection[Any], table: str, at: str, before: date, stopped: Callable[[], bool] = bool
) -> int:
    """Delete the rows of a table that came before a day (UTC), some at a time; returns how many there were."""
    count = 0
    statement = _DELETE_OLD.format(table=table, at=at).encode()
    while not stopped():
        found = connection.execute(statement, (f"{before} 00:00:00+00", ROWS)).rowcount
        count += found
        if found < ROWS:
            break
    return count


def drop_empty(connection: psycopg.Connection[Any], today: date, days: int) -> list[date]:
    """Drop the empty months that are old enough; returns them. What is in use is left for the next time."""
    found = [policy.Month(first, _is_empty(connection, first)) for first in months(connection)]
    dropped: list[date] = []
    try:
        for first in policy.months_to_drop(found, today, days):
            if _drop(connection, first):
                dropped.append(first)
    except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
        log.info("user_metrics_daily is in use: its empty months are dropped another time")
    return dropped


def _drop(connection: psycopg.Connection[Any], first: date) -> bool:
    with connection.transaction():
        connection.execute("SET LOCAL lock_timeout = '1s'")
        # The parent first, as who writes does: two that wait for each other would be worse than waiting.
        connection.execute("LOCK TABLE ONLY user_metrics_daily IN ACCESS EXCLUSIVE MODE")
        connection.execute(f"LOCK TABLE {_part(first)} IN ACCESS EXCLUSIVE MODE".encode())
        if not _is_empty(connection, first):
            return False
        connection.execute("SELECT user_metrics_daily_drop_month(%s::date)", (first,))  # the owner alone drops tables
        return True


def _is_empty(connection: psycopg.Connection[Any], first: date) -> bool:
    found = connection.execute(f"SELECT EXISTS (SELECT FROM {_part(first)})".encode()).fetchone()
    return found == (False,)


def _part(first: date) -> str:
    return f"user_metrics_daily_{first:%Y_%m}"


def _batches(items: Iterable[_T], size: int) -> Iterator[Sequence[_T]]:
    each = iter(items)
    while some := list(islice(each, size)):
        yield some
