"""docs/a-year.md and its chart: what one made-up person's year comes to. `python -m daybook.story` writes both anew.

The events come in the order in which they would have reached Kafka, late ones late, twice, edited and deleted; the same
folds as in the workers make rows of them, some events at a time. tests/unit/test_told_year.py does the sums again with
a sheet of its own.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from statistics import mean
from typing import NamedTuple

from producers import generate
from schemas.families import FAMILY_OF
from schemas.progress import Milestone, ProgressRow, decode_milestone, decode_progress
from schemas.rows import DailyRow, decode_daily
from schemas.topics import GENERATION
from streams.daily.core import Ledger
from streams.progress.core import Progress
from streams.state import Counts, Records

DOCS = Path(__file__).parents[1] / "docs"
PAGE, CHART = DOCS / "a-year.md", DOCS / "a-year.svg"
SEED, DAYS = 1595, 365
AT_ONCE = 10
"""Events in one flush: about a day's."""
_RECEIVED_MS = 1_900_000_000_000
_SHORT = ("heaviest_kg:", "estimated_1rm_kg:", "reps:")


class Year(NamedTuple):
    """What the streams made of it."""

    counts: Counts
    """What became of the events."""
    edited: int
    """Entities with more than one revision."""
    deleted: int
    days: dict[str, DailyRow]
    """The rows that stood in the end, by local day."""
    after: Counter[int]
    """Rows of days gone by: by how many days before the latest → how many."""
    progress: ProgressRow
    milestones: list[Milestone]


def events() -> list[bytes]:
    """The year, as it reached Kafka."""
    return list(generate.events(users=1, days=DAYS, seed=SEED))


def lived(raw: list[bytes]) -> Year:
    """Fold the events as the workers do."""
    ledger, progress, counts = Ledger(), Progress(), Counts()
    days: dict[str, DailyRow] = {}
    after: Counter[int] = Counter()
    milestones: list[Milestone] = []
    row = ProgressRow("", 0)
    for flush, at in enumerate(range(0, len(raw), AT_ONCE), GENERATION << 40):
        by_topic: dict[str, list[bytes]] = defaultdict(list)
        for value in raw[at : at + AT_ONCE]:
            by_topic[FAMILY_OF[json.loads(value)["type"]]].append(value)
        for topic, values in by_topic.items():
            n = len(values)
            keys = [json.loads(value)["subject"].encode() for value in values]
            counts = counts.plus(ledger.fold(Records(topic, 0, range(n), [_RECEIVED_MS] * n, keys, values)))
        rows = ledger.drain(flush).rows["daily"]
        said = {each.date: each for each in (decode_daily(value or b"") for _, value in rows)}
        days |= said
        latest = date.fromisoformat(max(days))
        after.update((latest - date.fromisoformat(day)).days for day in said)
        n = len(rows)
        progress.fold(Records("daily", 0, range(n), [0] * n, [key for key, _ in rows], [value for _, value in rows]))
        drained = progress.drain(flush).rows
        for _, said_last in drained["progress"]:
            row = decode_progress(said_last or b"")
        milestones += [decode_milestone(value or b"") for _, value in drained["milestones"]]
    there = {day: each for day, each in sorted(days.items()) if not each.is_null}
    seen = [json.loads(value) for value in raw]
    edited = {e.get("entity", e["id"]) for e in seen if e.get("revision", 1) > 1 and not e["type"].endswith(".deleted")}
    deleted = {e.get("entity", e["id"]) for e in seen if e["type"].endswith(".deleted")}
    return Year(counts, len(edited), len(deleted), there, after, row, milestones)


# -- the page


def page(year: Year) -> str:
    """The whole page."""
    counts, gone_by = year.counts, {back: n for back, n in year.after.items() if back > 0}
    total = sum(counts)
    return f"""\
# A year of one person

Made by `python -m daybook.story`: do not edit. The person is made up (`producers/generate.py`, seed {SEED}); the
numbers are what the streams make of the events, in the order in which they came. `tests/unit/test_told_year.py` does
the sums again, with a sheet of its own.

![Weight by day, and training minutes by week](a-year.svg)

In {DAYS} days {total:,} events came: {counts.applied:,} counted, {counts.duplicate} had come before,
{counts.superseded} were late for their own correction. {year.edited} things were edited, {year.deleted} deleted. Each
day with anything on it has one row, and by the end {len(year.days)} have one. Rows of days gone by were written
{sum(gone_by.values())} times, the oldest {max(gone_by)} days after the day: that is why a row replaces the one
before it and adds nothing to it.

## Month by month

Means are over the days that have the metric. A goal is hit or missed on the days that have it; adherence counts days
with a plan.

{_table(year.days)}

## What it came to

As of {year.progress.as_of}, the last day with anything on it.

{_list(_streaks(year.progress))}
{_list(_windows(year.progress))}

| record | value | set on | before |
| --- | --- | --- | --- |
{_records(year.progress)}

## What was said on the way

{_list(_milestones(year.milestones))}
"""


_COLUMNS: tuple[tuple[str, Callable[[list[DailyRow]], str]], ...] = (
    ("days", lambda rows: str(len(rows))),
    ("meals", lambda rows: _sum(row.meals_logged for row in rows)),
    ("kcal a day", lambda rows: _mean(row.energy_kcal for row in rows)),
    ("sleep h", lambda rows: _mean((None if row.sleep_minutes is None else row.sleep_minutes / 60 for row in rows), 2)),
    ("weight kg", lambda rows: _mean((row.weight_kg for row in rows), 1)),
    ("workouts", lambda rows: _sum(row.workouts_completed for row in rows)),
    ("volume t", lambda rows: f"{sum(row.volume_kg or 0 for row in rows) / 1000:.1f}"),
    ("goal hit", lambda rows: _hits(rows)),
    ("meal plan %", lambda rows: _mean((row.meal_plan_adherence_pct for row in rows), 1)),
    ("workout plan %", lambda rows: _mean((row.workout_plan_adherence_pct for row in rows), 1)),
)


def _table(days: Mapping[str, DailyRow]) -> str:
    months: dict[str, list[DailyRow]] = defaultdict(list)
    for day, row in days.items():
        months[day[:7]].append(row)
    head = f"| month | {' | '.join(name for name, _ in _COLUMNS)} |\n|{' --- |' * (len(_COLUMNS) + 1)}"
    lines = [f"| {month} | {' | '.join(of(rows) for _, of in _COLUMNS)} |" for month, rows in months.items()]
    return "\n".join([head, *lines])


def _sum(values: Iterable[int | None]) -> str:
    return str(sum(value or 0 for value in values))


def _mean(values: Iterable[float | None], places: int = 0) -> str:
    there = [value for value in values if value is not None]
    return f"{mean(there):.{places}f}" if there else "null"


def _hits(rows: Iterable[DailyRow]) -> str:
    judged = [goal.hit for row in rows for goal in (row.goals or {}).values() if goal.hit is not None]
    return f"{sum(judged)} of {len(judged)}"


def _streaks(row: ProgressRow) -> Iterator[str]:
    for name, streak in sorted((row.streaks or {}).items()):
        yield (
            f"{name}: {streak.current} days in a row now; the longest streak {streak.longest}, from"
            f" {streak.longest_since} to {streak.longest_until}"
        )


def _windows(row: ProgressRow) -> Iterator[str]:
    for name, window in (row.windows or {}).items():
        if name in ("energy_kcal", "volume_kg", "sleep_minutes") and window.change_pct is not None:
            yield f"{name}: mean {window.mean_7d:g} over {window.days_7d} days of the last 7, {window.change_pct:+g} %"
    if row.acute_chronic_ratio is not None:
        yield f"training load: {row.acute_load:g} in 7 days, {row.acute_chronic_ratio:g} of a week of the 28 before"
    for exercise, strength in (row.strength or {}).items():
        if strength.change_pct is not None:
            yield (
                f"{exercise}: estimated {strength.best_7d_kg:g} kg in the last 7 days,"
                f" {strength.best_before_kg:g} kg in the 28 before, {strength.change_pct:+g} %"
            )


def _records(row: ProgressRow) -> str:
    lines = []
    for name, record in sorted((row.records or {}).items()):
        before = "" if record.previous_value is None else f"{record.previous_value:g} on {record.previous_date}"
        lines.append(f"| {name} | {record.value:g} | {record.date} | {before} |")
    return "\n".join(lines)


def _milestones(milestones: Iterable[Milestone]) -> Iterator[str]:
    said: dict[str, list[Milestone]] = defaultdict(list)
    for each in milestones:
        said[each.type].append(each)
    for type_name, those in sorted(said.items()):
        last = those[-1]
        about = f"{last.value:g}" if last.value is not None else f"{last.length} days from {last.since}"
        yield f"{type_name}: {len(those)} times, last of {last.name} ({about}) on {last.date}"


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"* {line}" for line in lines)


# -- the chart

_WIDE, _HIGH, _LEFT, _TOP, _BOTTOM = 760, 260, 40, 20, 30


def chart(year: Year) -> str:
    """Dots: weight by day. Bars: minutes of training by week."""
    first = date.fromisoformat(min(year.days))
    number = {day: (date.fromisoformat(day) - first).days for day in year.days}
    weights = [(number[day], row.weight_kg) for day, row in year.days.items() if row.weight_kg is not None]
    weeks: Counter[int] = Counter()
    for day, row in year.days.items():
        weeks[number[day] // 7] += round(row.workout_minutes or 0)
    low, high = min(kg for _, kg in weights) // 1, max(kg for _, kg in weights) // 1 + 1
    right, ground = _WIDE - 10, _HIGH - _BOTTOM
    step, tallest = (right - _LEFT) / DAYS, max(weeks.values())

    def across(day: float) -> float:
        return round(_LEFT + day * step, 1)

    def up(kg: float) -> float:
        return round(ground - (kg - low) / (high - low) * (ground - _TOP), 1)

    bars = [
        f'<rect x="{across(7 * week)}" y="{round(ground - n / tallest * 90, 1)}" width="{round(7 * step - 1, 1)}"'
        f' height="{round(n / tallest * 90, 1)}"/>'
        for week, n in sorted(weeks.items())
    ]
    dots = [f'<circle cx="{across(day)}" cy="{up(kg)}" r="2"/>' for day, kg in weights]
    starts = {day[:7]: number[day] for day in sorted(number, reverse=True)}
    months = [f'<text x="{across(day)}" y="{_HIGH - 12}">{month[2:]}</text>' for month, day in sorted(starts.items())]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDE} {_HIGH}" font-family="sans-serif"'
            ' font-size="10">',
            f'<rect width="{_WIDE}" height="{_HIGH}" fill="white"/>',
            f'<g fill="#d5dde6">{"".join(bars)}</g>',
            f'<g fill="#1f5f99">{"".join(dots)}</g>',
            f'<g fill="#444444">{"".join(months)}<text x="4" y="{up(high) + 4}">{high:g} kg</text>'
            f'<text x="4" y="{up(low)}">{low:g} kg</text><text x="{right}" y="12" text-anchor="end">dots: weight by'
            f" day; bars: training by week, the tallest {tallest} min</text></g>",
            "</svg>",
            "",
        ]
    )


if __name__ == "__main__":
    year = lived(events())
    PAGE.write_text(page(year), encoding="utf-8")
    CHART.write_text(chart(year), encoding="utf-8")
