"""Which hands the stream has: compiled ones (native.pyx, native_said.pyx), or Python where they were not built or
DAYBOOK_NATIVE=0.

Both say the same, to the byte (tests/unit/test_progress_native.py). The compiled reader takes rows as the daily stream
writes them; whatever else a record is, refusals above all, is asked of Python.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from schemas.instants import day_number
from schemas.progress import METRICS
from schemas.rows import DailyRow
from streams.compiled import compiled
from streams.progress import facts, saying, windows
from streams.progress.records import Records

Read = tuple[str, int, bytes, bytes | None]
"""User, day, key of the changelog, cell."""
Opened = tuple[int, facts.Candidates, bytes, int]
"""As facts.Opened."""


@lru_cache(maxsize=16_384)
def day_of(text: str) -> int:
    """The number of a day; memorised."""
    return day_number(date.fromisoformat(text))


def read(value: bytes, oldest: int) -> Read | None:
    """A daily row; None if its version is below `oldest`. Raises ValueError for what is none."""
    row = facts.decode_facts(value)
    day, cell = day_of(row.date), facts.cell_of(row)
    if row.version < oldest:
        return None
    return row.user_id, day, f"{row.user_id}|{row.date}".encode(), cell


def _is_plain(values: Sequence[bytes | None], oldest: int) -> list[Read | None]:
    return [None] * len(values)


read_many: Callable[[Sequence[bytes | None], int], list[Read | None]] = _is_plain
"""Rows at once; None for each that `read` must be asked of."""

record_said, streak_said = saying.record_said, saying.streak_said
strength_said, row_said = saying.strength_said, saying.row_said
native_said = compiled("streams.progress.native_said")
if native_said is not None:
    record_said, streak_said = native_said.record_said, native_said.streak_said
    strength_said, row_said = native_said.strength_said, native_said.row_said


def _look_closer(old: bytes | None, cell: bytes | None, day: int, records: Records) -> bool:
    return False


sums_only: Callable[[bytes | None, bytes | None, int, Records], bool] = _look_closer
"""Whether another cell of a day is known to change nothing but sums; False: it must be looked at."""

if TYPE_CHECKING:
    Windows = windows.Windows
    opened: Callable[[bytes | None], Opened]
else:
    Windows, opened = windows.Windows, facts.opened
    native = compiled("streams.progress.native")
    if native is not None:
        Windows, opened, sums_only = native.Windows, native.opened, native.sums_only
        read_many = native.DayReader(
            [field.encode_name for field in msgspec.structs.fields(DailyRow)],
            {metric.name: metric.scale for metric in METRICS},
        ).read
