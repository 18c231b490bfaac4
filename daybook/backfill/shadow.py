"""The shadow of a run: every user once, then again whoever changed meanwhile, until hardly anybody did.

Why nothing is missed: a pass notes ClickHouse's clock, then waits until every sink has passed what was published, and
only then reads. A row that was written before the clock was noted rests on winners that the pass sees, since row and
winners are one transaction; one that is written later is looked at by the next pass. The last pass runs when no owner
judges by the old definition any more (swap.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from daybook import sinking, waiting
from daybook.backfill import compute
from daybook.backfill.runs import READY, Run, Runs
from daybook.backfill.values import Days, Shadow
from daybook.backfill.watch import Watch
from daybook.settings import Settings
from daybook.stored import Range
from schemas.definitions import Definitions
from schemas.instants import day_number, day_text, parse_day
from streams.daily.definitions import InForce

SLICE_S = 0.5
"""How long a slice should take: so much a crash costs, and so long live events may wait for a look."""
_MOST_USERS = 5_000
_AT_ONCE = 500
"""Users of a later pass that are looked at together."""
_FEW = 2_000
"""Days that changed meanwhile: few enough to be left to the swap."""
_PASSES = 3
_WAIT_S = 600.0

_T = TypeVar("_T")
Progress = Callable[[int], None]
"""Hears how many days were computed."""


class Computing:
    """One run's computing: a register, a table and a pace."""

    def __init__(
        self, settings: Settings, runs: Runs, run: Run, in_force: Definitions, watch: Watch, heard: Progress
    ) -> None:
        """`in_force`: without this run's definition."""
        self.settings, self.runs, self.run, self.watch = settings, runs, run, watch
        self.shadow = Shadow(settings, run)
        self.before, self.after = InForce(in_force), InForce(in_force.plus(run.definition))
        self._heard = heard
        first, last = run.since, run.until
        self._first = -(10**9) if first is None else day_number(first)
        self._last = 10**9 if last is None else day_number(last)

    def compute(self) -> None:
        """Compute all that is not computed yet, and what changed since; then the run is ready."""
        if not self.run.swept:
            self._sweep()
        for _ in range(_PASSES):
            if self.catch_up() <= _FEW:
                break
        self.note(state=READY)

    def _sweep(self) -> None:
        shadow = self.shadow
        if not self.run.seen_to:
            seen_to = self.insist(shadow.clock)
            self.pass_by()
            self.note(seen_to=seen_to)
        number, days = self.run.slices, self.run.days
        after = self.insist(partial(shadow.last_user, number)) if number else None
        size = 20
        while True:
            self.watch.calm()
            began = time.monotonic()
            users = self.insist(partial(shadow.users_after, after, size))
            if not users:
                break
            number += 1
            found = self.insist(partial(self._slice, Range(after, users[-1]), number))
            after, days = users[-1], days + found
            self.insist(partial(self.runs.update, self.run, slices=number, days=days))
            took = time.monotonic() - began
            self._heard(found)
            size = max(10, min(_MOST_USERS, round(size * min(4.0, max(0.25, SLICE_S / took)))))
            self.watch.rest(took, found)
        self.note(slices=number, days=days, swept=True)

    def _slice(self, users: Range, number: int) -> int:
        found = compute.values(self.shadow.entities(users), self.run.metric, self.before, self.after, self._is_asked)
        self.shadow.put(found, number)
        return len(found)

    def _is_asked(self, user: str, day: int) -> bool:
        return self._first <= day <= self._last

    def catch_up(self) -> int:
        """Look again at every day whose row was written since the last pass began; returns how many those were."""
        shadow, since = self.shadow, self.run.seen_to
        seen_to = self.insist(shadow.clock)
        self.pass_by()
        count, after = 0, ""
        while True:
            self.watch.calm()
            began = time.monotonic()
            page = self.insist(partial(shadow.changed_since, since, after, _AT_ONCE))
            if not page:
                break
            self.insist(partial(self._again, page))
            after, here = list(page)[-1], sum(map(len, page.values()))
            count += here
            self.watch.rest(time.monotonic() - began, here)
        self.note(seen_to=seen_to)
        return count

    def _again(self, page: Days) -> None:
        """Compute these days once more; on those that brought something before, nothing may be left."""
        wanted = {(user, day_number(parse_day(day))) for user, days in page.items() for day in days}
        ends = min(d for _, d in wanted), max(d for _, d in wanted)
        entities = self.shadow.entities_of(list(page), (day_text(ends[0]), day_text(ends[1])))
        found = compute.values(
            entities, self.run.metric, self.before, self.after, lambda user, day: (user, day) in wanted
        )
        there = {(value.user_id, value.date) for value in found}
        known = self.shadow.known_days(list(page))
        gone = {
            user: [day for day in days if day in page[user] and (user, day) not in there]
            for user, days in known.items()
        }
        self.shadow.put(found, 0, gone)

    def pass_by(self) -> None:
        """Wait until every sink has passed what was published up to now."""
        kafka, groups = self.settings.address("kafka"), list(sinking.groups().values())
        self.insist(partial(waiting.until_visible, kafka, groups, _WAIT_S))

    def insist(self, act: Callable[[], _T]) -> _T:
        """Do it, however long a server is away."""
        return self.watch.insist(act, self.shadow.close)

    def note(self, **fields: Any) -> None:
        """Write these fields of the run down."""
        self.insist(partial(self.runs.update, self.run, **fields))
        self.run = self.run._replace(**fields)

    def close(self) -> None:
        """Let go of the connections."""
        self.shadow.close()
