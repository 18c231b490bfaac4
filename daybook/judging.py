"""What is wrong with which cell, and why, as far as one can tell from outside. Pure.

A cell is one day of one user in one store, the progress of one user in one store, or one winner in ClickHouse's
`entities`. Causes are guesses:

lost      the store holds nothing where the others, or the events, say something
older     the store holds a lower version than another store does
altered   the store holds a version that the others hold too, or a higher one, and says something else
stream    all stores agree with each other and not with the events
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from daybook import progress
from daybook.recompute import DayKey, Recomputed, differences
from daybook.stored import Days
from schemas.ledger import split_key
from schemas.progress import ProgressRow
from schemas.rows import DailyRow

ENTITIES = "entities"
STREAM = "stream"
PROGRESS = "progress"
"""What is wrong, where it is no day and no entity."""


class Wrong(NamedTuple):
    """One wrong cell."""

    store: str
    """postgres, clickhouse, redis, or entities."""
    user: str
    what: str
    """The local day, PROGRESS, or the changelog key of the entity."""
    cause: str
    expected: dict[str, object]
    """Columns that differ; of an entity nothing, because its event says it."""
    found: dict[str, object]


def wrong_days(
    days: Mapping[DayKey, DailyRow | None], held: Mapping[str, Days], gone: set[DayKey], left: Collection[DayKey] = ()
) -> list[Wrong]:
    """The cells that differ.

    ``days``: what is expected of each; ``gone``: those that may have expired in Redis; ``left``: those that were
    dropped, and may be absent anywhere.
    """
    found: list[Wrong] = []
    for day, want in days.items():
        rows = {
            store: rows.get(day)
            for store, rows in held.items()
            if day in rows or not (day in left or (store == "redis" and day in gone))
        }
        differing = {store: columns for store, row in rows.items() if (columns := differences(want, row))}
        for store, columns in differing.items():
            row = rows[store]
            cause = _cause(store, rows, set(differing))
            expected = {c.name: getattr(want, c.field, None) for c in columns}
            found.append(Wrong(store, *day, cause, expected, {c.name: getattr(row, c.field, None) for c in columns}))
    return found


def _cause(store: str, rows: Mapping[str, DailyRow | None], differing: set[str]) -> str:
    own = rows[store]
    others = [row for name, row in rows.items() if name != store]
    if differing == set(rows) and all(not differences(own, other) for other in others):
        return STREAM
    if own is None:
        return "lost"
    if any(other is not None and other.version > own.version for other in others):
        return "older"
    return "altered"


def wrong_progress(
    wanted: Mapping[str, progress.Said],
    held: Mapping[str, Mapping[str, ProgressRow]],
    gone: Callable[[str], bool],
) -> list[Wrong]:
    """The users whose progress differs. ``held``: store → user → row; ``gone``: may it have expired in Redis?"""
    found: list[Wrong] = []
    for user in sorted({*wanted, *(user for rows in held.values() for user in rows)}):
        want = wanted.get(user, {})
        rows = {
            store: rows.get(user) for store, rows in held.items() if store != "redis" or user in rows or not gone(user)
        }
        said = {store: {} if row is None else progress.said(row) for store, row in rows.items()}
        differing = [store for store, parts in said.items() if parts != want]
        for store in differing:
            others = [name for name in rows if name != store]
            if len(differing) == len(rows) and all(said[name] == said[store] for name in others):
                cause = STREAM
            elif (own := rows[store]) is None:
                cause = "lost"
            else:
                newer = any((row := rows[name]) is not None and row.version > own.version for name in others)
                cause = "older" if newer else "altered"
            names = sorted(n for n in {*want, *said[store]} if want.get(n) != said[store].get(n))
            expected, told = ({name: parts.get(name) for name in names} for parts in (want, said[store]))
            found.append(Wrong(store, user, PROGRESS, cause, expected, told))
    return found


def wrong_entities(recomputed: Recomputed) -> list[Wrong]:
    """The winners that `entities` does not hold as the events say."""
    return [
        Wrong(ENTITIES, split_key(key).subject, key.decode().replace("\0", "|"), cause, {}, {})
        for key, cause in recomputed.doubtful.items()
    ]
