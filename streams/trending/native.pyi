from collections.abc import Sequence
from typing import Any

from streams.trending.events import Decided
from streams.trending.firsts import Firsts
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
    dirty: bool
    def __init__(self, item: int, code: int) -> None: ...
    def came(self, who: bytes) -> None: ...
    def left(self, who: bytes) -> None: ...
    def plain(self) -> bytes: ...
    def clear(self) -> None: ...

class User:
    entities: dict[bytes, bytes]
    codes: dict[int, dict[int, int]] | None
    hash: bytes
    def __init__(self, subject: bytes) -> None: ...
    def first_of(self, at: int) -> Firsts | None: ...
    def set_first(self, at: int, have: Firsts) -> None: ...
    def drop_first(self, at: int) -> None: ...
    def all_firsts(self) -> list[tuple[int, Firsts]]: ...

class Tally:
    video: int
    count: int
    def __init__(self, video: int) -> None: ...

class Packer:
    def records(
        self, cells: list[Any], heads: list[bytes], tails: dict[int, bytes], version: int, clock_ms: int
    ) -> list[bytes]: ...

def apply(state: Any, decided: list[Decided | None]) -> int: ...
