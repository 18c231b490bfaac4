"""What a daily row says, in sixteen bytes; version and key aside. Pure.

A dropped row leaves this behind. As long as the winners still say the same, its absence is right; once they say
something else, the row must be there again (DESIGN §8 rule 10: a row of nulls says nothing, like no row).
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import msgspec

from schemas.rows import DailyRow
from schemas.tables import DAILY_COLUMNS

BYTES = 16
_encode = msgspec.json.Encoder(order="sorted").encode
_METRICS = DAILY_COLUMNS[3:]


def said(row: DailyRow | None) -> bytes:
    """The same for rows that say the same, whichever store they were read from: 1 and 1.0 are one number.

    Columns that say nothing are left out, so that a column added later changes no older row.
    """
    values = {} if row is None else {c.name: v for c in _METRICS if (v := getattr(row, c.field)) is not None}
    return blake2b(_encode(_plain(msgspec.to_builtins(values))), digest_size=BYTES).digest()


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
