"""Personal records: the highest value ever, the first day that reached it, and what stood until then.

A day that brings more is compared with the record and nothing else; only when a record is taken away (or the one before
it) are the user's days searched again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from streams.progress.facts import Candidates, candidates


class Held(NamedTuple):
    """A record with its holder, and the one that it replaced."""

    value: float
    day: int
    entity: str | None
    previous: tuple[float, int, str | None] | None = None


Records = dict[str, Held]
"""Record → who holds it."""


class Changed(NamedTuple):
    """What a changed day did to the records."""

    any: bool
    lost: Collection[str]
    """These must be searched for; all others are right."""


def change(records: Records, day: int, old: Candidates, new: Candidates, told: dict[str, Held | None]) -> Changed:
    """A day brings something else than before. `told` gets what changes, as it was, unless it is there already."""
    lost: list[str] = []
    changed = False
    for name in old.keys() | new.keys() if old else new:
        now = new.get(name)
        if old.get(name) == now:
            continue
        held = records.get(name)
        if held is None and now is None:
            continue  # searched for already, for another day that lost it too
        after = _after(held, day, now)
        if after is None:
            lost.append(name)
        elif after is not held:
            told.setdefault(name, held)
            records[name] = after
            changed = True
    return Changed(changed or bool(lost), lost)


def _after(held: Held | None, day: int, now: tuple[float, str | None] | None) -> Held | None:
    """The record after a day brought something else (`now`; nothing any more); None: to be searched for."""
    if held is None:
        return None if now is None else Held(now[0], day, now[1])
    value, on, _, previous = held
    if day > on:
        return held if now is None or now[0] <= value else Held(now[0], day, now[1], held[:3])
    if day == on:
        return None if now is None or now[0] < value else Held(now[0], day, now[1], previous)
    if now is not None and now[0] >= value:
        return None  # it takes the record over, and what stood before it is to be found
    if previous is not None and day == previous[1] and (now is None or now[0] < previous[0]):
        return None
    if now is not None and (previous is None or (now[0], -day) >= (previous[0], -previous[1])):
        return Held(*held[:3], (now[0], day, now[1]))
    return held


def search(days: Iterable[tuple[int, bytes]], names: Collection[str] | None = None) -> Records:
    """Records from all days with their cells, which must be in order. `names`: only these."""
    records: Records = {}
    for day, cell in days:
        for name, (value, entity) in candidates(cell).items():
            if names is None or name in names:
                held = records.get(name)
                if held is None or value > held.value:
                    records[name] = Held(value, day, entity, None if held is None else held[:3])
    return records
