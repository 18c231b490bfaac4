"""The first run: a month of real Fitbit data through the whole of Daybook, checked against Fitbit's own totals.

Everything is started in a fresh folder and, unless it is to stay, stopped again: also after Ctrl-C and after a failure.
"""

from __future__ import annotations

import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from daybook import demo_trending, running, serving, sinking, waiting
from daybook.board import Board
from daybook.chart import Day
from daybook.demo_trending import Moved
from daybook.errors import Misuse
from daybook.figures import Counters, Figures, by_person_and_day
from daybook.say import say
from daybook.settings import Settings
from producers import fitbit
from producers.publish import publish

DUPLICATES = 3
"""Rows of the sleep file that occur twice at the source."""
_VISIBLE_TIMEOUT_S = 120.0


@dataclass(slots=True)
class Outcome:
    """What came of a demo; None where it did not get so far."""

    sent: int | None = None
    counters: Counters | None = None
    agreement: fitbit.Agreement | None = None
    mismatches: int | None = None
    cells: int | None = None
    moving_s: float | None = None
    """From the first event sent to the last one visible in every store."""
    days: list[Day] = field(default_factory=list)
    lists: int | None = None
    """Trending lists that were verified."""
    moved: Moved | None = None

    @property
    def events_per_second(self) -> int | None:
        return None if self.sent is None or not self.moving_s else round(self.sent / self.moving_s)

    def wrong(self) -> list[str]:
        """What does not hold, one line each; empty if all of it does."""
        if self.sent is None or self.counters is None or self.agreement is None or self.mismatches is None:
            return ["the demo did not get to its end"]
        counters, expected = self.counters, fitbit.SUPPORTED
        accounted = counters.applied + counters.duplicate + counters.superseded + counters.rejected
        checks = {
            f"{self.sent} events sent, {fitbit.EVENTS} expected": self.sent == fitbit.EVENTS,
            f"{self.sent} events sent, {accounted} accounted for": self.sent == accounted,
            f"{counters.duplicate} duplicates, {DUPLICATES} expected": counters.duplicate == DUPLICATES,
            f"{counters.rejected} rejected, none expected": counters.rejected == 0,
            f"{self.agreement} agree with Fitbit's own totals, {expected} expected": self.agreement == expected,
            "the video that all of a sudden everybody watched does not lead the list": bool(
                self.moved and self.moved.is_right
            ),
            f"{self.mismatches} values differ between the stores and the recomputed days": self.mismatches == 0,
        }
        return [text for text, holds in checks.items() if not holds]

    def figures(self) -> dict[str, object]:
        """The figures under the names that --json promises, but for ok and seconds."""
        counters, agreement = self.counters, self.agreement
        return {
            "events_sent": self.sent,
            "events_applied": counters and counters.applied,
            "duplicates": counters and counters.duplicate,
            "rejected": counters and counters.rejected,
            "steps_days_equal": agreement and agreement.steps_equal,
            "steps_days": agreement and agreement.days,
            "calories_days_close": agreement and agreement.calories_close,
            "verify_mismatches": self.mismatches,
            "events_per_second": self.events_per_second,
        }


def run(folder: Path, outcome: Outcome, *, page: bool = False) -> None:
    """Start all in ``folder``, move the month through, and fill in the outcome as it goes. ``page``: HTTP too."""
    from daybook.verify import verify

    settings = running.up(folder, None, say, extra=["api"] if page else [])
    if page:
        say_the_page(settings)
        say(f"  open it now: the month takes {WATCHED_S} s, so that it can be watched")
    with Figures(settings) as figures:
        demo_trending.an_hour(settings)  # folded beside the month
        _move(settings, figures, outcome, fitbit.EVENTS / WATCHED_S if page else None)
        outcome.counters = figures.counters()
        outcome.days = figures.days()
    outcome.agreement = fitbit.agreement(by_person_and_day(outcome.days))
    outcome.moved = demo_trending.a_surprise(settings)
    report = verify(settings)
    outcome.mismatches, outcome.cells, outcome.lists = len(report.mismatches), report.cells, report.lists
    for mismatch in report.mismatches[:10]:
        say(f"differs: {mismatch}")


PERSON = fitbit.subject_of("1503960366")
"""Who is shown first: the first of the study."""
TOKEN_HOURS = 12
WATCHED_S = 30
"""With the page the month takes so long: at full speed it is over before a browser has opened."""


def say_the_page(settings: Settings) -> None:
    """The page's address, with a token in its fragment: browsers send that part to nobody."""
    token = serving.token(settings, "operator", "admin", TOKEN_HOURS * 3600)
    say(f"the page: {serving.address(settings)}/#user={PERSON}&token={token}")
    say(f"  (an admin's token, good for {TOKEN_HOURS} hours; for one user: daybook token --subject {PERSON})")


def _move(settings: Settings, figures: Figures, outcome: Outcome, rate: float | None) -> None:
    began = time.monotonic()
    kafka = settings.address("kafka")
    with Board(figures, fitbit.EVENTS) as board:
        outcome.sent = publish(kafka, fitbit.events(), on_progress=board.sent, rate=rate).events
        sinks = list(sinking.groups().values())
        waiting.until_visible(kafka, sinks, _VISIBLE_TIMEOUT_S, lambda behind: board.draw())
        outcome.moving_s = time.monotonic() - began


@contextmanager
def stopped_after(folder: Path | None, *, keep: bool) -> Iterator[Path]:
    """A fresh folder, and an end of all that runs in it, whatever happens, unless ``keep`` and all went well.

    Raises Misuse if ``folder`` is given and not empty.
    """
    home = _fresh(folder)
    previous = {number: signal.signal(number, _interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    went_well = interrupted = False
    try:
        yield home
        went_well = True
    except KeyboardInterrupt:
        interrupted = True
        say("interrupted: stopping what was started")
        raise
    finally:
        if not (keep and went_well):
            previous[signal.SIGINT] = signal.getsignal(signal.SIGINT)
            for number in previous:
                signal.signal(number, signal.SIG_IGN)
            running.down(home, lambda line: None)
            if folder is None and (went_well or interrupted):
                shutil.rmtree(home, ignore_errors=True)
            elif not went_well and not interrupted:
                say(f"the logs are in {home / 'logs'}")
        for number, handler in previous.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _fresh(folder: Path | None) -> Path:
    if folder is None:
        return Path(tempfile.mkdtemp(prefix="daybook-demo-")).resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Misuse(f"--data: {folder} is not an empty folder; the demo begins with a fresh one")
    return folder


def seconds_since_start() -> float:
    """How long this process has run: what the whole command takes, imports included."""
    with suppress(psutil.Error):
        return time.time() - psutil.Process().create_time()
    return 0.0
