"""Every stored table, declared once (mirror image of topics.py): sinks, verify, docs and tests read these lists."""

from __future__ import annotations

import types
import typing
from dataclasses import dataclass
from typing import Any

import msgspec

from schemas.progress import ProgressRow
from schemas.rows import DailyRow

_RENAMED = {"first_event_ms": "first_event_at", "last_event_ms": "last_event_at"}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a daily or progress row: its name in the stores, the row's field, its Python type, its meaning."""

    name: str
    field: str
    type: object
    what: str

    @property
    def is_map(self) -> bool:
        """Whether it is kept as a map: jsonb in PostgreSQL, Map in ClickHouse, JSON in Redis."""
        return typing.get_origin(self.type) is dict

    def is_map_of(self, kind: Any) -> bool:
        """Whether it is a map whose values are of this kind."""
        arms = typing.get_args(self.type)
        return self.is_map and isinstance(arms[1], type) and issubclass(arms[1], kind)

    def of_json(self, value: typing.Any) -> typing.Any:
        """A map's value as the row has it, from what JSON or a driver makes of it."""
        return None if value is None else msgspec.convert(value, self.type)


def _column(field: msgspec.structs.FieldInfo) -> Column:
    tp, what = field.type, ""
    if typing.get_origin(tp) is typing.Annotated:
        tp, meta = typing.get_args(tp)
        what = meta.description or ""
    if typing.get_origin(tp) in (typing.Union, types.UnionType):
        tp = next(arm for arm in typing.get_args(tp) if arm is not types.NoneType)
    return Column(_RENAMED.get(field.name, field.name), field.name, tp, what)


DAILY_COLUMNS: tuple[Column, ...] = tuple(_column(f) for f in msgspec.structs.fields(DailyRow))
"""All columns of the daily row, keys and version first."""

GOAL_METRICS = frozenset(
    c.name for c in DAILY_COLUMNS[3:] if c.type in (int, float) and not c.name.endswith("_at") and c.name != "entities"
)
"""Columns that a goal may be about."""

DAILY_METRICS: tuple[str, ...] = tuple(c.name for c in DAILY_COLUMNS[3:])
"""What verify compares: everything but user_id, date and version."""


PROGRESS_COLUMNS: tuple[Column, ...] = tuple(_column(f) for f in msgspec.structs.fields(ProgressRow))
"""All columns of the progress row, user and version first."""


@dataclass(frozen=True, slots=True)
class Table:
    """Where one kind of row is kept: names per store, None where that store does not keep it."""

    what: str
    postgres: str | None
    clickhouse: str | None
    redis: str | None


DAILY = Table("one row per user and local day", "user_metrics_daily", "daily", "daybook:day:{user_id}:{date}")
PROGRESS = Table("one row per user: what the days come to", "user_progress", "progress", "daybook:progress:{user_id}")
STREAKS = Table("days in a row, per user and streak; elsewhere in the row of progress", "user_streaks", None, None)
RECORDS = Table("personal records, per user; elsewhere in the row of progress", "user_records", None, None)
ENTITIES = Table("winner per entity with its contribution", None, "entities", None)
EVENTS = Table("every accepted event, typed, by receipt", None, "events", None)
REJECTED = Table("refused events with the reason", "rejected", "rejected", None)
REPLAYED = Table("refused events that were sent again, and where to", "replayed", "replayed", None)
POSITIONS = Table("how far the ledger got: watermark and counts per source partition", None, "positions", None)
TRENDING = Table(
    "one list per kind, region and window", "trending_lists", "trending", "daybook:trending:{kind}:{region}:{window}"
)
BLOCKS = Table("what admins kept off the lists, every word of it", "trending_blocks", None, None)
TASTES = Table("what a user likes, decayed", "user_tastes", None, None)
RECOMMENDATIONS = Table(
    "what a user may like and has not seen", "user_recommendations", None, "daybook:recommendations:{user_id}"
)
VIEWS_DAILY = Table("what is left of views: per content and day", None, "views_daily", None)
TABLES = (
    DAILY,
    PROGRESS,
    STREAKS,
    RECORDS,
    TRENDING,
    BLOCKS,
    TASTES,
    RECOMMENDATIONS,
    VIEWS_DAILY,
    ENTITIES,
    EVENTS,
    REJECTED,
    REPLAYED,
    POSITIONS,
)
