"""From the archive back into the stores: what left is there again, and stays for a while.

events etc.   into their table of ClickHouse, held there until a day, whatever their age
daily rows    into ClickHouse and PostgreSQL, and out of the register, so that they must be there again. They count as
              changed today. What changed since they left has a higher version, which stays
Calling it again changes nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from daybook.errors import Problem
from daybook.keep import archiving, days, once
from daybook.keep.archive import Archive
from daybook.keep.said import said
from daybook.settings import Settings
from schemas.rows import DailyRow
from schemas.tables import DAILY_COLUMNS
from sinks.batch import Batch
from sinks.clickhouse.read import row
from sinks.postgres.sink import PostgresSink

_NAMES = ", ".join(column.name for column in DAILY_COLUMNS)
_LAST_LEFT = "(user_id, date) IN (SELECT user_id, date FROM days_dropped FINAL WHERE gone AND archive = {name:String})"
"""A day may have left more than once; the last time is the one that holds."""
_PAGE = f"""
SELECT {_NAMES} FROM {archiving.CHECK} WHERE (user_id, date) > ({{user:String}}, {{day:Date}}) AND {_LAST_LEFT}
ORDER BY user_id, date LIMIT 10000"""


def restore(settings: Settings, name: str, for_days: int, today: date | None = None) -> int:
    """Do it; returns the number of rows. Raises Problem where there is no such archive, or it is damaged."""
    if settings.archive is None:
        raise Problem("no archive is set: DAYBOOK_ARCHIVE names its folder")
    archive, today = Archive(settings.archive), today or once.today_utc()
    manifest = archive.find(name)
    with once.opened(settings) as (client, connection), once.alone(connection):
        archiving.load(client, archive, manifest)
        try:
            if manifest.dataset == "daily":
                return asyncio.run(_days(settings, client, name))
            columns = ["dataset", "day", "until"]
            held = [manifest.dataset, date.fromisoformat(manifest.day), today + timedelta(days=for_days)]
            client.insert("archive_restored", [held], column_names=columns)
            client.command(f"INSERT INTO {manifest.table} SELECT * FROM {archiving.CHECK}", settings=archiving.INSERT)
            return manifest.rows
        finally:
            archiving.forget(client)


async def _days(settings: Settings, client: Any, name: str) -> int:
    query = f"INSERT INTO daily SELECT * FROM {archiving.CHECK} WHERE {_LAST_LEFT}"
    client.command(query, parameters={"name": name}, settings=archiving.INSERT)
    sink, count = PostgresSink(settings.address("postgres")), 0
    done: list[tuple[Any, ...]] = []
    try:
        for rows in _pages(client, name):
            await sink.write(Batch(daily=rows))
            at = time.time_ns() // 1_000_000
            done += [(r.user_id, date.fromisoformat(r.date), r.version, said(r), False, name, at) for r in rows]
            count += len(rows)
    finally:
        await sink.close()
    days.register(client, done)  # last: until then they are still due
    return count


def _pages(client: Any, name: str) -> Iterator[list[DailyRow]]:
    user, day = "", date(1970, 1, 1)
    while True:
        found = client.query(_PAGE, parameters={"user": user, "day": day, "name": name}).result_rows
        if not found:
            return
        rows = [row(values) for values in found]
        yield rows
        user, day = rows[-1].user_id, date.fromisoformat(rows[-1].date)
