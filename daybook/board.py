"""The demo while it runs: a progress bar and growing totals, redrawn in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from daybook.figures import Counters, Figures, Totals
from daybook.say import console, say

_REDRAW_S = 0.2
_SAY_S = 1.0


def lines(counters: Counters, totals: Totals) -> tuple[str, str]:
    """What the stores hold by now, and what became of the events.

    >>> for line in lines(Counters(10, 9, 1), Totals(1, 2, 12345, 1800.4, 61.0)): print(line)
    1 people, 2 days: 12,345 steps, 1,800 kcal, 1 h asleep
    9 applied, 1 duplicate, 0 rejected
    """
    return (
        f"{totals.people} people, {totals.days:,} days: {totals.steps:,} steps, {totals.calories_kcal:,.0f} kcal, "
        f"{totals.sleep_minutes / 60:,.0f} h asleep",
        f"{counters.applied:,} applied, {counters.duplicate:,} duplicate, {counters.rejected:,} rejected",
    )


class Board:
    """Shows how many of ``total`` events are sent and what they came to so far; use it with `with`."""

    def __init__(self, figures: Figures, total: int) -> None:
        self._figures, self._total, self._sent = figures, total, 0
        self._console = console()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            console=self._console,
            auto_refresh=False,
        )
        self._task = self._bar.add_task("a month of Fitbit data", total=total)
        self._live = Live(console=self._console, auto_refresh=False, transient=False)
        self._drawn_at = 0.0
        self._line = ""

    def __enter__(self) -> Board:
        if self._console.is_terminal:
            self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.draw(now=True)
        if self._console.is_terminal:
            self._live.__exit__(kind, error, trace)

    def sent(self, events: int) -> None:
        """So many events are handed to Kafka by now."""
        self._sent = events
        self._bar.update(self._task, completed=events)
        self.draw()

    def draw(self, *, now: bool = False) -> None:
        """Ask the stores and show it, unless that was done just before."""
        terminal = self._console.is_terminal
        if not now and time.monotonic() - self._drawn_at < (_REDRAW_S if terminal else _SAY_S):
            return
        told = lines(self._figures.counters(), self._figures.totals())
        if terminal:
            self._live.update(Group(self._bar, *map(Text, told)), refresh=True)
        elif (line := f"{self._sent:,} of {self._total:,} sent · {' · '.join(told)}") != self._line:
            say(line)
            self._line = line
        self._drawn_at = time.monotonic()
