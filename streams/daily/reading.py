"""Which reader a topic has: the compiled one for what most records are (streams/daily/native.pyx), Python for the rest.

Both say the same (tests/unit/test_native.py); where there is no compiled one (streams/compiled.py), Python reads all.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from schemas.ledger import FAMILY_LETTERS, KIND_OF_TYPE
from streams.compiled import compiled, event_plan
from streams.daily.contribution import ENERGY_MAX, GRAMS_MAX, NUTRIENTS
from streams.daily.plan import FROM_PLAN, MEAL_TYPE, PLANNED_ITEM, PORTION, NoPlan, plan_of

if TYPE_CHECKING:
    from streams.daily.native import MealReader


@functools.cache
def native_reader(topic: str) -> MealReader | None:
    """The compiled reader of a topic; None where Python reads all of it."""
    native = compiled("streams.daily.native")
    if topic != "meals" or native is None:
        return None
    name = "meal.logged"
    event = event_plan(name, native.ENVELOPE)
    if event is None:
        return None
    lanes = {nutrient: lane for lane, nutrient in enumerate(NUTRIENTS)} | {"portion": PORTION}
    lanes |= {"meal_type": MEAL_TYPE, "from_plan": FROM_PLAN, "planned_item": PLANNED_ITEM}
    try:
        plan = plan_of(event.data.cls, lanes)
    except NoPlan:
        return None
    letter, code = FAMILY_LETTERS["meals"], KIND_OF_TYPE[name].code
    reader: MealReader = native.MealReader(
        plan, event.texts, name, event.dataschema, letter, code, ENERGY_MAX, GRAMS_MAX
    )
    return reader
