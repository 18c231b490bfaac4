"""Rows as columns of ClickHouse's other tables. Pure; events have a module of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import astuple

from schemas.ledger import Winner
from schemas.positions import version_of
from schemas.rows import DailyRow, RejectedRow, ReplayedRow
from schemas.tables import DAILY_COLUMNS
from sinks.batch import EntityRow, PositionRow
from sinks.days import day_of

Columns = dict[str, Sequence[Any]]
_json = msgspec.json.Encoder(order="deterministic").encode
_COLLECTIONS: dict[int, Any] = {
    i: {} if c.is_map else [] for i, c in enumerate(DAILY_COLUMNS) if c.is_map or c.type == list[str]
}
"""Maps and lists are never null in ClickHouse: empty stands for it."""
_STRUCTS = tuple(i for i, c in enumerate(DAILY_COLUMNS) if c.is_map_of(msgspec.Struct))


def daily(rows: Sequence[DailyRow]) -> Columns:
    """Raises Refused as `day_of` says."""
    columns: list[Sequence[Any]] = list(zip(*map(astuple, rows), strict=True)) or [[] for _ in DAILY_COLUMNS]
    columns[1] = list(map(day_of, rows))
    for i, empty in _COLLECTIONS.items():
        columns[i] = [empty if value is None else value for value in columns[i]]
    for i in _STRUCTS:
        columns[i] = [{k: astuple(v) for k, v in value.items()} if value else value for value in columns[i]]
    return {c.name: values for c, values in zip(DAILY_COLUMNS, columns, strict=True)}


def entities(rows: Sequence[EntityRow]) -> Columns:
    winners = [row.winner for row in rows]
    return {
        "subject": [row.subject for row in rows],
        "family": [row.family for row in rows],
        "entity": [row.entity for row in rows],
        "register": [row.register or "" for row in rows],
        "type": [w.kind.type for w in winners],
        "revision": [w.revision for w in winners],
        "deleted": [w.deleted for w in winners],
        "digest": [w.digest for w in winners],
        "time": [w.ms for w in winners],
        "utc_offset_min": [w.offset_min for w in winners],
        "timezone": [w.timezone for w in winners],
        "source": [w.source for w in winners],
        "contribution": list(map(contribution, winners)),
        "ver": list(map(ver, winners)),
    }


def ver(winner: Winner) -> int:
    """Rule 1's order as one number: revision, then is-delete, then the digest."""
    return winner.revision << 136 | winner.deleted << 128 | int.from_bytes(winner.digest, "big")


def contribution(winner: Winner) -> str:
    """JSON of what the winner adds to its day: values in base units by the names of `schemas.ledger`, and the tail."""
    values = {name: v for name, v in zip(winner.kind.values, winner.values, strict=True) if v is not None}
    return _json(values if winner.tail is None else values | {"tail": winner.tail}).decode()


def positions(rows: Sequence[PositionRow]) -> Columns:
    counted = ("generation", "flush", "topic_id", "next_offset")
    counted += ("received", "applied", "duplicate", "superseded", "rejected", "pending")  # type: ignore[assignment]
    found: Columns = {name: [getattr(row.position, name) for row in rows] for name in counted}
    return found | {
        "topic": [row.topic for row in rows],
        "partition": [row.partition for row in rows],
        "version": [version_of(row.position.generation, row.position.flush) for row in rows],
    }


def rejected(rows: Sequence[RejectedRow]) -> Columns:
    return {
        "topic": [row.topic for row in rows],
        "partition": [row.partition for row in rows],
        "offset": [row.offset for row in rows],
        "received_at": [row.received_ms for row in rows],
        "reason": [row.reason for row in rows],
        "path": [row.path for row in rows],
        "raw": [row.raw for row in rows],
        "key": [row.key for row in rows],
        "original_at": [row.original_ms for row in rows],
    }


def replayed(rows: Sequence[ReplayedRow]) -> Columns:
    names = ("topic", "partition", "offset", "to_partition", "to_offset")
    found: Columns = {name: [getattr(row, name) for row in rows] for name in names}
    return found | {"replayed_at": [row.replayed_ms for row in rows]}
