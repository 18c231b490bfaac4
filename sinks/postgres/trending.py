"""Trending lists and blocks as PostgreSQL takes them, and back. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from schemas.trending import Entry, TrendingList
from sinks.batch import BlockRow

_AT = "timestamptz 'epoch' + %s * interval '1 millisecond'"
UPSERT = f"""
INSERT INTO trending_lists AS kept (kind, region, time_window, version, at, entries)
VALUES (%s, %s, %s, %s, {_AT}, %s::jsonb)
ON CONFLICT (kind, region, time_window) DO UPDATE SET
    version = excluded.version, at = excluded.at, entries = excluded.entries
WHERE kept.version < excluded.version
"""
FILE_BLOCK = f"""
INSERT INTO trending_blocks ("partition", "offset", kind, id, blocked, by, reason, at)
VALUES (%s, %s, %s, %s, %s, %s, %s, {_AT})
ON CONFLICT DO NOTHING
"""
SELECT = "SELECT kind, region, time_window, version, at, entries FROM trending_lists"

_json = msgspec.json.Encoder().encode


def upserted(row: TrendingList) -> tuple[Any, ...]:
    """Parameters of UPSERT."""
    return row.kind, row.region, row.window, row.version, row.at_ms, _json(row.entries).decode()


def filed(row: BlockRow) -> tuple[Any, ...]:
    """Parameters of FILE_BLOCK."""
    said = row.block
    return row.partition, row.offset, said.kind, said.id, said.blocked, said.by, said.reason, said.at_ms


def row(values: tuple[str, str, str, int, datetime, list[Any]]) -> TrendingList:
    """A list from what SELECT gives."""
    kind, region, window, version, at, entries = values
    at_ms = round(at.timestamp() * 1000)
    return TrendingList(kind, region, window, version, at_ms, msgspec.convert(entries, list[Entry]))
