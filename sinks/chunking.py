"""Of many rows with one key only the newest counts, and rows are written in key order (DESIGN §8 rule 16).

One order for all writers means that two of them never wait for each other in a circle.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from schemas.affinity import Recommendations, TasteRow
from schemas.progress import ProgressRow
from schemas.rows import DailyRow, RejectedRow, ReplayedRow
from schemas.trending import MINUTE_MS, TrendingList
from sinks.batch import EntityRow, PositionRow

_OfUser = TypeVar("_OfUser", ProgressRow, TasteRow, Recommendations)


def newest_daily(rows: Iterable[DailyRow]) -> list[DailyRow]:
    """The highest version of each (user, date), sorted by it."""
    kept: dict[tuple[str, str], DailyRow] = {}
    for row in rows:
        key = (row.user_id, row.date)
        other = kept.get(key)
        if other is None or row.version >= other.version:
            kept[key] = row
    return [kept[key] for key in sorted(kept)]


def newest_of_users(rows: Iterable[_OfUser]) -> list[_OfUser]:
    """The highest version of each user, sorted by user."""
    kept: dict[str, _OfUser] = {}
    for row in rows:
        other = kept.get(row.user_id)
        if other is None or row.version >= other.version:
            kept[row.user_id] = row
    return [kept[user] for user in sorted(kept)]


def once(rows: Iterable[RejectedRow]) -> list[RejectedRow]:
    """Each (topic, partition, offset) once, sorted by it."""
    kept = {(row.topic, row.partition, row.offset): row for row in rows}
    return [kept[key] for key in sorted(kept)]


def each_replay(rows: Iterable[ReplayedRow]) -> list[ReplayedRow]:
    """Each replay once, sorted by its place and by where it went."""
    kept = {(r.topic, r.partition, r.offset, r.to_partition, r.to_offset): r for r in rows}
    return [kept[key] for key in sorted(kept)]


def winners(rows: Iterable[EntityRow]) -> list[EntityRow]:
    """The greatest by rule 1 of each entity, sorted by it."""
    kept: dict[tuple[str, str, str, str], tuple[tuple[int, bool, bytes], EntityRow]] = {}
    for row in rows:
        key = (row.subject, row.family, row.entity, row.register or "")
        rank = row.winner[:3]  # revision, deleted, digest
        other = kept.get(key)
        if other is None or rank >= other[0]:
            kept[key] = (rank, row)
    return [kept[key][1] for key in sorted(kept)]


def latest(rows: Iterable[PositionRow]) -> list[PositionRow]:
    """The furthest position of each source partition, sorted by it."""
    kept: dict[tuple[str, int], tuple[tuple[int, int], PositionRow]] = {}
    for row in rows:
        key, at = (row.topic, row.partition), (row.position.generation, row.position.flush)
        other = kept.get(key)
        if other is None or at >= other[0]:
            kept[key] = (at, row)
    return [kept[key][1] for key in sorted(kept)]


def newest_lists(rows: Iterable[TrendingList]) -> list[TrendingList]:
    """The highest version of each (kind, region, window), sorted by it."""
    kept: dict[tuple[str, str, str], TrendingList] = {}
    for row in rows:
        key = (row.kind, row.region, row.window)
        other = kept.get(key)
        if other is None or row.version >= other.version:
            kept[key] = row
    return [kept[key] for key in sorted(kept)]


def newest_per_minute(rows: Iterable[TrendingList]) -> list[TrendingList]:
    """The highest version of each list in each minute of the stream's clock: what a history keeps."""
    minutes: dict[int, list[TrendingList]] = {}
    for row in rows:
        minutes.setdefault(row.at_ms // MINUTE_MS, []).append(row)
    return [row for minute in sorted(minutes) for row in newest_lists(minutes[minute])]
