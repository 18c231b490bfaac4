"""What a progress row says, as JSON, piece by piece: a record, a streak, all strength, the row around them.

Pieces are kept by who needs them (user.py) until what they say changes. native_said.pyx says the same, compiled;
tests/unit/test_progress_native.py holds both to the same bytes.
"""

from __future__ import annotations

from msgspec import Raw

from schemas.instants import day_text
from schemas.progress import ProgressRow, Record, Streak
from schemas.rows import encode_row
from streams.progress.milestones import Shown
from streams.progress.records import Held
from streams.progress.streaks import Run
from streams.progress.windows import Load, strength


def record_said(name: str, held: Held) -> bytes:
    """One record, with its name before it."""
    value, day, entity, previous = held
    if previous is None:
        record = Record(value, day_text(day), entity)
    else:
        record = Record(value, day_text(day), entity, previous[0], day_text(previous[1]), previous[2])
    return encode_row(name) + b":" + encode_row(record)


def streak_said(name: str, shown: Shown, best: Run) -> bytes:
    """One streak, with its name before it; `best`: its longest run, in days since 1970-01-01."""
    since, until, length, stands = shown
    streak = Streak(
        *(length if stands else 0, day_text(since), day_text(until)),
        *(best.length, day_text(best.since), day_text(best.until)),
    )
    return encode_row(name) + b":" + encode_row(streak)


def strength_said(lifts: dict[int, dict[str, float]], as_of: int) -> bytes | None:
    """Strength as of a day; None where there is nothing to say."""
    found = strength(lifts, as_of)
    return None if found is None else encode_row(found)


def row_said(
    user_id: str,
    version: int,
    days: tuple[int, int, int],
    load: Load,
    parts: tuple[bytes | None, bytes | None, bytes | None, bytes | None],
) -> bytes:
    """A row. `days`: as of, first, how many; `parts`: windows, strength, streaks, records."""
    as_of, first, covered = days
    windows, strong, streaks, records = [None if part is None else Raw(part) for part in parts]
    return encode_row(
        ProgressRow(
            *(user_id, version, day_text(as_of), day_text(first), covered, *load),
            *(windows, strong, streaks, records),  # type: ignore[arg-type]
        )
    )
