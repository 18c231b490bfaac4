"""The table `audits` in PostgreSQL: what the audit found wrong, why as far as it can tell, and when it was right."""

from __future__ import annotations

import msgspec
import psycopg

from daybook.judging import Wrong
from sinks.postgres.connect import as_writer

_FIND = """
SELECT id FROM audits WHERE repaired_at IS NULL AND store = %s AND user_id = %s AND what = %s
"""
_ADD = """
INSERT INTO audits (store, user_id, what, cause, expected, found) VALUES (%s, %s, %s, %s, %s::jsonb, %s::jsonb)
"""
_REPAIRED = (
    "UPDATE audits SET repaired_at = now() WHERE repaired_at IS NULL AND store = %s AND user_id = %s AND what = %s"
)
_OPEN = "SELECT store, user_id, what FROM audits WHERE repaired_at IS NULL"

Cell = tuple[str, str, str]
"""Store, user, and the day or entity."""


def cell_of(wrong: Wrong) -> Cell:
    """Its cell."""
    return wrong.store, wrong.user, wrong.what


class Audits:
    """Writes and reads it, on a connection of its own."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(as_writer(url), autocommit=True)

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def add(self, wrong: Wrong) -> bool:
        """Write it down unless it is there already, not repaired yet; whether it is new."""
        if self._connection.execute(_FIND, cell_of(wrong)).fetchone() is not None:
            return False
        expected, found = (_text(said) for said in (wrong.expected, wrong.found))
        self._connection.execute(_ADD, (wrong.store, wrong.user, wrong.what, wrong.cause, expected, found))
        return True

    def repaired(self, cell: Cell) -> None:
        """It was seen to be right."""
        self._connection.execute(_REPAIRED.encode(), cell)

    def open(self) -> set[Cell]:
        """The cells that were found wrong, also before this process began, and not seen right since."""
        return {(store, user, what) for store, user, what in self._connection.execute(_OPEN).fetchall()}


def _text(said: dict[str, object]) -> str:
    return msgspec.json.encode(said).decode()
