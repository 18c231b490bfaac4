"""A cell with more than one source: its lanes again from its members, each thing that several saw counted once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import partial

from schemas.ledger import KIND_AT, Winner, split_key, unpack_winner
from streams.daily.cells import ACTIVITY, SHIFTS, SIZES, SLEEP, WORKOUT, Cell, platform_of
from streams.daily.entities import Entities
from streams.daily.overlap import TOTAL_S, Counted, Span, counted, same, strength

Group = list[tuple[bytes, Winner]]
"""What is one: the entity that counts first, then those that it stands for."""
_Values = Sequence[int | None]
_ACTIVE_S = SHIFTS[ACTIVITY] + 4 * 64
_U64 = (1 << 64) - 1


def may_hold_totals(total: int) -> bool:
    """Whether a cell's activity is so long that a daily total may be among its intervals."""
    return total >> _ACTIVE_S & _U64 >= TOTAL_S


class Sources:
    """What counts of the members of one cell."""

    def __init__(self, cell: Cell, entities: Entities, priority: tuple[str, ...] | None) -> None:
        """`priority`: platforms, weakest first; None: the default order."""
        self._strong = partial(strength, priority=priority)
        found: dict[int, Group] = {WORKOUT: [], ACTIVITY: [], SLEEP: []}
        for key, winner in entities.pick(cell.members):
            if (code := winner[KIND_AT]) in found:
                found[code].append((key, unpack_winner(winner)))
        self.lanes: dict[int, tuple[int, ...]] = {}
        """Kind → lanes as its cell would have them if each thing were one entity."""
        self.workouts = self._groups(found[WORKOUT])
        self.sleeps = self._groups(found[SLEEP])
        if self.workouts:
            self.lanes[WORKOUT] = _lanes([_first(group) for group in self.workouts])
        if self.sleeps:
            self.lanes[SLEEP] = _lanes([_first(group) for group in self.sleeps])
        self.activity: Counted = {}
        """What counts of each activity interval: steps, active_s, calories_cal, distance_mm."""
        if found[ACTIVITY]:
            self.activity = counted([_interval(key, w) for key, w in found[ACTIVITY]], self._strong)
            self.lanes[ACTIVITY] = self._activity_lanes(found[ACTIVITY])
        self.left_out = {
            f"{kind}:{split_key(key).entity}": split_key(group[0][0]).entity
            for kind, groups in (("workout", self.workouts), ("sleep", self.sleeps))
            for group in groups
            for key, _ in group[1:]
        }
        """Workouts and sleeps that do not count → the one that counts for them."""

    def _groups(self, members: Group) -> list[Group]:
        winners = dict(members)
        spans = [_span(key, w) for key, w in members]
        groups = same([span for span in spans if span.seconds], self._strong)
        groups |= {span.key: [span.key] for span in spans if not span.seconds}
        return [[(key, winners[key]) for key in keys] for keys in groups.values()]

    def _activity_lanes(self, members: Group) -> tuple[int, ...]:
        """The seconds are those of the source that saw most: coverage rests on them."""
        seconds: dict[str, int] = defaultdict(int)
        for _, w in members:
            seconds[platform_of(w.source)] += w.values[4] or 0
        *sums, _, n_steps, n_active, n_calories, n_distance, _, count = _lanes(
            [(*self.activity[key], 0) for key, _ in members]
        )
        return *sums, max(seconds.values()), n_steps, n_active, n_calories, n_distance, count, count


def _span(key: bytes, w: Winner) -> Span:
    """When a workout or sleep was; 0 seconds where nobody knows."""
    if w.kind.code == WORKOUT:
        return Span(key, platform_of(w.source), w.ms, w.values[0] or 0)
    asleep, in_bed = w.values
    seconds = in_bed or asleep or 0
    return Span(key, platform_of(w.source), w.ms - seconds * 1000, seconds)


def _interval(key: bytes, w: Winner) -> Span:
    return Span(key, platform_of(w.source), w.ms, max(1, w.values[4] or 0), w.values[:4])


def _first(group: Group) -> _Values:
    """Of each value what the strongest source says that says it."""
    each = [w.values for _, w in group]
    return [next((value for value in said if value is not None), None) for said in zip(*each, strict=True)]


def _lanes(each: Sequence[_Values]) -> tuple[int, ...]:
    columns = list(zip(*each, strict=True))
    sums = [sum(value for value in column if value is not None) for column in columns]
    return *sums, *[sum(value is not None for value in column) for column in columns], len(each)


assert SIZES[ACTIVITY] == 5
