"""Meals for the benchmark: about 450 bytes each, all distinct, in the order of their times, made faster than sent."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from producers.clocks import offset_text
from producers.dice import dice
from producers.dishes import meal_items
from schemas.instants import day_number, day_text

START = date(2025, 3, 1)
MEALS_PER_DAY = 4
"""How densely a user's meals lie: n meals of u users span n / u / a_day days, at least one."""
_OFFSETS = (60, 120, -300, -480, 330, 345, 600, 0)
_CONTENTS = 1024
"""Different contents; more would only slow this module down."""


def meal_events(
    n: int, users: int, seed: int = 1, a_day: int = MEALS_PER_DAY, first: int = 0
) -> Iterator[tuple[bytes, bytes]]:
    """`n` meals of `users` users as (key, value), time-ordered across users, about `a_day` a user and day. Users are
    numbered from `first`. Same arguments, same bytes."""
    random = dice(seed, "bench").random
    contents = [_content(seed, number) for number in range(_CONTENTS)]
    subjects = [f"u_{number:06}" for number in range(first, first + users)]
    people = [
        (name.encode(), f'"type":"meal.logged","subject":"{name}","time":"', number % len(_OFFSETS))
        for number, name in enumerate(subjects)
    ]
    tails = [f'{offset_text(offset)}","entity":"meal_' for offset in _OFFSETS]
    begin, span = day_number(START) * 86_400, max(86_400, n * 86_400 // users // a_day)
    minute, clocks = -1, [""]
    for i in range(n):
        second = begin + i * span // n
        if second // 60 != minute:
            minute = second // 60
            clocks = [_clock(minute + offset) for offset in _OFFSETS]
        key, head, zone = people[int(random() * users)]
        number = f"{i:012x}"
        yield (
            key,
            (
                f'{{"specversion":"1.0","id":"01957c1e-7d4e-7000-8000-{number}","source":"ios/5.2.0",{head}'
                f"{clocks[zone]}{second % 60:02}{tails[zone]}{number}{contents[int(random() * _CONTENTS)]}"
            ).encode(),
        )


def _clock(minute: int) -> str:
    """A local minute since 1970, as far as its seconds."""
    day, minute = divmod(minute, 1440)
    return f"{day_text(day)}T{minute // 60:02}:{minute % 60:02}:"


def _content(seed: int, number: int) -> str:
    items = meal_items(dice(seed, "bench", number), least=2, most=2)
    return f'","data":{{"meal_type":"lunch","from_plan":true,"portion":{1 + number % 3 / 2},"items":[{items}]}}}}'
