"""What daily rows must come to as progress: one slow, plain pass that shares nothing with streams/.

Written from the descriptions in schemas/progress.py alone; `daybook verify` compares the live stores with it. Values
are whole base units, what is made of them are fractions that are rounded once, and nothing is remembered from day to
day.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from fractions import Fraction
from typing import Any

from producers.truth import DayKey, Row
from schemas.instants import day_number, day_text, parse_day
from schemas.progress import BASE_MAX, DAY_RECORDS, ESTIMATE, LOAD, METRICS, STREAKS

Days = Mapping[int, Row]
"""Local day in days since 1970-01-01 → its daily row."""


def progress_rows(rows: Mapping[DayKey, Row], as_of: Mapping[str, str] | None = None) -> dict[str, Row]:
    """User → the progress row without user and version, nulls left out. `as_of`: user → day, by default the latest."""
    by_user: dict[str, dict[int, Row]] = defaultdict(dict)
    for (user, day), row in rows.items():
        if row["entities"] is not None:
            by_user[user][day_number(parse_day(day))] = row
    given = {user: day_number(parse_day(day)) for user, day in (as_of or {}).items()}
    return {user: _progress(days, given.get(user, max(days))) for user, days in by_user.items()}


def _progress(days: Days, today: int) -> Row:
    whole = {
        "as_of": day_text(today),
        "first_date": day_text(min(days)),
        "covered_days": len(days),
        **_load(days, today),
        "windows": {m.name: window for m in METRICS if (window := _window(days, today, m.name, m.scale, m.is_level))},
        "strength": _strength(days, today),
        "streaks": _streaks(days, today),
        "records": _records(days),
    }
    return {name: value for name, value in whole.items() if value not in (None, {})}


def _base(row: Row, metric: str, scale: int) -> int | None:
    """A day's value in base units; None where it is missing or implausible."""
    value = row.get(metric)
    base = None if value is None else round(value * scale)
    return None if base is None or base > BASE_MAX else base


def _rounded(exact: Fraction) -> float:
    """To a thousandth, half to even."""
    return float(round(exact, 3))


def _values(days: Days, those: Iterable[int], metric: str, scale: int) -> list[int]:
    found = [_base(days[day], metric, scale) for day in those if day in days]
    return [value for value in found if value is not None]


def _last_7(today: int) -> range:
    return range(today - 6, today + 1)


def _last_28(today: int) -> range:
    return range(today - 27, today + 1)


def _the_28_before(today: int) -> range:
    return range(today - 34, today - 6)


def _window(days: Days, today: int, metric: str, scale: int, is_level: bool) -> Row:
    short, long, before = (
        _values(days, those, metric, scale) for those in (_last_7(today), _last_28(today), _the_28_before(today))
    )
    if not long:
        return {}
    found: Row = {}
    for name, values in (("7d", short), ("28d", long)):
        if values:
            found[f"mean_{name}"] = _rounded(Fraction(sum(values), scale * len(values)))
            found[f"days_{name}"] = len(values)
            if not is_level:
                found[f"sum_{name}"] = _rounded(Fraction(sum(values), scale))
    if short and before and sum(before):
        was, now = Fraction(sum(before), len(before)), Fraction(sum(short), len(short))
        found["change_pct"] = _rounded((now - was) / was * 100)
    return found


def _load(days: Days, today: int) -> Row:
    """Rest days count as rest: the load of a week is a sum, whatever was recorded on the other days."""
    acute, chronic = (_values(days, those, LOAD, 600) for those in (_last_7(today), _the_28_before(today)))
    if not acute and not chronic:
        return {}
    ratio = None
    if sum(chronic) and min(days) <= today - 34:
        ratio = _rounded(Fraction(sum(acute)) / Fraction(sum(chronic), 4))
    return {
        "acute_load": _rounded(Fraction(sum(acute), 600)),
        "chronic_load": _rounded(Fraction(sum(chronic), 4 * 600)),
        "acute_chronic_ratio": ratio,
    }


def _strength(days: Days, today: int) -> Row:
    def best(those: Collection[int]) -> dict[str, float]:
        found: dict[str, float] = {}
        for day in those:
            for name, (value, _) in (days.get(day, {}).get("bests") or {}).items():
                if name.startswith(ESTIMATE):
                    exercise = name[len(ESTIMATE) :]
                    found[exercise] = max(value, found.get(exercise, value))
        return found

    now, before = best(_last_7(today)), best(_the_28_before(today))
    found: Row = {}
    for exercise in {*now, *before}:
        said = found[exercise] = {}
        if exercise in now:
            said["best_7d_kg"] = now[exercise]
        if exercise in before:
            said["best_before_kg"] = before[exercise]
        if len(said) == 2:
            grams, earlier = round(now[exercise] * 1000), round(before[exercise] * 1000)
            said["change_pct"] = _rounded(Fraction(100 * (grams - earlier), earlier))
    return found


def _streaks(days: Days, today: int) -> Row:
    active = {name: {day for day, row in days.items() if row.get(metric)} for name, metric in STREAKS.items()}
    for day, row in days.items():
        for goal, judged in (row.get("goals") or {}).items():
            if judged["hit"] if isinstance(judged, Mapping) else judged.hit:
                active.setdefault(f"goal:{goal}", set()).add(day)
    rests = _rests(days, today)
    return {name: streak for name, those in active.items() if (streak := _streak(sorted(those), rests, today))}


def _rests(days: Days, today: int) -> set[int]:
    """Days of planned rest: those that say so; without a row, those that the row before them would rest on."""
    found = {day for day, row in days.items() if row.get("rest_day")}
    for day in range(min(days), today):
        if day not in days:
            before = max(earlier for earlier in days if earlier < day)
            weekday = date.fromisoformat(day_text(day)).weekday()
            if _WEEKDAYS[weekday] in (days[before].get("rest_days") or ()):
                found.add(day)
    return found


_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _streak(active: Sequence[int], rests: set[int], today: int) -> Row:
    if not active:
        return {}
    runs: list[list[int]] = []
    for day in active:
        if runs and rests.issuperset(range(runs[-1][-1] + 1, day)):
            runs[-1].append(day)
        else:
            runs.append([day])
    latest, longest = runs[-1], max(runs, key=len)  # max: the first of equals
    stands = rests.issuperset(range(latest[-1] + 1, today))
    return {
        "current": len(latest) if stands else 0,
        "since": day_text(latest[0]),
        "until": day_text(latest[-1]),
        "longest": len(longest),
        "longest_since": day_text(longest[0]),
        "longest_until": day_text(longest[-1]),
    }


def _records(days: Days) -> Row:
    reached: dict[str, list[tuple[float, int, str | None]]] = defaultdict(list)
    for day in sorted(days):
        for metric in DAY_RECORDS:
            scale = next(m.scale for m in METRICS if m.name == metric)
            if base := _base(days[day], metric, scale):
                reached[metric].append((base / scale, day, None))
        for name, (value, entity) in (days[day].get("bests") or {}).items():
            reached[name].append((value, day, entity))
    return {name: _record(those) for name, those in reached.items()}


def _record(reached: Sequence[tuple[float, int, str | None]]) -> Row:
    """The first of the highest, and what stood until that day."""
    value, day, entity = max(reached, key=lambda one: one[0])
    before = [one for one in reached if one[1] < day]
    said: dict[str, Any] = {"value": value, "date": day_text(day), "entity": entity}
    if before:
        value, day, entity = max(before, key=lambda one: one[0])
        said |= {"previous_value": value, "previous_date": day_text(day), "previous_entity": entity}
    return {name: value for name, value in said.items() if value is not None}


__all__ = ["progress_rows"]
