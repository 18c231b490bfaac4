"""The load: realistic meal CloudEvents of about 450 bytes in time order, four meals a user and day, users at random."""

from __future__ import annotations

import random
from collections.abc import Iterator

from schemas.instants import day_text

MEALS_A_DAY = 4
FIRST_DAY = 20_513  # 2026-03-01
SLOTS = ("breakfast", "lunch", "dinner", "snack")


def meal_events(events: int, users: int, seed: int) -> Iterator[tuple[bytes, bytes]]:
    """(key, value) of each; the same seed gives the same bytes."""
    rnd = random.Random(seed)
    dishes = [_item(rnd, i) for i in range(2_000)]
    days = max(1, round(events / users / MEALS_A_DAY))
    for i in range(events):
        minute = i * 1440 * days // events
        user = f"u{rnd.randrange(users):07d}"
        at = f"{day_text(FIRST_DAY + minute // 1440)}T{minute // 60 % 24:02}:{minute % 60:02}:{i % 60:02}+01:00"
        items = ",".join(rnd.choices(dishes, k=2))
        yield (
            user.encode(),
            f'{{"specversion":"1.0","id":"{i:032x}","source":"ios/5.2.0","type":"meal.logged","subject":"{user}",'
            f'"time":"{at}","entity":"meal_{i:08x}","revision":1,"data":{{"meal_type":"{SLOTS[i % 4]}",'
            f'"from_plan":true,"portion":1.0,"items":[{items}]}}}}'.encode(),
        )


def _item(rnd: random.Random, number: int) -> str:
    energy, *grams = (round(rnd.uniform(10, top), 1) for top in (600, 40, 90, 30, 12))
    protein, carbs, fat, fibre = grams
    return (
        f'{{"name":"Dish {number:04}","energy_kcal":{energy},"protein_g":{protein},"carbs_g":{carbs},'
        f'"fat_g":{fat},"fibre_g":{fibre}}}'
    )
