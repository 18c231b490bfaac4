"""Stage one: per user, the winner of every view and reaction; per item, minute and region, how many users were there.

Keyed by user, so the users of two partitions are never the same and their counts add up. A user who watches one video
10,000 times is counted once: `firsts.py`. What is folded twice, in another order, edited or deleted counts as it does
in one pass over the winners, as in the daily ledger. Deciding and applying are apart (DESIGN §8 rule 13).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from schemas.topics import REJECTED, TRENDING_COUNTS
from schemas.trending import BUNDLE, CLAIM, KINDS, MINUTE_MS, Bundle, Count, CountKey, mark, pack, partition_of
from streams.state import Counts, Drained, Guard, Pairs, Records, Target
from streams.trending.cells import Cell, Tally, User
from streams.trending.events import (
    HOUR_MS,
    KEEP_HOURS,
    RANK_BYTES,
    REGIONS,
    TIMELY_AT,
    VIEW,
    Decided,
    Winner,
    judge,
    region_name,
    region_number,
    shown_by,
    unpack_winner,
)
from streams.trending.firsts import LANE_MASK, earliest, fresh, moved, unit_of
from streams.trending.reading import Path, best_path

_REGION_NAMES = [region_name(number) for number in range(REGIONS)]
_CLOCK = b"\1clock"
_TIMELY = ord(b"\1")


What = tuple[tuple[int, ...], Tally | None]
"""Numbers of items that were on a screen, and the tally of the video's creator."""


class Viewings:
    """The state of one partition (streams.state.PartitionState)."""

    def __init__(
        self, partition: int = 0, partitions: int = 1, *, by_event_time: bool = False, path: Path | None = None
    ) -> None:
        self.partition, self.partitions = partition, partitions
        self.by_event_time = by_event_time
        self.path = path or best_path()
        self.users: dict[bytes, User] = {}
        self.items: dict[tuple[int, str], int] = {}
        self.names: list[tuple[int, str]] = []
        """By the item's number: its kind and name."""
        self.claims: dict[int, dict[str, Tally]] = {}
        """Video → how many winners name which creator: the greatest holds, should they disagree."""
        self.cells: dict[int, dict[int, Cell]] = {}
        """Code → item → its cell (cells.py)."""
        self.places: dict[int, Any] = {}
        """Code → where native.pyx counts what is shown: short cuts to the cells of the minutes that views come for."""
        self.clock_ms = 0
        self.caught_up = True
        """Whether all that the broker had at the last fetch is folded."""
        self.guard: Guard | None = None
        self._shown: dict[bytes, What] = {}
        """What was on the screen, as winners end → its items, and the creator's tally of the video."""
        self._heads: list[bytes] = []
        """By item, how the key of a count begins."""
        self._claimed: set[int] = set()
        """Videos that another creator may hold now."""
        self._hours: dict[int, list[bytes]] = {}
        """Hour → entities whose time lies there, for forgetting them."""
        self._oldest = 0
        self._told: tuple[int, bool] | None = None
        """The minute and whether it was caught up, as stage two was told last."""
        self._state: dict[bytes, bytes | None] = {}
        self._dirty: list[Cell] = []
        self._emptied: list[Cell] = []
        """Cells that may have nothing left."""
        self._rejected: Pairs = []
        self._outcome = [0, 0, 0]
        """Of the fold under way: applied, duplicate, superseded."""

    # -- streams.state.PartitionState

    def restore(self, keys: Sequence[bytes], values: Sequence[bytes | None]) -> None:
        """Take winners from the changelog; counts are made from them again."""
        for key, value in zip(keys, values, strict=True):
            if key == _CLOCK:
                self.clock_ms = int(value or b"0")
                continue
            subject = key.partition(b"\0")[0]
            user = self.users.get(subject) or self._new_user(subject)
            old = user.entities.pop(key, None)
            if old is not None:
                self._count_out(user, old)
            if value is not None:
                self._restored(user, key, value)
            elif not user.entities:
                del self.users[subject]
        for cell in self._dirty:
            cell.dirty = False
        self._dirty.clear()
        self._claimed.clear()

    def _restored(self, user: User, key: bytes, value: bytes) -> None:
        winner = unpack_winner(value)
        user.entities[key] = value
        self._hours.setdefault(winner.ms // HOUR_MS, []).append(key)
        if winner.slot and value[TIMELY_AT] == _TIMELY:
            self._count_in(user, winner)

    def fold(self, records: Records) -> Counts:
        """Fold records of `views`. Raising leaves the state as it was."""
        decided, refused, clock_ms = judge(records, self.clock_ms if self.by_event_time else None, self.path.reader)
        if self.guard is not None:
            self.guard(records, refused)
        self.clock_ms = max(self.clock_ms, clock_ms)
        self._outcome = [0, 0, 0]
        if self.path.apply is not None:
            at_once = self.path.apply(self, decided)
            self._outcome[0] += at_once
        else:
            for one in decided:
                if one is not None:
                    self._one(one)
        self._rejected += refused
        applied, duplicate, superseded = self._outcome
        return Counts(applied, duplicate, superseded, len(refused))

    def erase(self, find: Callable[[Iterable[str]], list[str]]) -> None:
        """Take out all winners of the users that `find` picks: counts are as if they had never watched. Who is in a
        sketch stays in it (viewers.py)."""
        for found in find([subject.decode() for subject in self.users]):
            subject = found.encode()
            user = self.users[subject]
            for key, old in list(user.entities.items()):
                del user.entities[key]
                self._state[key] = None
                self._count_out(user, old)
            del self.users[subject]

    def reached(self, topic: str, next_offset: int, end: int) -> None:
        """Hear how far it has come, and where the topic ended then."""
        self.caught_up = next_offset >= end

    def drain(self, version: int) -> Drained:
        """What changed since the last drain: winners, counts with this version, rejects."""
        self._forget()
        self._forget_places()
        rows = self._counted(version)
        state: Pairs = [*self._state.items(), (_CLOCK, str(self.clock_ms).encode())]
        drained = Drained(state, {**rows, REJECTED.name: self._rejected})
        self._state, self._claimed, self._rejected = {}, set(), []
        return drained

    def _counted(self, version: int) -> dict[Target, Pairs]:
        """Counts as records, for the partition where those of their kind meet, and at their end how far we are.

        The mark is told also where nothing is counted, once a minute: lists decay though nothing else has changed.
        """
        dirty, self._dirty = self._dirty, []
        names, clock_ms = self.names, self.clock_ms
        meet: dict[int, list[Cell]] = {partition_of(kind, self.partitions): [] for kind in range(len(KINDS))}
        lists = [meet[partition_of(kind, self.partitions)] for kind in range(len(KINDS))]
        for cell in dirty:
            cell.dirty = False
            lists[names[cell.item][0]].append(cell)
        tails = {code: self._tail(code) for code in {cell.code for cell in dirty}}
        told, self._told = self._told, (clock_ms // MINUTE_MS, self.caught_up)
        rows: dict[Target, Pairs] = {}
        key = b"%d" % self.partition
        for to, cells in meet.items():
            records = self.path.packer.records(cells, self._heads, tails, version, clock_ms)
            others = self._claims(version) if to == partition_of(0, self.partitions) else []
            if records or others or told != self._told:
                others.append(mark(self.partition, version, clock_ms, self.caught_up))
            records += [pack(others[first : first + BUNDLE]) for first in range(0, len(others), BUNDLE)]
            rows[TRENDING_COUNTS.name, to] = [(key, record) for record in records]
        emptied, self._emptied = self._emptied, []
        for cell in emptied:
            if not cell.lanes:
                self.cells.get(cell.code, {}).pop(cell.item, None)
                self.places.pop(cell.code, None)
        return rows

    def _tail(self, code: int) -> bytes:
        """How the key of a count ends."""
        return pack(_REGION_NAMES[code % REGIONS]) + pack(code // REGIONS) + pack(self.partition)

    def _claims(self, version: int) -> Bundle:
        """Whose the videos are that may be another's now."""
        found: Bundle = []
        for video in self._claimed:
            names = [name for name, tally in self.claims.get(video, {}).items() if tally.count]
            at = CountKey(0, self.names[video][1], "", CLAIM, self.partition)
            found.append((at, Count(version, self.clock_ms, (0, 0, 0), 0, b"", max(names, default=None))))
        return found

    # -- folding

    def _new_user(self, subject: bytes) -> User:
        user: User = self.path.user(subject)
        self.users[subject] = user
        return user

    def _one(self, one: Decided) -> None:
        """Apply what is decided of one event."""
        subject, key, winner, ms, slot, code, shown = one
        user = self.users.get(subject) or self._new_user(subject)
        old = user.entities.get(key)
        if old is not None:
            if winner[:RANK_BYTES] == old[:RANK_BYTES]:
                self._outcome[1] += 1
                if winner[TIMELY_AT] <= old[TIMELY_AT]:
                    return
                self._outcome[0] -= 1  # the same content, but this copy came in time: it counts from now on
            elif winner < old[:RANK_BYTES]:
                self._outcome[2] += 1
                return
            del user.entities[key]
            self._count_out(user, old)
        self._outcome[0] += 1
        user.entities[key] = self._state[key] = winner
        self._hours.setdefault(ms // HOUR_MS, []).append(key)
        if slot and winner[TIMELY_AT] == _TIMELY:
            self._add_all(user, self._shown.get(shown) or self.items_of(winner, shown), slot, code)

    def items_of(self, packed: bytes, shown: bytes) -> What:
        """Numbers of the items that were on the screen of a winner, each once, and its creator's tally; remembered."""
        return self._remember(unpack_winner(packed), shown)

    def _remember(self, said: Winner, shown: bytes) -> What:
        tags = ((2, tag) for tag in dict.fromkeys(said.hashtags))
        named = [(0, said.content), (1, said.creator), *tags, (3, said.sound)]
        items = tuple(self._number(kind, name) for kind, name in named if name is not None)
        tally = None
        if said.creator is not None:
            own = self.claims.setdefault(items[0], {})
            tally = own.get(said.creator)
            if tally is None:
                tally = own[said.creator] = self.path.tally(items[0])
        self._shown[shown] = items, tally
        return items, tally

    def _number(self, kind: int, name: str) -> int:
        number = self.items.get((kind, name))
        if number is None:
            number = self.items[kind, name] = len(self.names)
            self.names.append((kind, name))
            self._heads.append(b"\x92\x95" + pack(kind) + pack(name))
        return number

    def _claim(self, tally: Tally | None, more: int = 1) -> None:
        """One winner more, or less, names this creator."""
        if tally is not None:
            tally.count += more
            if tally.count == (1 if more > 0 else 0):
                self._claimed.add(tally.video)

    def _of_winner(self, winner: Winner) -> tuple[What, int]:
        end = shown_by(winner)
        what = self._shown.get(end) or self._remember(winner, end)
        return what, winner.ms // MINUTE_MS * REGIONS + region_number(winner.region)

    def _count_in(self, user: User, winner: Winner) -> None:
        what, code = self._of_winner(winner)
        self._add_all(user, what, winner.slot, code)

    def _add_all(self, user: User, what: What, slot: int, code: int) -> None:
        items, tally = what
        self._claim(tally)
        if user.codes is not None:
            _note(user.codes, items, slot, code)
        for item in items:
            self._add(user, item, slot, code)

    def _add(self, user: User, item: int, slot: int, code: int) -> None:
        """A user's view of an item, or reaction to it, at this code."""
        at = _first_key(item, slot)
        have = user.first_of(at)
        if have is None:
            user.set_first(at, code)
            self._change(item, code, fresh(slot), user.hash)
            return
        unit = unit_of(slot)
        codes = (have,) if isinstance(have, int) else have
        for known in codes:
            if known // unit == code // unit and known <= code:
                return
        after = earliest((*codes, code), unit)
        user.set_first(at, after)
        for changed, lanes in moved(have, after, slot).items():
            self._change(item, changed, lanes, user.hash)

    def _count_out(self, user: User, old: bytes) -> None:
        """Take a winner out that is no longer among the user's entities."""
        winner = unpack_winner(old)
        if not winner.slot or old[TIMELY_AT] != _TIMELY:
            return
        (items, tally), code = self._of_winner(winner)
        unit = unit_of(winner.slot)
        self._claim(tally, -1)
        if user.codes is None:
            user.codes = self._codes(user)
        else:
            _note(user.codes, items, winner.slot, code, -1)
        for item in items:
            at = _first_key(item, winner.slot)
            have = user.first_of(at)
            if have is None or code not in ((have,) if isinstance(have, int) else have):
                continue  # another one was earlier
            left = earliest(user.codes.get(at, ()), unit)
            if left == ():
                user.drop_first(at)
            else:
                user.set_first(at, left)
            for changed, lanes in moved(have, left, winner.slot).items():
                self._change(item, changed, lanes, user.hash)

    def _codes(self, user: User) -> dict[int, dict[int, int]]:
        found: dict[int, dict[int, int]] = {}
        for value in user.entities.values():
            winner = unpack_winner(value)
            if winner.slot and value[TIMELY_AT] == _TIMELY:
                (items, _), code = self._of_winner(winner)
                _note(found, items, winner.slot, code)
        return found

    def _change(self, item: int, code: int, lanes: int, who: bytes) -> None:
        row = self.cells.setdefault(code, {})
        cell = row.get(item)
        if cell is None:
            cell = row[item] = self.path.cell(item, code)
        before = cell.lanes
        after = cell.lanes = before + lanes
        if (after & LANE_MASK) > (before & LANE_MASK):
            cell.came(who)
        elif (after & LANE_MASK) < (before & LANE_MASK):
            cell.left(who)
        if not after:
            self._emptied.append(cell)
        if not cell.dirty:
            cell.dirty = True
            self._dirty.append(cell)

    # -- forgetting

    def _forget_places(self) -> None:
        """Drop the short cuts to earlier minutes, and the cells that are only there for those."""
        until = (self.clock_ms // MINUTE_MS - 1) * REGIONS
        for code in [code for code in self.places if code < until]:
            del self.places[code]
            row = self.cells.get(code, {})
            for item in [item for item, cell in row.items() if not cell.dirty and not cell.lanes]:
                del row[item]
            if not row:
                self.cells.pop(code, None)

    def _forget(self) -> None:
        """Drop what no view can touch any more: it is older than a week and the day by which a view may be late."""
        until = self.clock_ms // HOUR_MS - KEEP_HOURS
        if until <= self._oldest:
            return
        self._oldest = until
        gone: set[bytes] = set()
        for hour in [hour for hour in self._hours if hour < until]:
            for key in self._hours.pop(hour):
                subject = key.partition(b"\0")[0]
                user = self.users.get(subject)
                value = user.entities.get(key) if user is not None else None
                if user is None or value is None:
                    continue
                winner = unpack_winner(value)
                if winner.ms // HOUR_MS == hour:
                    if winner.slot and value[TIMELY_AT] == _TIMELY:
                        self._claim(self._of_winner(winner)[0][1], -1)
                    del user.entities[key]
                    self._state[key] = None
                    gone.add(subject)
        first = until * 60 * REGIONS
        for subject in gone:
            user = self.users[subject]
            if not user.entities:
                del self.users[subject]
                continue
            user.codes = None
            for at, have in user.all_firsts():
                kept = tuple(c for c in ((have,) if isinstance(have, int) else have) if c >= first)
                if kept:
                    user.set_first(at, kept[0] if len(kept) == 1 else kept)
                else:
                    user.drop_first(at)
        for code in [code for code in self.cells if code < first]:
            dirty = {item: cell for item, cell in self.cells.pop(code).items() if cell.dirty}
            if dirty:
                self.cells[code] = dirty


def _first_key(item: int, slot: int) -> int:
    """Views are by far the most: their key is the item itself."""
    return item if slot == VIEW else item | slot << 40


def _note(codes: dict[int, dict[int, int]], items: tuple[int, ...], slot: int, code: int, more: int = 1) -> None:
    """Count an entity's code for its items, or, with -1, no more."""
    for item in items:
        at = _first_key(item, slot)
        own = codes.setdefault(at, {})
        own[code] = own.get(code, 0) + more
        if own[code] <= 0:
            del own[code]
