"""The register of backfills, in PostgreSQL: what each is to change, how far it is, and that one works at a time."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import namedtuple_row
from psycopg.types.json import Jsonb

from daybook.errors import Misuse, Problem
from schemas.definitions import NONE, Definitions, Value, Version
from sinks.postgres.connect import as_writer

_LOCK = 0x6461_7962_6F6F_6B46
"""PostgreSQL's advisory lock: one backfill works at a time, so that there is one budget."""
SHADOW, READY, SWAPPING, DONE, DROPPED = "shadow", "ready", "swapping", "done", "dropped"
_FIELDS = "id, metric, version, parameters, since, until, base, state, slices, swept, seen_to, days, diff, begun_at"


class Run(NamedTuple):
    """One backfill."""

    id: int
    metric: str
    version: int
    parameters: dict[str, Value]
    since: date | None
    until: date | None
    base: int
    """Number of the definitions that it compares with."""
    state: str
    slices: int
    swept: bool
    """Whether every user was looked at once."""
    seen_to: int
    """What changed later than that, by ClickHouse's clock [s since 1970], is not looked at yet."""
    days: int
    diff: dict[str, Any] | None
    begun_at: datetime

    @property
    def span(self) -> str:
        """Its days, in words."""
        return f"{self.since or 'the first day'} to {self.until or 'all days to come'}"

    @property
    def definition(self) -> Version:
        """What it would put in force."""
        since, until = (None if day is None else day.isoformat() for day in (self.since, self.until))
        return Version(self.metric, self.version, self.parameters, since, until, str(self.id))


def definitions_of(runs: Iterable[Run]) -> Definitions:
    """What these put in force, or were about to."""
    found = NONE
    for run in sorted(runs, key=lambda run: run.base):  # each rests on the one before
        if run.state in (SWAPPING, DONE):
            found = found.plus(run.definition)
    return found


def backfills(url: str) -> list[Run]:
    """The register, for whoever only looks."""
    runs = Runs(url)
    try:
        return runs.all()
    finally:
        runs.close()


class Runs:
    """A connection for one command; not shared between threads."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection = self._connect()

    def _connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(as_writer(self._url), autocommit=True, row_factory=namedtuple_row)

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only one that works. Raises Problem if another does."""
        self._take_lock()
        try:
            yield
        finally:
            if not self._connection.closed:
                self._connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))

    def _take_lock(self) -> None:
        row = self._connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,)).fetchone()
        if row is None or not row[0]:
            raise Problem("another backfill works now: wait until it is done, or stop it")

    def again(self) -> None:
        """Connect anew, after PostgreSQL was away, and take the lock again."""
        self._connection.close()
        self._connection = self._connect()
        self._take_lock()

    def all(self) -> list[Run]:
        """The register, the latest last."""
        return [Run(*row) for row in self._connection.execute(f"SELECT {_FIELDS} FROM backfills ORDER BY id")]

    def get(self, number: int) -> Run:
        """Raises Misuse if there is none."""
        row = self._connection.execute(f"SELECT {_FIELDS} FROM backfills WHERE id = %s", (number,)).fetchone()
        if row is None:
            raise Misuse(f"there is no backfill {number}: see daybook backfill list")
        return Run(*row)

    def begin(
        self, metric: str, parameters: dict[str, Value], span: tuple[date | None, date | None], in_force: Definitions
    ) -> Run:
        """The run of this change that is under way or ready, or a new one."""
        for run in self.all():
            same = (run.metric, run.parameters, (run.since, run.until)) == (metric, parameters, span)
            if same and run.state in (SHADOW, READY) and run.base == in_force.number:
                return run
        version = in_force.next_version(metric)
        row = self._connection.execute(
            "INSERT INTO backfills (metric, version, parameters, since, until, base, state)"
            f" VALUES (%s, %s, %s, %s, %s, %s, 'shadow') RETURNING {_FIELDS}",
            (metric, version, Jsonb(parameters), *span, in_force.number),
        ).fetchone()
        assert row is not None
        return Run(*row)

    def update(self, run: Run, **fields: object) -> float:
        """Write these fields down, durably; returns how long that took [ms]."""
        began = time.perf_counter()
        named = {name: Jsonb(value) if isinstance(value, dict) else value for name, value in fields.items()}
        sets = "".join([f"{name} = %({name})s, " for name in named])
        statement = f"UPDATE backfills SET {sets}worked_at = now() WHERE id = %(id)s"
        try:
            self._connection.execute(statement.encode(), {**named, "id": run.id})
        except psycopg.errors.UniqueViolation:
            raise Problem("another backfill is being put in force: finish it first") from None
        return (time.perf_counter() - began) * 1000

    def end(self, run: Run) -> None:
        """It is over."""
        self._connection.execute("UPDATE backfills SET ended_at = now() WHERE id = %s", (run.id,))
