"""docs/metrics.md, made from what computes it: `python -m daybook.metrics_page` writes it anew.

The examples are what the fold makes of the example events (schemas/examples/events.jsonl, without the deletes), on the
day that they are about.
"""

from __future__ import annotations

import json
from collections import defaultdict
from importlib.resources import files
from inspect import cleandoc
from pathlib import Path
from typing import Any

import msgspec

from schemas.families import FAMILY_OF
from schemas.positions import version_of
from schemas.progress import DAY_RECORDS, ProgressRow, Record, Streak, Strength, Window, decode_progress
from schemas.progress import METRICS as METRICS_OF_PROGRESS
from schemas.rows import DailyRow, daily_key, decode_daily, encode_row
from schemas.tables import DAILY_COLUMNS
from schemas.topics import GENERATION
from streams.daily import adherence, days, goals, overlap, valid
from streams.daily.core import Ledger
from streams.daily.definitions import PARAMETERS
from streams.daily.metrics import METRICS
from streams.progress.core import Progress
from streams.progress.metrics import MEANINGS
from streams.state import Records

PAGE = Path(__file__).parents[1] / "docs" / "metrics.md"
DAY = "2026-03-01"
_HEAD = f"""\
# Metrics

Made by `python -m daybook.metrics_page` from the code that computes them: do not edit.

## Daily

One row per user and local day with at least one live entity: `user_metrics_daily` in PostgreSQL, `daily_current` in
ClickHouse, `daybook:day:USER:DATE` in Redis. Missing is null, never zero. A day without data has no row, so it is null
everywhere, whatever was planned for it; means and adherence are over days that have one.

The examples are the day {DAY} of `schemas/examples/events.jsonl`, deletes left out.
`daybook explain USER DAY METRIC` shows what a number is made of.

| metric | unit | what it is | null when | from | example |
| --- | --- | --- | --- | --- | --- |
"""
_PARTS = (
    ("Local days", days),
    ("What was valid", valid),
    ("Goals", goals),
    ("Plan adherence", adherence),
    ("Several sources", overlap),
)
"""Titles, and the modules whose first words say the rules."""
_SHOWN = 60
_PROGRESS = """
## Progress

One row per user as of a day, made from the daily rows alone: `user_progress`, `user_streaks`, `user_records` in
PostgreSQL, `progress_current` in ClickHouse, `daybook:progress:USER` in Redis. Sums, means, changes and ratios are
rounded once, to a thousandth. The examples are what the example day alone comes to.

Rolled, with sums and means: {names}. With means only: {levels}. Records of whole days: {records}; of single workouts:
what `bests` names.
"""
_DEFINITIONS = """
## Definitions

What can be defined otherwise, for chosen days and for those gone by too, with `daybook backfill`
([how](how-to/backfill.md)). Version 1 is the code's; a version that is put in force later has the next number.

| metric | parameter | version 1 | may be | what it says |
| --- | --- | --- | --- | --- |
"""
_TABLE_HEAD = """
### {title}

| field | unit | what it is | null when | example |
| --- | --- | --- | --- | --- |
"""
_TITLES = {
    ProgressRow: "The row",
    Window: "windows: of each metric",
    Strength: "strength: of each exercise",
    Streak: "streaks: meals, workouts, goal:ENTITY",
    Record: "records: of each name",
}


def page() -> str:
    """The whole page."""
    row = example()
    lines = []
    for column in DAILY_COLUMNS[3:]:
        metric = METRICS[column.name]
        value = _example(getattr(row, column.field))
        types = ", ".join(metric.types) if len(metric.types) < 6 else "everything on the day"
        lines.append(f"| {column.name} | {metric.unit} | {column.what} | {metric.null} | {types} | {value} |\n")
    text = _HEAD + "".join(lines)
    text += _DEFINITIONS + "".join(
        [f"| {p.metric} | {p.name} | {p.standard} | {p.range} | {p.what} |\n" for p in PARAMETERS]
    )
    text += _progress(row)
    for title, module in _PARTS:
        text += f"\n## {title}\n\n```text\n{cleandoc(module.__doc__ or '')}\n```\n"
    return text


def _progress(day: DailyRow) -> str:
    """The tables of progress, with what the example day alone comes to."""
    names = [metric.name for metric in METRICS_OF_PROGRESS if not metric.is_level]
    levels = [metric.name for metric in METRICS_OF_PROGRESS if metric.is_level]
    text = _PROGRESS.format(names=", ".join(names), levels=", ".join(levels), records=", ".join(DAY_RECORDS))
    state, key, value = Progress(), daily_key(day), encode_row(day)
    state.fold(Records("daily", 0, range(1), [0], [key], [value]))
    row = decode_progress(state.drain(0).rows["progress"][0][1] or b"")
    parts: dict[Any, Any] = {
        ProgressRow: row,
        **{type(one): one for found in (row.windows, row.strength, row.streaks, row.records) for one in _first(found)},
    }
    for part, meanings in MEANINGS.items():
        text += _TABLE_HEAD.format(title=_TITLES[part])
        types = {field.name: field.type for field in _struct(part).fields}
        for name, meaning in meanings.items():
            what = _said_of(types[name])
            text += f"| {name} | {meaning.unit} | {what} | {meaning.null} | {_example(getattr(parts[part], name))} |\n"
    return text


def _first(found: dict[str, Any] | None) -> list[Any]:
    return list((found or {}).values())[:1]


def _struct(part: type[msgspec.Struct]) -> msgspec.inspect.StructType:
    found = msgspec.inspect.type_info(part)
    assert isinstance(found, msgspec.inspect.StructType)
    return found


def _said_of(declared: msgspec.inspect.Type) -> str:
    """The description that stands beside the field."""
    assert isinstance(declared, msgspec.inspect.Metadata)
    return str((declared.extra_json_schema or {})["description"]).replace("|", "\\|")


def example() -> DailyRow:
    """The example day, folded."""
    by_topic: dict[str, list[bytes]] = defaultdict(list)
    for line in files("schemas").joinpath("examples/events.jsonl").read_bytes().splitlines():
        said = json.loads(line)
        if (family := FAMILY_OF[said["type"]]) != "views" and not said["type"].endswith(".deleted"):
            by_topic[family].append(line)
    ledger = Ledger()
    for topic, lines in by_topic.items():
        n = len(lines)
        ledger.fold(Records(topic, 0, range(n), [2**42] * n, [b"u_1001"] * n, lines))
    rows = [decode_daily(value or b"") for _, value in ledger.drain(version_of(GENERATION, 1)).rows["daily"]]
    return next(row for row in rows if row.date == DAY)


def _example(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, dict):  # one entry says enough
        name, one = next(iter(value.items()))
        value = {name: one}
    text = msgspec.json.encode(value).decode()
    return f"`{text if len(text) < _SHOWN else text[:_SHOWN] + ' ...'}`".replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
