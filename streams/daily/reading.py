"""Which reader a topic has: the compiled one for what most records are (streams/daily/native.pyx), Python for the rest.

Both say the same (tests/unit/test_native.py); where there is no compiled one (compiled.py), Python reads everything.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from msgspec import inspect

from schemas.envelope import dataschema_of
from schemas.families import MODEL_OF
from schemas.ledger import FAMILY_LETTERS, KIND_OF_TYPE
from schemas.structs import STRUCT_OF
from streams.daily.compiled import compiled
from streams.daily.contribution import ENERGY_MAX, GRAMS_MAX, NUTRIENTS
from streams.daily.plan import FROM_PLAN, MEAL_TYPE, PLANNED_ITEM, PORTION, NoPlan, plan_of

if TYPE_CHECKING:
    from streams.daily.native import MealReader


@functools.cache
def native_reader(topic: str) -> MealReader | None:
    """The compiled reader of a topic; None where Python reads all of it."""
    native = compiled("native")
    if topic != "meals" or native is None:
        return None
    name = "meal.logged"
    fields = {field.name: field.type for field in _struct(STRUCT_OF[name]).fields}
    if {*fields, "type"} != set(native.ENVELOPE):
        return None  # an attribute that it does not know yet
    data = fields.pop("data")
    assert isinstance(data, inspect.StructType)
    texts = {name: bounds for name, tp in fields.items() if (bounds := _bounds(tp)) is not None}
    lanes = {nutrient: lane for lane, nutrient in enumerate(NUTRIENTS)} | {"portion": PORTION}
    lanes |= {"meal_type": MEAL_TYPE, "from_plan": FROM_PLAN, "planned_item": PLANNED_ITEM}
    try:
        plan = plan_of(data.cls, lanes)
    except NoPlan:
        return None
    current = dataschema_of(MODEL_OF[name])
    texts["dataschema"] = len(current), len(current)
    letter, code = FAMILY_LETTERS["meals"], KIND_OF_TYPE[name].code
    reader: MealReader = native.MealReader(plan, texts, name, current, letter, code, ENERGY_MAX, GRAMS_MAX)
    return reader


def _struct(struct: type) -> inspect.StructType:
    found = inspect.type_info(struct)
    assert isinstance(found, inspect.StructType)
    return found


def _bounds(tp: inspect.Type) -> tuple[int, int] | None:
    """Shortest and longest of a text, in characters."""
    if isinstance(tp, inspect.UnionType):
        tp = tp.types[0]
    if isinstance(tp, inspect.StrType) and tp.max_length is not None:
        return tp.min_length or 0, tp.max_length
    return None
