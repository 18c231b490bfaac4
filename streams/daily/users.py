"""Where a ledger keeps its users: all in memory. Those that no event touches may lie on disk instead: cold.py."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from schemas.ledger import unpack_winner
from streams.compiled import compiled
from streams.daily.cells import SHIFTS, Cell, cells_of, winner_day
from streams.daily.days import Profiles
from streams.daily.entities import Entities
from streams.daily.valid import EMPTY, Book, book_of


class _PythonBase:
    __slots__ = ("book", "cells", "entities", "profiles")


if TYPE_CHECKING:
    _Base = _PythonBase
else:
    _compiled = compiled("streams.daily.native_ledger")
    _Base = _PythonBase if _compiled is None else _compiled.UserBase


class User(_Base):
    """One user's part of the ledger. `cells` is None until somebody asks: restored users cost no sums."""

    __slots__ = ()

    def __init__(self) -> None:
        self.entities = Entities()
        self.cells: dict[int, Cell] | None = {}
        self.book: Book = EMPTY
        self.profiles: Profiles = ()
        """Those of the book; the fold asks for them at every event."""

    def warm(self) -> dict[int, Cell]:
        """The cells, made from the winners if need be."""
        if self.cells is None:
            self._read_book()
            self.cells = cells_of(self.entities, self.profiles)
        return self.cells

    def read_profiles(self) -> Profiles:
        """The profiles among the winners, latest first."""
        return book_of(self.entities).profiles

    def _read_book(self) -> None:
        self.book = book_of(self.entities)
        self.profiles = self.book.profiles

    def judge_again(self) -> set[int]:
        """Apply changed goals, plans or profiles. Returns the days that are judged differently, or that gained or lost
        an entity; all others stay as they are."""
        before = self.book
        self._read_book()
        changed = self._rezone(before.profiles) if before.profiles != self.profiles else set()
        for day, cell in self.warm().items():
            if self.book.on(day).differs(before.on(day), several=len(cell.platforms) > 1):
                changed.add(day)
        return changed

    def _rezone(self, before: Profiles) -> set[int]:
        moved: set[int] = set()
        for winner in map(unpack_winner, self.entities.values()):
            if winner.kind.code in SHIFTS:
                old, new = winner_day(winner, before), winner_day(winner, self.profiles)
                if old != new:
                    moved |= {old, new}
        if moved:
            self.cells = cells_of(self.entities, self.profiles)
        return moved


class Users(dict[str, User]):
    """Subject → user, all of them."""

    def of(self, subject: str) -> User:
        """The user, made anew where it is unknown."""
        user = self.get(subject)
        if user is None:
            user = self[subject] = User()
        return user

    def put(self, keys: Sequence[bytes], values: Sequence[bytes | None]) -> None:
        """Set winners, None takes one away; users stay cold until an event touches them."""
        for key, value in zip(keys, values, strict=True):
            subject = key[: key.index(b"\0")].decode()
            user = self.get(subject)
            if value is None:
                if user is not None:
                    user.entities.pop(key, None)
                    user.cells = None
                    if not user.entities:
                        del self[subject]
                continue
            if user is None:
                user = self[subject] = User()
            user.entities[key] = value
            user.cells = None

    def subjects(self) -> Iterator[str]:
        """Everybody who is here now."""
        return iter(list(self))

    def settle(self, log: Mapping[bytes, bytes | None], stay: Container[str]) -> None:
        """A flush is drained: `log` is what it writes to the changelog. Users in `stay` must stay in memory."""

    def close(self) -> None:
        """The partition leaves."""
