"""Every user's progress again, from the recomputed days: by the plain pass of producers/progress.py.

It shares nothing with the stream, so that two independent readings are compared with what the stores hold.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec

from daybook.recompute import METRICS, DayKey
from producers.progress import progress_rows
from schemas.progress import ProgressRow
from schemas.rows import DailyRow

Said = dict[str, Any]
"""What a progress row says: column → value, and column.name → part of a map; nulls left out."""


def expected(days: Mapping[DayKey, DailyRow]) -> dict[str, Said]:
    """User → what the progress row must say."""
    plain = {key: {c.name: getattr(row, c.field) for c in METRICS} for key, row in days.items()}
    return {user: _flat(row) for user, row in progress_rows(plain).items()}


def said(row: ProgressRow) -> Said:
    """What a stored row says, but for user and version."""
    found: dict[str, Any] = msgspec.to_builtins(row)
    return _flat({name: value for name, value in found.items() if name not in ("user_id", "version")})


def _flat(row: Mapping[str, Any]) -> Said:
    found: Said = {}
    for name, value in row.items():
        found |= {f"{name}.{part}": v for part, v in value.items()} if isinstance(value, dict) else {name: value}
    return found


def lines(
    user: str, want: Said | None, held: Mapping[str, ProgressRow | None], expired: Collection[str]
) -> Iterator[str]:
    """One line per difference. `held`: store → its row; `expired`: stores from which a missing row may be gone."""
    stored = {store: {} if row is None else said(row) for store, row in held.items()}
    told = {store for store, row in held.items() if row is not None or store not in expired}
    for name in sorted({*(want or {}), *(name for row in stored.values() for name in row)}):
        right = (want or {}).get(name)
        if wrong := [store for store in stored if store in told and stored[store].get(name) != right]:
            values = ", ".join(f"{store} {stored[store].get(name)!r}" for store in wrong)
            yield f"{user} progress {name}: events {right!r}, {values}"
