"""A user's winners, by their changelog keys: a dict here, one block of memory where it is compiled (entities.pxi)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from streams.compiled import compiled


class PythonEntities(dict[bytes, bytes]):
    """Key → packed winner, all of one user. A cell remembers an entity by its handle, which is good until it leaves."""

    __slots__ = ()

    def handle(self, key: bytes) -> bytes:
        """What a cell remembers the entity by; raises KeyError."""
        return key

    def pick(self, handles: Iterable[bytes]) -> list[tuple[bytes, bytes]]:
        """(key, winner) of each handle."""
        return [(key, self[key]) for key in handles]


if TYPE_CHECKING:
    Entities = PythonEntities
else:
    _compiled = compiled("streams.daily.native_ledger")
    Entities = PythonEntities if _compiled is None else _compiled.Entities
