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
from schemas.rows import DailyRow, decode_daily
from schemas.tables import DAILY_COLUMNS
from streams.daily import adherence, days, goals, overlap, valid
from streams.daily.core import Ledger
from streams.daily.metrics import METRICS
from streams.state import Records

PAGE = Path(__file__).parents[1] / "docs" / "metrics.md"
DAY = "2026-03-01"
_HEAD = f"""\
# Daily metrics

Made by `python -m daybook.metrics_page` from the code that computes them: do not edit. One row per user and local day
with at least one live entity: `user_metrics_daily` in PostgreSQL, `daily_current` in ClickHouse,
`daybook:day:USER:DATE` in Redis. Missing is null, never zero. A day without data has no row, so it is null everywhere,
whatever was planned for it; means and adherence are over days that have one.

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
    for title, module in _PARTS:
        text += f"\n## {title}\n\n```text\n{cleandoc(module.__doc__ or '')}\n```\n"
    return text


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
    rows = [decode_daily(value or b"") for _, value in ledger.drain(0).rows["daily"]]
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
