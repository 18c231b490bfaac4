"""Cells: the totals of one user's day. Whatever can be summed is summed in lanes of one integer, so that an entity is
added and taken away again exactly; what cannot (last weight, best lift) is found again from the cell's members.

The lanes of a kind (schemas/ledger.py) hold a 64-bit sum per value, a 32-bit count of how often it was there, and a
32-bit count of entities. All kinds of a cell lie side by side in one Python integer: adding a meal is one addition.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from schemas.ledger import KIND_AT, KIND_OF_TYPE, LANES, Winner, lanes_of, unpack_winner
from streams.compiled import compiled
from streams.daily.days import Profiles, day_of
from streams.daily.entities import Entities

MEAL, WATER, WORKOUT, ACTIVITY, SLEEP, MEASURED = COUNTED = tuple(
    KIND_OF_TYPE[name].code
    for name in (
        "meal.logged",
        "water.logged",
        "workout.completed",
        "activity.recorded",
        "sleep.recorded",
        "body.measured",
    )
)
"""Kinds that lie on a day, in the order of their lanes."""

SIZES = {kind.code: len(kind.values) for kind in KIND_OF_TYPE.values() if kind.code in COUNTED}
"""Kind → number of values."""


def _shifts() -> dict[int, int]:
    found, bits = {}, 0
    for code in COUNTED:
        found[code] = bits
        bits += LANES[SIZES[code]].size * 8
    return found


SHIFTS = _shifts()
"""Kind → how many bits its lanes lie to the left in a cell's total."""


class PythonCell:
    """Totals of one (user, local day), never empty."""

    __slots__ = ("first_ms", "last_ms", "members", "platforms", "stale", "total")

    def __init__(self, member: bytes, amount: int, platform: str, ms: int) -> None:
        self.total = amount
        self.members = [member]
        """Handles of what lies in it, see `Entities.pick`."""
        self.platforms: tuple[str, ...] = (platform,)
        self.first_ms = self.last_ms = ms
        self.stale = False

    @property
    def size(self) -> int:
        """How many entities lie in it."""
        return len(self.members)

    def add(self, member: bytes, amount: int, platform: str, ms: int) -> None:
        """Take an entity in; `amount` is its lanes, shifted to their place."""
        self.total += amount
        self.members.append(member)
        if platform not in self.platforms:
            self.platforms = (*self.platforms, platform)
        if ms < self.first_ms:
            self.first_ms = ms
        elif ms > self.last_ms:
            self.last_ms = ms

    def remove(self, member: bytes, amount: int) -> None:
        """The inverse of add, for the sums. Times and platforms have none: `survey` finds them again."""
        self.total -= amount
        self.members.remove(member)
        self.stale = True

    def survey(self, entities: Entities) -> None:
        """Find platforms, first and last event again after something was removed."""
        members = [unpack_winner(winner) for _, winner in entities.pick(self.members)]
        self.platforms = tuple({platform_of(w.source) for w in members})
        self.first_ms, self.last_ms = min(w.ms for w in members), max(w.ms for w in members)
        self.stale = False


if TYPE_CHECKING:
    Cell = PythonCell
else:
    _compiled = compiled("streams.daily.native_ledger")
    Cell = PythonCell if _compiled is None else _compiled.Cell


@lru_cache(maxsize=65_536)
def platform_of(source: str) -> str:
    """ios of ios/5.2.0."""
    return source.partition("/")[0]


def amount_of(winner: bytes) -> int:
    """A packed winner's lanes, shifted to their place in a cell; 0 for what lies on no day (deletes, goals, plans)."""
    code = winner[KIND_AT]
    return lanes_of(winner, SIZES[code]) << SHIFTS[code] if code in SHIFTS else 0


def winner_day(winner: Winner, profiles: Profiles) -> int:
    """The day that it counts on."""
    return day_of(winner.ms, winner.offset_min, winner.timezone, profiles)


def cells_of(entities: Entities, profiles: Profiles) -> dict[int, Cell]:
    """All cells of a user, from nothing but the winners: totals are a pure function of the ledger."""
    cells: dict[int, Cell] = {}
    for key, packed in entities.items():
        if amount := amount_of(packed):
            winner = unpack_winner(packed)
            day, member = winner_day(winner, profiles), entities.handle(key)
            if day in cells:
                cells[day].add(member, amount, platform_of(winner.source), winner.ms)
            else:
                cells[day] = Cell(member, amount, platform_of(winner.source), winner.ms)
    return cells
