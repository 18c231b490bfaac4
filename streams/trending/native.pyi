from collections.abc import Sequence
from typing import Any

from streams.trending.events import Decided
from streams.trending.reading import FieldPlan

ENVELOPE: tuple[str, ...]

class ViewReader:
    def __init__(
        self,
        fields: Sequence[FieldPlan],
        texts: dict[str, tuple[int, int]],
        type_name: str,
        dataschema: str,
        watched_max: float,
    ) -> None: ...
    def read(
        self, values: Sequence[bytes | None], timestamps: Sequence[int], keys: Sequence[bytes | None]
    ) -> tuple[list[Decided | None], list[int], int]: ...

class Cell:
    lanes: int
    sketch: Any
    item: int
    code: int
    fresh: int
    dirty: bool
    hashes: list[bytes]
    def __init__(self, item: int, code: int) -> None: ...

class User:
    entities: dict[bytes, bytes]
    firsts: dict[int, int | tuple[int, ...]]
    codes: dict[int, dict[int, int]] | None
    hash: bytes
    def __init__(self, subject: bytes) -> None: ...

class Tally:
    video: int
    count: int
    def __init__(self, video: int) -> None: ...

class Packer:
    def records(
        self, cells: list[Any], heads: list[bytes], tails: dict[int, bytes], version: int, clock_ms: int
    ) -> list[bytes]: ...

def apply(state: Any, decided: list[Decided | None]) -> int: ...
