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


def change(records: Records, day: int, old: Candidates, new: Candidates) -> set[str]:
    """A day brings something else than before. Returns the records that must be searched for; the others are right."""
    lost: set[str] = set()
    for name in old.keys() | new.keys():
        was, now = old.get(name), new.get(name)
        if was == now:
            continue
        held = records.get(name)
        if held is None:
            if now is not None:
                records[name] = Held(now[0], day, now[1])
        elif day > held.day:
            if now is not None and now[0] > held.value:
                records[name] = Held(now[0], day, now[1], held[:3])
        elif day == held.day:
            if now is not None and now[0] >= held.value:
                records[name] = Held(now[0], day, now[1], held.previous)
            else:
                lost.add(name)
        elif not _changed_before(records, name, held, day, now):
            lost.add(name)
    return lost


def _changed_before(records: Records, name: str, held: Held, day: int, now: tuple[float, str | None] | None) -> bool:
    """A day before the record's brings something else. Whether the record is right again."""
    previous = held.previous
    if now is not None and now[0] >= held.value:
        return False  # it takes the record over, and what stood before it is to be found
    if previous is not None and day == previous[1] and (now is None or now[0] < previous[0]):
        return False
    if now is not None and (previous is None or (now[0], -day) >= (previous[0], -previous[1])):
        records[name] = Held(*held[:3], (now[0], day, now[1]))
    return True


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
