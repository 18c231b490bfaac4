from collections.abc import Mapping, Sequence

from streams.daily.core import Decided
from streams.daily.plan import Plan

ENVELOPE: tuple[str, ...]

class MealReader:
    def __init__(
        self,
        plan: Plan,
        texts: Mapping[str, tuple[float, float]],
        type_name: str,
        dataschema: str,
        letter: str,
        code: int,
        energy_max: float,
        grams_max: float,
    ) -> None: ...
    def read(
        self, values: Sequence[bytes | None], timestamps: Sequence[int], keys: Sequence[bytes | None]
    ) -> tuple[list[Decided], list[int]]: ...
