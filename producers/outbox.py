"""Events that wait to be sent, in a file: they survive the process, and leave only when their fate is known."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple


class Full(Exception):
    """No room: as many events wait as were allowed."""


class Waiting(NamedTuple):
    """An event that waits."""

    number: int
    event: bytes


class Refusal(NamedTuple):
    """An event that will never be taken as it is."""

    event: bytes
    pointer: str
    reason: str


class Outbox:
    """A queue in one SQLite file. Threads may share it; one process at a time sends from it."""

    def __init__(self, file: Path, most: int = 100_000) -> None:
        """`most`: how many events may wait."""
        file.parent.mkdir(parents=True, exist_ok=True)
        self._most = most
        self._lock = threading.Lock()
        self._db = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")  # an event that was taken is not lost with the power either
        self._db.execute("CREATE TABLE IF NOT EXISTS waiting (number INTEGER PRIMARY KEY AUTOINCREMENT, event BLOB)")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS refused (number INTEGER PRIMARY KEY, event BLOB, pointer TEXT, reason TEXT)"
        )
        self._count = int(self._db.execute("SELECT count(*) FROM waiting").fetchone()[0])

    def __len__(self) -> int:
        return self._count

    def add(self, events: Sequence[bytes]) -> None:
        """Take events; they are on the disk when this returns. Raises Full, and takes none then."""
        with self._lock:
            if self._count + len(events) > self._most:
                raise Full(f"{self._count} events wait already")
            self._db.execute("BEGIN")
            self._db.executemany("INSERT INTO waiting (event) VALUES (?)", [(event,) for event in events])
            self._db.execute("COMMIT")
            self._count += len(events)

    def first(self, most: int, size: int) -> list[Waiting]:
        """The oldest events, at most `most` of them and `size` bytes together; one at least, if any waits."""
        with self._lock:
            rows = self._db.execute("SELECT number, event FROM waiting ORDER BY number LIMIT ?", (most,)).fetchall()
        found: list[Waiting] = []
        for number, event in rows:
            size -= len(event)
            if found and size < 0:
                break
            found.append(Waiting(number, bytes(event)))
        return found

    def settle(self, stored: Iterable[int], refused: Iterable[tuple[Waiting, str, str]] = ()) -> None:
        """These are stored, those (with pointer and reason) never will be: they wait no longer."""
        aside = [(each.number, each.event, pointer, reason) for each, pointer, reason in refused]
        gone = [(number,) for number in [*stored, *(number for number, *_ in aside)]]
        with self._lock:
            self._db.execute("BEGIN")
            self._db.executemany("INSERT OR REPLACE INTO refused VALUES (?, ?, ?, ?)", aside)
            self._db.executemany("DELETE FROM waiting WHERE number = ?", gone)
            self._db.execute("COMMIT")
            self._count -= len(gone)

    def refused(self) -> list[Refusal]:
        """What was refused so far, oldest first; `forget` ends that."""
        with self._lock:
            rows = self._db.execute("SELECT event, pointer, reason FROM refused ORDER BY number").fetchall()
        return [Refusal(bytes(event), pointer, reason) for event, pointer, reason in rows]

    def forget(self) -> None:
        """Drop what was refused."""
        with self._lock:
            self._db.execute("DELETE FROM refused")

    def close(self) -> None:
        """Close the file; what waits stays in it."""
        with self._lock:
            self._db.close()
