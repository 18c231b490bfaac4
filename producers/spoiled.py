"""Events that the schemas refuse: good ones, spoiled. All still show a type and a subject, so they find their topic."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from producers.dice import pick

_BAD_DATA = {
    "meal.logged": b'{"meal_type":"lunch","portion":9}',
    "workout.completed": b'{"kind":"run","duration_s":-1}',
    "water.logged": b'{"ml":NaN}',
    "activity.recorded": b'{"duration_s":0,"steps":100}',
    "sleep.recorded": b'{"asleep_s":"long"}',
    "body.measured": b'{"body_fat_pct":130}',
    "profile.updated": b'{"day_start":"13:00"}',
    "goal.set": b'{"metric":"Steps!"}',
    "plan.assigned": b'{"effective_from":"2025-02-30"}',
    "plan.ended": b"{}",
}


def spoiled(event: bytes, type_name: str, rng: Random) -> bytes:
    """A good event of that type, spoiled in one of the ways below."""
    return pick(rng, SPOILERS)(event, type_name)


def _cut_off(event: bytes, type_name: str) -> bytes:
    return event[: event.index(b'"data":') + 9]


def _out_of_range(event: bytes, type_name: str) -> bytes:
    return event[: event.index(b'"data":')] + b'"data":' + _BAD_DATA[type_name] + b"}"


def _list_for_data(event: bytes, type_name: str) -> bytes:
    return event[: event.index(b'"data":')] + b'"data":[]}'


def _replacing(old: bytes, new: bytes) -> Callable[[bytes, str], bytes]:
    return lambda event, type_name: event.replace(old, new, 1)


SPOILERS: tuple[Callable[[bytes, str], bytes], ...] = (
    _cut_off,
    _out_of_range,
    _list_for_data,
    _replacing(b'"specversion":"1.0"', b'"specversion":"0.3"'),
    _replacing(b'"time":"', b'"time":"about '),
    _replacing(b'"data":', b'"revision":0,"data":'),
    _replacing(b'"data":', b'"revision":"two","data":'),
    _replacing(b'"data":', b'"sentat":"yesterday","data":'),
    _replacing(b'"source":"', b'"source":"\\u0000'),
    _replacing(b'"source":"', b'"source":"\xff'),
)
