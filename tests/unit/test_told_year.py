"""The told year agrees with a sheet: sums over lines, from the JSON alone, by who has not read the streams."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from fractions import Fraction
from functools import cache
from statistics import mean
from typing import Any

import pytest

from daybook import story
from schemas.codec import canonical, decode
from schemas.plausible import LIMITS

Line = dict[str, Any]
"""What one meal, workout, sleep or weighing brings to its day."""


@cache
def told() -> tuple[str, str, list[bytes]]:
    raw = story.events()
    year = story.lived(raw)
    return story.page(year), story.chart(year), raw


# -- the sheet


def amount(event: Any, path: str, value: float | None, scale: int) -> int | None:
    """In whole base units; what is missing or implausible is blank."""
    limit = LIMITS[event["type"]].get(path)
    return None if value is None or (limit is not None and value > limit) else round(value * scale)


@cache
def winners() -> list[Any]:
    """Of every meal, workout, sleep and weighing what was said last, unless that it is gone."""
    best: dict[tuple[str, str], tuple[tuple[int, bool, bytes], Any]] = {}
    for raw in told()[2]:
        event = json.loads(raw)
        gone = event["type"].endswith(".deleted")
        rank = event.get("revision", 1), gone, hashlib.sha256(canonical(decode(raw))).digest()
        key = event["type"].partition(".")[0], event.get("entity", event["id"])
        if key not in best or rank > best[key][0]:
            best[key] = rank, event
    return [event for (_, gone, _), event in best.values() if not gone]


@cache
def sheet() -> dict[str, list[Line]]:
    """Day → its lines. All times have the person's own offset, so the day is what is written."""
    days: dict[str, list[Line]] = defaultdict(list)
    for event in sorted(winners(), key=lambda event: event["time"]):
        data, line = event["data"], {"kind": event["type"], "data": event["data"]}
        match event["type"]:
            case "meal.logged":
                items = [amount(event, "items[].energy_kcal", i.get("energy_kcal"), 1000) for i in data["items"]]
                there = [cal for cal in items if cal is not None]
                line["cal"] = (sum(there) * round(data.get("portion", 1) * 1000) + 500) // 1000 if there else None
            case "sleep.recorded":
                line["asleep"] = amount(event, "asleep_s", data.get("asleep_s"), 1)
            case "body.measured":
                line["grams"] = amount(event, "weight_kg", data.get("weight_kg"), 1000)
            case "workout.completed":
                line["seconds"] = seconds = amount(event, "duration_s", data.get("duration_s"), 1)
                rpe = amount(event, "rpe", data.get("rpe"), 10)
                line["load"] = None if seconds is None or rpe is None else seconds * rpe
                line["sets"] = [
                    (s["exercise"], reps, amount(event, "sets[].load_kg", s.get("load_kg"), 1000))
                    for s in data.get("sets", [])
                    if (reps := amount(event, "sets[].reps", s.get("reps"), 1)) is not None
                ]
            case _:
                continue
        days[event["time"][:10]].append(line)
    assert {event["time"][-6:] for event in winners()} == {"-03:00"}
    return dict(sorted(days.items()))


def column(day: str, kind: str, name: str) -> list[int]:
    return [line[name] for line in sheet().get(day, []) if line["kind"] == kind and line[name] is not None]


def total(day: str, kind: str, name: str) -> int | None:
    return sum(found) if (found := column(day, kind, name)) else None


def done(day: str, kind: str) -> list[Line]:
    return [line for line in sheet().get(day, []) if line["kind"] == kind]


def volume(day: str) -> int | None:
    moved = [reps * load for w in done(day, "workout.completed") for _, reps, load in w["sets"] if load is not None]
    return sum(moved) if moved else None


def hit(day: str) -> bool | None:
    """Within 2 % of 1,850 kcal."""
    cal = total(day, "meal.logged", "cal")
    return None if cal is None else abs(cal - 1_850_000) <= 37_000


def lunch(day: str) -> float | None:
    """The plan: lunch on every day, from 2 March until 7 October."""
    if not "2025-03-02" <= day <= "2025-10-07":
        return None
    for meal in done(day, "meal.logged"):
        data = meal["data"]
        if (data.get("planned_item") or (data["meal_type"] if data.get("from_plan") else None)) == "lunch":
            return 100
    others = [meal for meal in done(day, "meal.logged") if meal["data"]["meal_type"] == "lunch"]
    return 50 if others else 0


def training(day: str) -> float | None:
    """The plan: day_a on Tuesdays, Thursdays, Fridays, Sundays."""
    if not "2025-03-02" <= day <= "2025-10-07" or date.fromisoformat(day).isoweekday() not in (2, 4, 5, 7):
        return None
    workouts = [w["data"] for w in done(day, "workout.completed")]
    scores = {
        said: [
            round(100 * w.get("completion_pct", 100)) for w in workouts if (w.get("planned_item") == "day_a") == said
        ]
        for said in (True, False)
    }
    if scores[True]:
        return max(scores[True]) / 100
    return max(scores[False]) // 2 / 100 if scores[False] else 0


# -- what the page must say


def average(values: Iterable[float | None], places: int) -> str:
    there = [value for value in values if value is not None]
    return f"{mean(there):.{places}f}" if there else "null"


def month(days: list[str]) -> Iterator[str]:
    weights = [column(day, "body.measured", "grams") for day in days]
    judged = [hit(day) for day in days]
    yield str(len(days))
    yield str(sum(len(done(day, "meal.logged")) for day in days))
    yield average([None if (c := total(d, "meal.logged", "cal")) is None else c / 1000 for d in days], 0)
    yield average([None if (s := total(d, "sleep.recorded", "asleep")) is None else s / 3600 for d in days], 2)
    yield average([found[-1] / 1000 for found in weights if found], 1)
    yield str(sum(len(done(day, "workout.completed")) for day in days))
    yield f"{sum(volume(day) or 0 for day in days) / 1e6:.1f}"
    yield f"{sum(map(bool, judged))} of {sum(one is not None for one in judged)}"
    yield average(map(lunch, days), 1)
    yield average(map(training, days), 1)


def test_every_month_of_the_table_is_what_the_sheet_says() -> None:
    months: dict[str, list[str]] = defaultdict(list)
    for day in sheet():
        months[day[:7]].append(day)
    expected = [f"| {name} | {' | '.join(month(days))} |" for name, days in months.items()]
    assert [line for line in told()[0].splitlines() if line.startswith("| 202")] == expected
    assert len(expected) == 12


def since(name: str, days: list[str]) -> str:
    """A streak as the page says it."""
    runs: list[list[date]] = []
    for day in map(date.fromisoformat, days):
        if runs and day - runs[-1][-1] == timedelta(days=1):
            runs[-1].append(day)
        else:
            runs.append([day])
    best = max(runs, key=len)
    last = date.fromisoformat(max(sheet()))
    now = len(runs[-1]) if last - runs[-1][-1] <= timedelta(days=1) else 0
    return f"* {name}: {now} days in a row now; the longest streak {len(best)}, from {best[0]} to {best[-1]}"


@pytest.mark.parametrize("name", ["meals", "workouts", "goal:goal_1"])
def test_every_streak_is_what_the_sheet_says(name: str) -> None:
    of = {
        "meals": lambda day: done(day, "meal.logged"),
        "workouts": lambda day: done(day, "workout.completed"),
        "goal:goal_1": hit,
    }
    assert since(name, [day for day in sheet() if of[name](day)]) in told()[0].splitlines()


def days_back(first: int, last: int) -> list[str]:
    today = date.fromisoformat(max(sheet()))
    return [str(today - timedelta(days=back)) for back in range(first, last + 1)]


def rounded(exact: Fraction) -> float:
    return float(round(exact, 3))


def test_windows_and_training_load_are_what_the_sheet_says() -> None:
    lines = told()[0].splitlines()
    for name, of, scale in (
        ("energy_kcal", lambda day: total(day, "meal.logged", "cal"), 1000),
        ("sleep_minutes", lambda day: total(day, "sleep.recorded", "asleep"), 60),
        ("volume_kg", volume, 1000),
    ):
        now, before = (
            [found for day in days_back(*those) if (found := of(day)) is not None] for those in ((0, 6), (7, 34))
        )
        average_now, average_before = Fraction(sum(now), len(now)), Fraction(sum(before), len(before))
        change = rounded(100 * (average_now - average_before) / average_before)
        said = f"* {name}: mean {rounded(average_now / scale):g} over {len(now)} days of the last 7, {change:+g} %"
        assert said in lines
    acute, chronic = (
        sum(total(day, "workout.completed", "load") or 0 for day in days_back(*those)) for those in ((0, 6), (7, 34))
    )
    ratio = rounded(Fraction(4 * acute, chronic))
    said = f"* training load: {rounded(Fraction(acute, 600)):g} in 7 days, {ratio:g} of a week of the 28 before"
    assert said in lines


def reached() -> Iterator[tuple[str, str, Fraction]]:
    """Record, day and value of everything that could have been one, day by day."""
    for day in sheet():
        for workout in done(day, "workout.completed"):
            if workout["seconds"] is not None:
                yield "workout_minutes", day, Fraction(workout["seconds"], 60)
            moved = [reps * load for _, reps, load in workout["sets"] if load is not None]
            yield "workout_volume_kg", day, Fraction(sum(moved), 1000)
            for exercise, reps, load in workout["sets"]:
                yield f"reps:{exercise}", day, Fraction(reps)
                if load:
                    yield f"heaviest_kg:{exercise}", day, Fraction(load, 1000)
                    grams = load if reps == 1 else (load * (30 + reps) + 15) // 30  # Epley, to the gram
                    yield f"estimated_1rm_kg:{exercise}", day, Fraction(grams, 1000)


def test_every_record_is_what_the_sheet_says() -> None:
    held: dict[str, list[tuple[Fraction, str]]] = defaultdict(list)
    for name, day, value in reached():
        if value > 0 and (not held[name] or value > held[name][-1][0]):
            if held[name] and held[name][-1][1] == day:
                held[name].pop()  # one of a day is enough
            held[name].append((value, day))
    expected = []
    for name, ladder in sorted(held.items()):
        if ladder:
            value, day = ladder[-1]
            before = f"{float(ladder[-2][0]):g} on {ladder[-2][1]}" if len(ladder) > 1 else ""
            expected.append(f"| {name} | {float(value):g} | {day} | {before} |")
    page = told()[0]
    table = page[page.index("| record |") : page.index("## What was said")].strip().splitlines()[2:]
    assert table == expected


def test_strength_is_what_the_sheet_says() -> None:
    best: dict[str, dict[bool, Fraction]] = defaultdict(dict)
    for name, day, value in reached():
        kind, _, exercise = name.partition(":")
        if kind == "estimated_1rm_kg" and day in days_back(0, 34):
            lately = day in days_back(0, 6)
            best[exercise][lately] = max(value, best[exercise].get(lately, value))
    expected = [
        f"* {exercise}: estimated {float(of[True]):g} kg in the last 7 days, {float(of[False]):g} kg in the 28 before,"
        f" {rounded(100 * (of[True] - of[False]) / of[False]):+g} %"
        for exercise, of in best.items()
        if len(of) == 2
    ]
    assert len(expected) == 3
    assert set(expected) <= set(told()[0].splitlines())


def test_page_and_chart_are_what_the_streams_make_of_the_year_now() -> None:
    page, chart, _ = told()
    assert story.PAGE.read_text(encoding="utf-8") == page, "run python -m daybook.story"
    assert story.CHART.read_text(encoding="utf-8") == chart, "run python -m daybook.story"
