"""What people eat: a table of foods, and every item of a meal as ready JSON, because most events are meals."""

from __future__ import annotations

from functools import cache
from random import Random

from producers.dice import between, pick

# food, then for one serving: energy [kcal], protein, carbohydrates, fat, fibre [g]; rounded from common food tables
FOODS = (
    ("Oats with milk", 300, 12.1, 48.2, 7.3, 6.1),
    ("Greek yoghurt", 146, 15.3, 6.1, 6.6, 0.0),
    ("Banana", 105, 1.3, 27.0, 0.4, 3.1),
    ("Apple", 95, 0.5, 25.1, 0.3, 4.4),
    ("Wholemeal bread", 180, 8.2, 32.5, 2.4, 5.2),
    ("Boiled egg", 78, 6.3, 0.6, 5.3, 0.0),
    ("Cheddar", 121, 7.1, 0.9, 10.0, 0.0),
    ("Lentil soup", 310.5, 18.2, 40.0, 8.1, 9.0),
    ("Chicken breast", 248, 46.5, 0.0, 5.4, 0.0),
    ("Salmon fillet", 412, 40.3, 0.0, 27.2, 0.0),
    ("Tofu", 181, 21.8, 3.5, 11.0, 2.9),
    ("Rice", 260, 5.4, 56.8, 0.6, 0.8),
    ("Pasta", 352, 12.9, 69.3, 2.1, 4.0),
    ("Boiled potatoes", 174, 3.8, 40.3, 0.2, 3.6),
    ("Mixed salad", 65, 2.2, 7.4, 3.1, 2.8),
    ("Olive oil", 119, 0.0, 0.0, 13.5, 0.0),
    ("Dal bhat", 585, 21.4, 104.2, 9.6, 13.1),
    ("Pizza", 830, 34.6, 101.7, 31.2, 6.5),
    ("Almonds", 174, 6.4, 6.5, 15.0, 3.8),
    ("Dark chocolate", 170, 2.2, 13.0, 12.1, 3.1),
    ("Protein shake", 121.7, 24.3, 3.2, 1.6, 0.4),
    ("Café au lait", 63, 3.4, 5.0, 3.3, 0.0),
    ('Burger "Special"', 540, 25.5, 40.1, 29.9, 2.3),
    ("Beans", 227, 15.2, 40.8, 0.9, 15.0),
)
NUTRIENTS = ("energy_kcal", "protein_g", "carbs_g", "fat_g", "fibre_g")
_AMOUNTS = (0.5, 0.75, 0.8, 1, 1, 1, 1.2, 1.25, 1.5, 2)
_COMPLETE = 0.85
"""Share of items with all nutrients; apps that know only some leave the rest out."""


@cache
def _items() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """All items there are, as JSON: complete ones, and ones that lack one nutrient or all but the energy."""
    complete, partial = [], []
    for name, *serving in FOODS:
        for amount in _AMOUNTS:
            values = {n: round(value * amount, 2) for n, value in zip(NUTRIENTS, serving, strict=True)}
            complete.append(_item(name, values))
            partial += [_item(name, {n: v for n, v in values.items() if n != lacking}) for lacking in NUTRIENTS]
            partial += [_item(name, {"energy_kcal": values["energy_kcal"]}), _item(name, {})]
    return tuple(complete), tuple(partial)


def _item(name: str, values: dict[str, float]) -> str:
    escaped = name.replace('"', '\\"')
    return "".join([f'{{"name":"{escaped}"', *(f',"{n}":{v:g}' for n, v in values.items()), "}"])


def meal_items(rng: Random, least: int = 1, most: int = 4) -> str:
    """From `least` to `most` items, joined as inside a JSON list."""
    complete, partial = _items()
    random = rng.random
    return ",".join(
        [pick(rng, complete if random() < _COMPLETE else partial) for _ in range(between(rng, least, most))]
    )
