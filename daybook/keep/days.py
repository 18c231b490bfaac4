"""Daily rows leave PostgreSQL and ClickHouse so long after their last change, some at a time.

due       rows whose newest version ClickHouse has had for longer than that, and rows that came back (a rebuild says all
          rows again) and say what they said when they were dropped: nothing changed on those days
register  `days_dropped` says which rows those are and what they said, before the first of them is deleted
drop      from PostgreSQL, then from ClickHouse, this version and lower ones: what a late event brings meanwhile stays
sweep     what PostgreSQL's sink wrote there once more from its topic, though the register has it, leaves again
promise   the winners stay in `entities`, so a late event brings the whole row back; verify and audit know by the
          register which rows may be absent. A pass that was cut short leaves rows that are still due
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

import psycopg

from daybook.keep import months, policy, raw
from daybook.keep.months import Leaving
from daybook.keep.said import said
from schemas.rows import DailyRow
from schemas.tables import DAILY_COLUMNS
from sinks.clickhouse.read import row

ROWS = 100_000
"""Rows that leave together: one archive, and one mutation a month."""
_NAMES = ", ".join(column.name for column in DAILY_COLUMNS)
_OLD = f"""
SELECT {_NAMES} FROM daily FINAL WHERE changed_at < {{kept:DateTime}}
ORDER BY toYYYYMM(date), user_id, date LIMIT {{rows:UInt32}}"""
_BACK = f"""
SELECT {_NAMES} FROM daily FINAL
WHERE date <= {{last:Date}} AND changed_at >= {{kept:DateTime}} AND (user_id, date) > ({{user:String}}, {{day:Date}})
AND (user_id, date) IN (SELECT user_id, date FROM days_dropped FINAL WHERE gone)
ORDER BY user_id, date LIMIT {{rows:UInt32}}"""
_DROPPED = """
SELECT user_id, date, version, said, archive FROM days_dropped FINAL
WHERE gone AND (archive != '' OR {any:Bool}) AND (user_id, date) IN (SELECT user_id, date FROM days_leaving)"""
_COLUMNS = ("user_id", "date", "version", "said", "gone", "archive", "at")
_DELETE = """(user_id, date, version) IN (
    SELECT daily.user_id, daily.date, daily.version FROM daily INNER JOIN days_leaving AS leaving
    ON daily.user_id = leaving.user_id AND daily.date = leaving.date
    WHERE toYYYYMM(daily.date) = {month} AND daily.version <= leaving.version)"""

Archive = Callable[[], str]
"""Puts the rows that `days_leaving` names into an archive and verifies it; returns its name."""


class Dropped(NamedTuple):
    """What the register says of one day."""

    version: int
    said: bytes
    archive: str = ""


def due_rows(client: Any, today: date, keep_days: int) -> int:
    """How many daily rows are due."""
    query = "SELECT count() FROM daily FINAL WHERE changed_at < {kept:DateTime}"
    ((count,),) = client.query(query, parameters={"kept": _kept(today, keep_days)}).result_rows
    return int(count)


def drop(
    client: Any,
    connection: psycopg.Connection[Any],
    today: date,
    keep_days: int,
    archive: Archive | None,
    stopped: Callable[[], bool] = bool,
    size: int = ROWS,
) -> Iterator[int]:
    """Drop what is due; yields the number of rows after each batch."""
    kept = _kept(today, keep_days)
    while not stopped():
        rows = _rows(client, _OLD, {"kept": kept, "rows": size})
        if not rows:
            break
        _let_go(client, connection, rows, archive)
        yield len(rows)
    user, day = "", date(1970, 1, 1)
    while not stopped():
        # The local day may be one ahead of the day of receipt.
        asked = {"kept": kept, "last": policy.month_after(kept.date()), "user": user, "day": day, "rows": size}
        back = _rows(client, _BACK, asked)
        if not back:
            break
        user, day = back[-1].user_id, date.fromisoformat(back[-1].date)
        _lay_out(client, [Leaving(r.user_id, _day(r), r.version) for r in back])
        known = _known(client)
        same = [r for r in back if (k := known.get((r.user_id, r.date))) is not None and k.said == said(r)]
        if same:
            _let_go(client, connection, same, archive)
            yield len(same)


def sweep(client: Any, connection: psycopg.Connection[Any], today: date, keep_days: int) -> int:
    """Delete from PostgreSQL what the register has, in months that are old enough; returns how many rows."""
    count = 0
    for first in months.months(connection):
        if policy.month_after(first) > policy.first_kept(today, keep_days):
            break
        for found in months.rows_of(connection, first, ROWS):
            _lay_out(client, found)
            known = _known(client)
            old = [r for r in found if (k := known.get((r.user_id, r.date.isoformat()))) and r.version <= k.version]
            count += months.drop_days(connection, old)
    return count


def _let_go(
    client: Any, connection: psycopg.Connection[Any], rows: Sequence[DailyRow], archive: Archive | None
) -> None:
    """Archive, register, delete: in this order. Rows that the register knows already were archived when they left."""
    words = {(r.user_id, r.date): said(r) for r in rows}
    leaving = [Leaving(r.user_id, _day(r), r.version) for r in rows]
    _lay_out(client, leaving)
    known = _known(client, archived=archive is not None)
    known = {key: each for key, each in known.items() if each.said == words[key]}
    fresh = [r for r, key in zip(leaving, words, strict=True) if key not in known]
    name = ""
    if archive is not None and fresh:
        _lay_out(client, fresh)
        name = archive()
        _lay_out(client, leaving)
    at, new = time.time_ns() // 1_000_000, Dropped(0, b"", name)
    marked = [
        (*r, digest, True, known.get(key, new).archive, at)
        for r, (key, digest) in zip(leaving, words.items(), strict=True)
    ]
    register(client, marked)
    months.drop_days(connection, leaving)
    for month in sorted({policy.month_of(r.date) for r in leaving}):
        raw.delete(client, "daily", max(month, policy.OWN_MONTHS[0]), _DELETE.format(month=f"{month:%Y%m}"))
    client.command("TRUNCATE TABLE days_leaving")


def register(client: Any, rows: Sequence[Sequence[Any]]) -> None:
    """Write into the register: user_id, date, version, said, gone, archive, at."""
    if rows:
        client.insert("days_dropped", rows, column_names=_COLUMNS)


def dropped(found: Iterable[Sequence[Any]]) -> dict[tuple[str, str], Dropped]:
    """Rows of the register (user_id, date, version, said, archive if asked for) by their days."""
    return {
        (user, day.isoformat()): Dropped(version, bytes(words), *more) for user, day, version, words, *more in found
    }


def may_be_absent(
    register: dict[tuple[str, str], Dropped], expected: dict[tuple[str, str], DailyRow]
) -> set[tuple[str, str]]:
    """The days whose rows were dropped and would still say the same: no store must have them. Pure."""
    return {day for day, each in register.items() if each.said == said(expected.get(day))}


def _lay_out(client: Any, rows: Sequence[Leaving]) -> None:
    client.command("TRUNCATE TABLE days_leaving")
    client.insert("days_leaving", rows, column_names=Leaving._fields)


def _known(client: Any, archived: bool = False) -> dict[tuple[str, str], Dropped]:
    parameters = {"any": not archived}
    return dropped(client.query(_DROPPED, parameters=parameters, column_formats={"said": "bytes"}).result_rows)


def _rows(client: Any, query: str, parameters: dict[str, Any]) -> list[DailyRow]:
    return [row(values) for values in client.query(query, parameters=parameters).result_rows]


def _day(row: DailyRow) -> date:
    return date.fromisoformat(row.date)


def _kept(today: date, keep_days: int) -> datetime:
    return datetime.combine(policy.first_kept(today, keep_days), datetime.min.time(), UTC)
