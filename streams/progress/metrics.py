"""What every field of progress means, beside what schemas/progress.py says of it: its unit, and when it is null.

docs/metrics.md is made from both. Everything comes from daily rows, so the days that a number rests on are explained by
`daybook explain USER DAY METRIC`.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from schemas.progress import ProgressRow, Record, Streak, Strength, Window


class Meaning(NamedTuple):
    """One field."""

    unit: str
    null: str


_NO_DAY = "no day is left"
_NO_LOAD = "no day of the last 35 has a training load"
MEANINGS: dict[type[msgspec.Struct], dict[str, Meaning]] = {
    ProgressRow: {
        "as_of": Meaning("day", _NO_DAY),
        "first_date": Meaning("day", _NO_DAY),
        "covered_days": Meaning("days", _NO_DAY),
        "acute_load": Meaning("min", _NO_LOAD),
        "chronic_load": Meaning("min", _NO_LOAD),
        "acute_chronic_ratio": Meaning("1", f"{_NO_LOAD}, nobody trained in the 28 days, or the first 34 days"),
        "windows": Meaning("metric → windows", "no metric on any of the last 28 days"),
        "strength": Meaning("exercise → strength", "no estimate on any of the last 35 days"),
        "streaks": Meaning("streak → days", "no day of any streak, ever"),
        "records": Meaning("record → best", "nothing ever counted for one"),
    },
    Window: {
        "sum_7d": Meaning("of the metric", "a level, or none of the 7 days has it"),
        "mean_7d": Meaning("of the metric", "none of the 7 days has it"),
        "days_7d": Meaning("days", "never"),
        "sum_28d": Meaning("of the metric", "a level"),
        "mean_28d": Meaning("of the metric", "never"),
        "days_28d": Meaning("days", "never"),
        "change_pct": Meaning("%", "either side has no day with it, or the mean before is 0"),
    },
    Strength: {
        "best_7d_kg": Meaning("kg", "no estimate in the 7 days"),
        "best_before_kg": Meaning("kg", "no estimate in the 28 days before"),
        "change_pct": Meaning("%", "either is null, or the second rounds to no gram"),
    },
    Streak: {
        "current": Meaning("days", "never"),
        "since": Meaning("day", "never"),
        "until": Meaning("day", "never"),
        "longest": Meaning("days", "never"),
        "longest_since": Meaning("day", "never"),
        "longest_until": Meaning("day", "never"),
    },
    Record: {
        "value": Meaning("as its name ends", "never"),
        "date": Meaning("day", "never"),
        "entity": Meaning("entity", "a whole day set it"),
        "previous_value": Meaning("as its name ends", "it is the first"),
        "previous_date": Meaning("day", "it is the first"),
        "previous_entity": Meaning("entity", "it is the first, or a whole day had set that"),
    },
}
"""Part of the row → field → what it is, in the order of the fields; the row's own user and version are left out."""
