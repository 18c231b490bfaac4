"""Trending lists as columns of ClickHouse. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from schemas.trending import MINUTE_MS, Entry, TrendingList

Columns = dict[str, Sequence[Any]]


def columns(rows: Sequence[TrendingList]) -> Columns:
    """One row per list."""
    found: Columns = {
        "kind": [row.kind for row in rows],
        "region": [row.region for row in rows],
        "time_window": [row.window for row in rows],
        "minute": [row.at_ms // MINUTE_MS * 60 for row in rows],
        "at": [row.at_ms for row in rows],
        "version": [row.version for row in rows],
    }
    for name in Entry.__struct_fields__:
        found[name] = [[getattr(entry, name) for entry in row.entries] for row in rows]
    return found
