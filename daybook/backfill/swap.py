"""Putting a run's definition in force: one transaction tells every owner, and then what changes is said again.

1. What changed since the shadow was computed is computed too, until little is left.
2. The register says `swapping`; verify refuses and the audit rests until it says `done`.
3. One Kafka transaction writes the definitions to every partition. From the record on, an owner judges by them.
4. All owners and sinks have passed it: whatever still says the old value was written before. One more pass finds these.
5. The owner is asked, at the budget, to say every day again that changes, silently; what the stores hold is compared,
   and asked for again, until all of it is there.

Each step may be done again: a swap that was cut short is gone on with by calling it again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import msgspec

from daybook import defining
from daybook.backfill import compute
from daybook.backfill.runs import DONE, READY, SWAPPING
from daybook.backfill.shadow import Computing
from daybook.backfill.values import Diff
from daybook.errors import Problem
from daybook.telling import Teller
from schemas.definitions import Definitions
from schemas.hints import DaysHint, encode_hint
from schemas.instants import day_number, parse_day
from schemas.topics import HINTS

_USERS = 200
"""Whose days are looked up together."""
_ROWS = 200
"""That are asked for at once: an owner makes them in one flush, and live events wait for its end."""
_ROUNDS = 5
Days = dict[str, list[str]]


def fits(run_base: int, run_id: int, in_force: Definitions) -> bool:
    """Whether a run may be put in force: nothing else was since it began, or it was itself."""
    return in_force.number == run_base or is_in_force(run_id, in_force)


def is_in_force(run_id: int, in_force: Definitions) -> bool:
    """Whether this run was the last that was put in force."""
    return bool(in_force.versions) and in_force.versions[-1].run == str(run_id)


def swap(computing: Computing, in_force: Definitions, heard: Callable[[str, int], None]) -> Diff:
    """Do it; returns what changed. `heard`: what is being done, and how many days were said again since."""
    kafka, run = computing.settings.address("kafka"), computing.run
    if run.state == READY:
        heard("looking at what changed meanwhile", 0)
        computing.catch_up()
        computing.note(state=SWAPPING)
    if not is_in_force(run.id, in_force):
        defining.write(kafka, in_force.plus(run.definition))
    heard("in force; waiting for all owners", 0)
    computing.catch_up()  # which begins with waiting for them
    diff = computing.insist(computing.shadow.diff)
    teller = Teller(kafka)
    for number in range(_ROUNDS):
        count = _say_again(computing, teller, number == 0, lambda days: heard("saying again", days))
        if not count:
            break
        computing.pass_by()
    else:
        raise Problem(f"{count} days do not say yet what they must: go on with it: daybook backfill swap {run.id}")
    computing.note(state=DONE, diff=msgspec.to_builtins(diff.without_samples()))
    computing.runs.end(computing.run)
    computing.insist(computing.shadow.drop)
    return diff


def _say_again(computing: Computing, teller: Teller, first: bool, heard: Callable[[int], None]) -> int:
    """Ask the owners for every day that does not say yet what it must; returns how many those were."""
    count, after = 0, ""
    while True:
        computing.watch.calm()
        page = computing.insist(partial(computing.shadow.changed_after, after, _USERS))
        if not page:
            return count
        after = list(page)[-1]
        said = computing.insist(partial(computing.shadow.said, list(page)))
        days = unsaid(page, said, first)
        if not first and days:
            days = computing.insist(partial(_still_wrong, computing, days))
        for hint, rows in hints(days, computing.run.id):
            began = time.monotonic()
            computing.insist(partial(teller.send, HINTS.name, [hint]))
            count += rows
            heard(rows)
            computing.watch.pace(time.monotonic() - began, rows)


def unsaid(page: Mapping[str, Mapping[str, tuple[str, str]]], said: Mapping[tuple[str, str], Any], first: bool) -> Days:
    """User → days whose metric is not what it must be. `first`: also days on which only other columns change.

    >>> unsaid({"u": {"2026-03-01": ("50.0", "75.0"), "2026-03-02": ("1.0", "2.0")}}, {("u", "2026-03-01"): 75.0}, True)
    {'u': ['2026-03-02']}
    """
    found = {
        user: [
            day
            for day, (was, will) in days.items()
            if (first and was == will) or msgspec.json.decode(will) != said.get((user, day))
        ]
        for user, days in page.items()
    }
    return {user: days for user, days in found.items() if days}


def _still_wrong(computing: Computing, days: Days) -> Days:
    """Those of these days that differ from what the winners come to now: live events may have changed the others."""
    wanted = {(user, day_number(parse_day(day))) for user, listed in days.items() for day in listed}
    dates = sorted(day for listed in days.values() for day in listed)
    entities = computing.shadow.entities_of(list(days), (dates[0], dates[-1]))
    metric = computing.run.metric
    found = compute.values(entities, metric, computing.after, computing.after, lambda u, d: (u, d) in wanted)
    must = {(value.user_id, value.date): msgspec.json.decode(value.after) for value in found}
    said = computing.shadow.said(list(days))
    wrong = {
        user: [day for day in listed if must.get((user, day)) != said.get((user, day))] for user, listed in days.items()
    }
    return {user: listed for user, listed in wrong.items() if listed}


def hints(days: Days, run: int) -> Iterable[tuple[tuple[bytes, bytes], int]]:
    """What is sent to the owners, key and value, and how many rows it asks for."""
    for user, listed in days.items():
        for at in range(0, len(listed), _ROWS):
            some = listed[at : at + _ROWS]
            yield (user.encode(), encode_hint(DaysHint(some, f"backfill {run}"))), len(some)
