from collections.abc import Callable, Iterable
from typing import Any

from streams.trending.boards import Asked
from streams.trending.ranking import Place
from streams.trending.scoring import Params
from streams.trending.summing import Written

class Scale:
    def __init__(self, params: Params) -> None: ...

class Series:
    def __init__(self, scale: Scale) -> None: ...

class NativeScoring:
    def __init__(self, scale: Scale) -> None: ...
    def best(self, asked: Asked, room: int) -> tuple[dict[str, int], int]: ...
    def again(self, asked: Asked, changed: Iterable[str], scores: dict[str, int], bar: int) -> None: ...

def written(
    asked: Asked,
    places: list[Place],
    scores: dict[str, int],
    before: Written,
    creator_of: Callable[[str], str | None] | None,
) -> Written: ...
def take(lists: Any, values: list[bytes]) -> int: ...
def few(waiting: Iterable[tuple[int, bytes]], after: int, through: int) -> int | None: ...

class Held:
    version: int
    seen: tuple[int, int, int]
    reactions: int
    def __init__(self, version: int, seen: tuple[int, int, int], reactions: int) -> None: ...
