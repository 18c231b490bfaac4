"""What goes wrong between a deed and Kafka: late, twice, out of order, edited, deleted, spoiled; and how often."""

from __future__ import annotations

from dataclasses import dataclass, fields
from random import Random

from producers import contents
from producers.clocks import time_of
from producers.diary import Deed
from producers.dice import between, pick
from producers.people import Person
from producers.spoiled import spoiled

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
HORIZON_DAYS = 14
"""No delivery is later than this after the day that it is about."""

_DELETE = {
    "meal.logged": "meal.deleted",
    "workout.completed": "workout.deleted",
    "water.logged": "water.deleted",
    "activity.recorded": "activity.deleted",
    "sleep.recorded": "sleep.deleted",
    "body.measured": "body.deleted",
}
"""Plans, goals and profiles are registers: they are replaced, never deleted."""


@dataclass(frozen=True, slots=True)
class Shares:
    """How often things go wrong, each from 0 to 1."""

    duplicates: float = 0.02
    """Events that are sent again, byte for byte, at once or days later."""
    edits: float = 0.04
    """Entities that are edited: other content, maybe another day; some edits arrive before what they edit, some come
    from another device with the same revision."""
    deletes: float = 0.02
    """Entities that are deleted; some deletes arrive first, some lose against a higher revision."""
    late: float = 0.02
    """Entities that are delivered one to seven days late."""
    out_of_order: float = 0.05
    """Entities that are delivered up to six hours late."""
    implausible: float = 0.002
    """Entities with an implausible field, such as a workout of 57 hours."""
    bad: float = 0.0
    """Entities beside which an event comes that the schemas refuse."""
    activity: float = 0.1
    """People whose activity a device records hour by hour: 16 events a day each."""

    def __post_init__(self) -> None:
        for field in fields(self):
            if not 0 <= getattr(self, field.name) <= 1:
                raise ValueError(f"Expected a share from 0 to 1 for {field.name}, got {getattr(self, field.name)}")


Delivery = tuple[int, bytes]
"""When it reaches Kafka, in ms of the users' own local clocks since 1970, and the event."""


def deliveries(who: Person, rng: Random, day: int, deed: Deed, shares: Shares) -> list[Delivery]:
    """All that reaches Kafka about one deed."""
    random = rng.random
    odd = random() < shares.implausible and deed.type in contents.ODD
    data = contents.ODD[deed.type] if odd else contents.data(deed.type, who, rng, day, deed.detail)
    at = (day * 86_400 + deed.second) * 1000 + int(random() * 120_000)
    if random() < shares.late:
        at += DAY_MS + int(random() * 6 * DAY_MS)
    elif random() < shares.out_of_order:
        at += int(random() * 6 * HOUR_MS)
    original = _event(who, deed, day, deed.second, data)
    found = [(at, original)]
    revision = 1
    if random() < shares.edits:
        for n in range(1 if random() < 0.7 else 2):
            revision += random() >= 0.1
            found.append((_around(rng, at), _edit(who, rng, day, deed, revision, n)))
    if random() < shares.deletes and deed.type in _DELETE:
        beats = 1 if random() < 0.8 else between(rng, -1, 0)
        found.append((_around(rng, at), _delete(who, deed, day, max(1, revision + beats))))
    if shares.duplicates:
        found += [(when + _again(rng), event) for when, event in found if random() < shares.duplicates]
    if random() < shares.bad:
        found.append((at, spoiled(original, deed.type, rng)))
    return found


def _event(who: Person, deed: Deed, day: int, second: int, data: str, revision: int = 1, tag: str = "") -> bytes:
    counted = f'"revision":{revision},' if revision > 1 else ""
    return (
        f'{{"specversion":"1.0","id":"{who.subject}/{deed.entity}/{revision}{tag}","source":"{deed.source}",'
        f'"type":"{deed.type}","subject":"{who.subject}",{time_of(who, day, second)},"entity":"{deed.entity}",'
        f'{counted}"data":{{{data}}}}}'
    ).encode()


def _edit(who: Person, rng: Random, day: int, deed: Deed, revision: int, n: int) -> bytes:
    """Other content; in one of three edits on another day, in another of three at another hour."""
    moved = rng.random()
    if moved < 1 / 3:
        day += pick(rng, (-2, -1, -1, 1))
    second = between(rng, 0, 86_399) if moved > 2 / 3 else deed.second
    data = contents.data(deed.type, who, rng, day, deed.detail)
    return _event(who, deed, day, second, data, revision, f"/edit{n}")


def _delete(who: Person, deed: Deed, day: int, revision: int) -> bytes:
    deleted = deed._replace(type=_DELETE[deed.type])
    return _event(who, deleted, day, min(deed.second + 600, 86_399), "", revision, "/delete")


def _around(rng: Random, at: int) -> int:
    """When an edit or delete comes: mostly within the hour, some days later, some before what it is about."""
    when = rng.random()
    if when < 0.5:
        return at + int(rng.random() * HOUR_MS)
    return at + int(rng.random() * 3 * DAY_MS) if when < 0.8 else at - int(rng.random() * HOUR_MS)


def _again(rng: Random) -> int:
    return int(rng.random() * (10_000 if rng.random() < 0.5 else 3 * DAY_MS))
