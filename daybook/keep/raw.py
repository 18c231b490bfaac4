"""ClickHouse's events, and what was refused and replayed: they leave by the day (UTC) of their receipt."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from itertools import groupby
from typing import Any, NamedTuple

from daybook.keep import policy
from daybook.settings import Settings


class Dataset(NamedTuple):
    """Rows that are kept equally long."""

    name: str
    table: str
    at: str
    """Column of the receipt."""
    which: str
    """Condition for the rows of the table that belong to it."""
    keys: str
    """Columns that tell one row from all others."""
    setting: str
    """How long they are kept."""


_PLACE = "topic, partition, offset"
RAW = (
    Dataset("raw", "events", "received_at", "topic != 'views'", _PLACE, "keep_raw_days"),
    Dataset("views", "events", "received_at", "topic = 'views'", _PLACE, "keep_views_days"),
    Dataset("rejected", "rejected", "received_at", "1", _PLACE, "keep_raw_days"),
    Dataset("replayed", "replayed", "replayed_at", "1", f"{_PLACE}, to_partition, to_offset", "keep_raw_days"),
)
BY_NAME = {dataset.name: dataset for dataset in RAW}


class DueDay(NamedTuple):
    """What is due of one day of receipt."""

    dataset: Dataset
    day: date
    rows: int


def due(client: Any, settings: Settings, today: date) -> list[DueDay]:
    """All that is due, the oldest day of each first."""
    found = []
    for dataset in RAW:
        keep_days = getattr(settings, dataset.setting)
        query = (
            f"SELECT toDate({dataset.at}), count() FROM {dataset.table}"
            f" WHERE {dataset.which} AND toDate({dataset.at}) < {{kept:Date}} GROUP BY 1"
        )
        parameters = {"kept": policy.first_kept(today, keep_days)}
        rows = dict(client.query(query, parameters=parameters).result_rows)
        held = client.query(
            "SELECT day FROM archive_restored FINAL WHERE dataset = {name:String} AND until >= {today:Date}",
            parameters={"name": dataset.name, "today": today},
        ).result_rows
        days = policy.due(rows, today, keep_days, {day for (day,) in held})
        found += [DueDay(dataset, day, rows[day]) for day in days]
    return found


def condition(dataset: Dataset, day: date) -> str:
    """The rows of one day."""
    return f"{dataset.which} AND toDate({dataset.at}) = '{day}'"


def note(client: Any, dueness: Iterable[DueDay]) -> None:
    """Write down what is about to be dropped."""
    rows = [[each.dataset.name, each.day, each.rows] for each in dueness]
    if rows:
        client.insert("events_dropped", rows, column_names=["dataset", "day", "rows"])


def was_dropped(client: Any, dataset: str) -> bool:
    """Whether anything of it ever was."""
    query = "SELECT count() FROM events_dropped WHERE dataset = {dataset:String}"
    return bool(client.query(query, parameters={"dataset": dataset}).result_rows[0][0])


def drop(client: Any, dueness: Iterable[DueDay]) -> None:
    """Drop them, unseen: for an installation without an archive. One mutation a month, waited for."""
    each = sorted(dueness, key=lambda d: (d.dataset.name, d.day))
    for (dataset, month), days in groupby(each, key=lambda d: (d.dataset, policy.month_of(d.day))):
        listed = ", ".join(f"'{d.day}'" for d in days)
        delete(client, dataset.table, month, f"{dataset.which} AND toDate({dataset.at}) IN ({listed})")


def delete(client: Any, table: str, month: date, where: str) -> None:
    """Delete rows of one monthly partition, and wait until they are out of every file."""
    # Replicated tables ask for the second one, because each replica runs the subquery itself; never tried there.
    settings = {"mutations_sync": 2, "allow_nondeterministic_mutations": 1}
    client.command(f"ALTER TABLE {table} DELETE IN PARTITION ID '{month:%Y%m}' WHERE {where}", settings=settings)
