"""What a change of somebody's records and streaks is worth saying. Pure: before and after in, milestones out.

record.set       a record has another holder or value than before, and a higher value
record.revoked   what held a record does not any more (deleted, edited, or beaten by an earlier day)
streak.extended  it grew at its end, or a new one began
streak.broken    what was counted does not stand any more: a day passed, or one was taken away; `now` remains
streak.restored  a late day joined it to an earlier one, or brought it back
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from schemas.instants import day_text
from schemas.progress import Milestone, MilestoneType
from streams.progress.records import Held


class Shown(NamedTuple):
    """The latest run of a streak as it was last told, in days since 1970-01-01."""

    since: int
    until: int
    length: int
    stands: bool


def of_record(user: str, name: str, before: Held | None, after: Held | None) -> Iterator[Milestone]:
    """What became of one record."""
    if before is not None and after is not None and before[:3] == after[:3]:
        return
    if before is not None and (after is None or not _beaten(before, after)):
        now = None if after is None else after.value
        yield _record("record.revoked", user, name, before, now)
    if after is not None and (before is None or after.value > before.value):
        yield _record("record.set", user, name, after, after.value)


def _beaten(before: Held, after: Held) -> bool:
    """Whether the old record still is what it was, only not the best any more."""
    return after.value > before.value and after.day > before.day


def _record(type: MilestoneType, user: str, name: str, held: Held, now: float | None) -> Milestone:
    day = day_text(held.day)
    id = "|".join((user, type, name, day, held.entity or "", repr(held.value)))
    return Milestone(id, type, user, name, day, value=held.value, entity=held.entity, now=now)


def of_streak(user: str, name: str, before: Shown | None, after: Shown | None) -> Iterator[Milestone]:
    """What became of one streak's latest run."""
    if before == after:
        return
    stood = before if before is not None and before.stands else None
    if after is None or not after.stands:
        if stood is not None:
            yield _streak("streak.broken", user, name, stood, 0)
    elif before is None or after.since > before.until:  # a new one
        if stood is not None:
            yield _streak("streak.broken", user, name, stood, after.length)
        yield _streak("streak.extended", user, name, after, after.length)
    elif stood is not None and after.length < stood.length:
        yield _streak("streak.broken", user, name, stood, after.length)
    elif not before.stands or after.since < before.since:
        yield _streak("streak.restored", user, name, after, after.length)
    elif after.length > before.length:
        yield _streak("streak.extended", user, name, after, after.length)


def _streak(type: MilestoneType, user: str, name: str, run: Shown, now: int) -> Milestone:
    since, until = day_text(run.since), day_text(run.until)
    id = "|".join((user, type, name, since, until, str(run.length)))
    return Milestone(id, type, user, name, until, length=run.length, since=since, now=now)


def of_user(
    user: str,
    records: tuple[Mapping[str, Held | None], Mapping[str, Held]],
    streaks: tuple[Mapping[str, Shown], Mapping[str, Shown]],
) -> list[Milestone]:
    """Everything worth saying: of the records that `records[0]` names as they were, and of all streaks."""
    found: list[Milestone] = []
    for name, held in sorted(records[0].items(), key=lambda named: named[0]):
        found += of_record(user, name, held, records[1].get(name))
    before, after = streaks
    for name in sorted({**before, **after}):
        if before.get(name) != after.get(name):
            found += of_streak(user, name, before.get(name), after.get(name))
    return found
