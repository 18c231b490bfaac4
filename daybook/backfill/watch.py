"""Whether live events leave room: asks Kafka how far every consumer is, and PostgreSQL for a small commit."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import psycopg

from daybook import kafka, sinking, waiting
from daybook.backfill.budget import Budget, Limits, Look, Pressure
from daybook.backfill.runs import Run, Runs
from daybook.errors import Misuse, Problem
from daybook.settings import Settings
from sinks.base import Retry
from sinks.clickhouse.retry import ERRORS, judge

_EVERY_S = 1.0
_PAUSE_S = 1.0
AWAY = (Problem, psycopg.OperationalError, *ERRORS, OSError)
"""What a server that is away, or does not answer in time, raises."""
_T = TypeVar("_T")
Say = Callable[[str], None]


class Watch:
    """Paces one backfill."""

    def __init__(self, settings: Settings, runs: Runs, run: Run, budget: Budget, tell: Say) -> None:
        """`tell` hears why it waits, and an empty text when it goes on."""
        self._bootstrap = settings.address("kafka")
        self._client = kafka.admin(self._bootstrap)
        self._groups = [waiting.DAILY_STREAM, waiting.PROGRESS_STREAM, *sinking.groups().values()]
        self._limits = Limits(settings.backfill_lag_s, settings.backfill_postgres_ms)
        self._pressure = Pressure(self._limits)
        self._runs, self._run, self._budget, self._tell = runs, run, budget, tell
        self._looked = float("-inf")
        self.waited_s = 0.0
        """How long live events were let go first."""

    def calm(self) -> None:
        """Return when live events leave room; looks at most once a second."""
        if time.monotonic() - self._looked < _EVERY_S:
            return
        began, why = time.monotonic(), self._why()
        while why is not None:
            self._tell(f"waiting: {why}")
            time.sleep(_PAUSE_S)
            self.waited_s += time.monotonic() - began
            began, why = time.monotonic(), self._why()
        self._tell("")

    def _why(self) -> str | None:
        """Why to wait; None: go on."""
        try:
            now = waiting.ends_of(self._client, self._bootstrap, self._groups)
            behind = sum(
                lag.records for group in self._groups for lag in now.behind(self._client, self._bootstrap, group)
            )
            postgres_ms = self._runs.update(self._run)
        except psycopg.OperationalError as why:
            self._reconnect()
            return f"PostgreSQL does not answer ({_said(why)})"
        except Problem as why:
            return str(why)
        finally:
            self._looked = time.monotonic()
        return self._pressure.why_wait(Look(time.monotonic(), behind, sum(now.ends.values()), postgres_ms))

    def _reconnect(self) -> None:
        try:
            self._runs.again()
        except psycopg.OperationalError:
            return  # the next look tries again

    def rest(self, took_s: float, days: int) -> None:
        """Keep to the budget."""
        time.sleep(self._budget.rest_s(took_s, days))

    def pace(self, took_s: float, rows: int) -> None:
        """Ask for rows no faster than the budget says, and not while live events wait."""
        time.sleep(max(0.0, rows / self._budget.rows_per_s - took_s))
        self.calm()

    def insist(self, act: Callable[[], _T], close: Callable[[], None]) -> _T:
        """Do it; where a server is away, say so, let go with `close`, and try again until it is back."""
        while True:
            try:
                return act()
            except Misuse:
                raise
            except AWAY as why:
                if isinstance(why, ERRORS) and not isinstance(judge(why, "ClickHouse"), Retry):
                    raise  # it answers, and will not answer otherwise
                self._tell(f"waiting: {type(why).__name__}: {_said(why)}")
                close()
                time.sleep(_PAUSE_S)
                if isinstance(why, psycopg.OperationalError):
                    self._reconnect()


def _said(why: Any) -> str:
    return " ".join(str(why).split())[:160]
