"""Tastes and recommendations as PostgreSQL takes them, and back. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from schemas.affinity import Recommendations, Suggestion, TasteRow

_AT = "timestamptz 'epoch' + %s::bigint * interval '1 millisecond'"
_NAMES = "user_id, version, as_of, since, events, region, categories, creators, hashtags"
_NEW = ", ".join(f"{name} = excluded.{name}" for name in _NAMES.split(", ")[1:])
UPSERT_TASTES = f"""
INSERT INTO user_tastes AS kept ({_NAMES}) VALUES (%s, %s, {_AT}, {_AT}, %s, %s, %s::jsonb, %s::jsonb, %s::jsonb)
ON CONFLICT (user_id) DO UPDATE SET {_NEW} WHERE kept.version < excluded.version
"""
UPSERT_RECOMMENDATIONS = f"""
INSERT INTO user_recommendations AS kept (user_id, version, at, entries) VALUES (%s, %s, {_AT}, %s::jsonb)
ON CONFLICT (user_id) DO UPDATE SET version = excluded.version, at = excluded.at, entries = excluded.entries
WHERE kept.version < excluded.version
"""
SELECT_TASTES = f"SELECT {_NAMES} FROM user_tastes WHERE events > 0"
"""A condition may follow, with AND."""
SELECT_RECOMMENDATIONS = "SELECT user_id, version, at, entries FROM user_recommendations"

_json = msgspec.json.Encoder().encode


def tastes(row: TasteRow) -> tuple[Any, ...]:
    """Parameters of UPSERT_TASTES."""
    maps = (_json(each).decode() for each in (row.categories, row.creators, row.hashtags))
    return row.user_id, row.version, row.as_of_ms, row.since_ms, row.events, row.region, *maps


def recommendations(row: Recommendations) -> tuple[Any, ...]:
    """Parameters of UPSERT_RECOMMENDATIONS."""
    return row.user_id, row.version, row.at_ms, _json(row.entries).decode()


def tastes_row(values: tuple[Any, ...]) -> TasteRow:
    """A row from what SELECT_TASTES gives."""
    user_id, version, as_of, since, *rest = values
    return TasteRow(user_id, version, _ms(as_of), _ms(since), *rest)


def recommendations_row(values: tuple[Any, ...]) -> Recommendations:
    """A list from what SELECT_RECOMMENDATIONS gives."""
    user_id, version, at, entries = values
    return Recommendations(user_id, version, _ms(at) or 0, msgspec.convert(entries, list[Suggestion]))


def _ms(at: datetime | None) -> int | None:
    return None if at is None else round(at.timestamp() * 1000)
