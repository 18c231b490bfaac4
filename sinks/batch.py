"""What a sink is handed: decoded rows, table by table, and the positions that they bring it to."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

from schemas.affinity import Recommendations, TasteRow
from schemas.codec import Event
from schemas.ledger import Winner
from schemas.positions import Position
from schemas.progress import ProgressRow
from schemas.rows import DailyRow, RejectedRow, ReplayedRow
from schemas.trending import Block, TrendingList

Place = tuple[str, int]
"""Topic and partition."""


class EventRow(NamedTuple):
    """One accepted event with its place on its topic."""

    topic: str
    partition: int
    offset: int
    received_ms: int
    raw: bytes
    event: Event
    ms: int
    offset_min: int | None
    """The event's time, read."""


class EntityRow(NamedTuple):
    """The winner of one entity, as the ledger has it."""

    subject: str
    family: str
    entity: str
    register: str | None
    winner: Winner


class PositionRow(NamedTuple):
    """How far the daily stream has folded one source partition."""

    topic: str
    partition: int
    position: Position


class BlockRow(NamedTuple):
    """One word of an admin with its place on its topic."""

    partition: int
    offset: int
    block: Block


@dataclass(slots=True)
class Batch:
    """Rows for the store, in the order in which they were read.

    `through`: the next offset to read, per place, once these rows are stored.
    """

    daily: list[DailyRow] = field(default_factory=list)
    progress: list[ProgressRow] = field(default_factory=list)
    trending: list[TrendingList] = field(default_factory=list)
    blocks: list[BlockRow] = field(default_factory=list)
    tastes: list[TasteRow] = field(default_factory=list)
    recommendations: list[Recommendations] = field(default_factory=list)
    rejected: list[RejectedRow] = field(default_factory=list)
    replayed: list[ReplayedRow] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)
    entities: list[EntityRow] = field(default_factory=list)
    positions: list[PositionRow] = field(default_factory=list)
    through: dict[Place, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return sum(len(getattr(self, name)) for name in ROWS)

    def counts(self) -> dict[str, int]:
        """Table → rows."""
        return {name: len(getattr(self, name)) for name in ROWS}

    def halves(self) -> tuple[Batch, Batch]:
        """Two batches of half the rows each, without positions: those count only when all of it is stored."""
        left, right, room = Batch(), Batch(), len(self) // 2
        for name in ROWS:
            rows: list[Any] = getattr(self, name)
            setattr(left, name, rows[:room])
            setattr(right, name, rows[room:])
            room -= min(room, len(rows))
        return left, right

    def rows(self) -> list[Any]:
        """All rows, whatever their table."""
        return [row for name in ROWS for row in getattr(self, name)]


def name_of(row: Any) -> str:
    """A row by its key and version, for the log: no values, which are somebody's body data.

    >>> name_of(DailyRow("u", "2026-03-01", 7))
    "daily row of 'u' on 2026-03-01, version 7"
    """
    match row:
        case DailyRow():
            return f"daily row of {row.user_id!r} on {row.date}, version {row.version}"
        case ProgressRow():
            return f"progress row of {row.user_id!r}, version {row.version}"
        case TrendingList():
            return f"trending list {row.kind} {row.region} {row.window}, version {row.version}"
        case BlockRow():
            return f"block of {row.block.kind} {row.block.id!r} at {row.partition}@{row.offset}"
        case TasteRow():
            return f"tastes of {row.user_id!r}, version {row.version}"
        case Recommendations():
            return f"recommendations of {row.user_id!r}, version {row.version}"
        case RejectedRow():
            return f"refused event {row.topic}/{row.partition}@{row.offset}"
        case ReplayedRow():
            return f"replay of {row.topic}/{row.partition}@{row.offset}"
        case EventRow():
            return f"event {row.topic}/{row.partition}@{row.offset} of {row.event.subject!r}"
        case EntityRow():
            return f"winner of {row.family} {row.entity!r} of {row.subject!r}"
        case PositionRow():
            return f"position of {row.topic}/{row.partition}"
    raise TypeError(f"{type(row).__name__} is no row of a batch")


ROWS = tuple(f.name for f in fields(Batch) if f.name != "through")
