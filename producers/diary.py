"""What made-up people do on a day, before anything goes wrong with telling it."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from producers.dice import between, pick
from producers.people import Person

_MEALS = (("breakfast", 6 * 3600, 9 * 3600), ("lunch", 11 * 3600, 14 * 3600), ("dinner", 17 * 3600, 21 * 3600))
_KINDS = ("strength", "strength", "strength", "run", "ride", "yoga")
EVENTS_PER_DAY = 12.0
"""About how many events come of one person's day, with the default shares."""


class Deed(NamedTuple):
    """One thing done: the first revision of one entity."""

    type: str
    entity: str
    second: int
    """Of the local day."""
    source: str
    detail: str = ""


def deeds(who: Person, rng: Random, nth: int, date: str) -> Iterator[Deed]:
    """What a person does on one local day, the `nth` of the period from 0, in no particular order."""
    random = rng.random
    phone = who.phone
    body = "watch/2.1" if who.watch else phone
    if nth == 0:
        yield from _set_up(who, rng)
    elif random() < 0.01:
        yield from _change_of_mind(who, rng, nth)
    woke = between(rng, 20_000, 34_000)
    yield Deed("sleep.recorded", f"sleep_{date}", woke, body)
    if random() < 0.3:
        yield Deed("body.measured", f"weight_{date}", woke + 600, "scale/1.0" if random() < 0.7 else phone)
    for slot, first, last in _MEALS:
        yield Deed("meal.logged", f"meal_{date}_{slot}", between(rng, first, last), phone, slot)
    for n in range(between(rng, 0, 2)):
        yield Deed("meal.logged", f"meal_{date}_snack{n}", _snack_time(who, rng), phone, "snack")
    for n in range(between(rng, 2, 5)):
        yield Deed("water.logged", f"water_{date}_{n}", between(rng, 25_000, 82_000), phone)
    if random() * 7 < who.trains_per_week:
        second = between(rng, 25_000, 80_000)
        yield Deed("workout.completed", f"workout_{date}", second, body, pick(rng, _KINDS))
        if who.watch and random() < 0.3:  # written down as well
            yield Deed("workout.completed", f"diary_{date}", second + between(rng, 0, 1200), phone, "strength")
    if who.records_hours:
        for hour in range(7, 23):
            yield Deed("activity.recorded", f"activity_{date}T{hour:02}", hour * 3600, body)
            if who.watch and random() < 0.2:  # the phone was in the pocket
                yield Deed("activity.recorded", f"pocket_{date}T{hour:02}", hour * 3600 + 600, phone)


def _snack_time(who: Person, rng: Random) -> int:
    """In the evening; those who stay up late also eat after midnight, on a day that has not ended for them."""
    if who.up_late and rng.random() < 0.5:
        return between(rng, 0, 4 * 3600 + 1800)
    return between(rng, 15 * 3600, 86_399)


def _set_up(who: Person, rng: Random) -> Iterator[Deed]:
    """The registers that people fill in when they begin."""
    if who.profile:
        yield Deed("profile.updated", "profile", between(rng, 0, 20_000), who.phone, pick(rng, ("0", "0", "")))
    if rng.random() < 0.4:
        yield Deed("goal.set", "goal_1", 20_000, who.phone, "0")
    if rng.random() < 0.3:
        yield Deed("plan.assigned", "plan_1", 20_100, "coach/1.4", pick(rng, ("0", "1")))


def _change_of_mind(who: Person, rng: Random, nth: int) -> Iterator[Deed]:
    """Registers change: from today, from a day to come, or from one gone by, which then moves what it touches."""
    second, shift = between(rng, 25_000, 80_000), pick(rng, ("0", "1", "3", "-2", "-7", ""))
    what = rng.random()
    if what < 0.6:
        yield Deed("profile.updated", "profile", second, who.phone, shift)
    elif what < 0.8:
        yield Deed("goal.set", "goal_1", second, who.phone, shift or "0")
    elif what < 0.9:
        yield Deed("plan.assigned", f"plan_{nth}", second, "coach/1.4", shift or "0")
    else:
        yield Deed("plan.ended", "plan_1", second, "coach/1.4")
