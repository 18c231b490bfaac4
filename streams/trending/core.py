"""Stage one: per user, the winner of every view and reaction; per item, minute and region, how many users were there.

Keyed by user, so the users of two partitions are never the same and their counts add up. A user who watches one video
10,000 times is counted once: `firsts.py`. What is folded twice, in another order, edited or deleted counts as it does
in one pass over the winners, as in the daily ledger. Deciding and applying are apart (DESIGN §8 rule 13).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from schemas.topics import REJECTED, TRENDING_COUNTS
from schemas.trending import BUNDLE, CLAIM, KINDS, MINUTE_MS, Bundle, Count, CountKey, mark, pack, partition_of
from streams.state import Counts, Drained, Guard, Pairs, Records, Target
from streams.trending.events import (
    HOUR_MS,
    KEEP_HOURS,
    RANK_BYTES,
    TIMELY_AT,
    VIEW,
    Decided,
    Winner,
    judge,
    pack_winner,
    region_name,
    region_number,
    unpack_winner,
)
from streams.trending.firsts import FRESH, LANE, LANE_MASK, REGIONS, Firsts, earliest, fresh, moved, unit_of
from streams.trending.viewers import hash_of, packed

ITEM_BITS = 36
"""Of a code: 26 of its minute, 10 of its region."""
_CODES = (1 << ITEM_BITS) - 1
_REGION_NAMES = [region_name(number) for number in range(REGIONS)]
_CLOCK = b"\1clock"
_TIMELY = ord(b"\1")


class User:
    """One user's part: winners by entity, and the earliest codes by (item, slot)."""

    __slots__ = ("codes", "entities", "firsts", "hash")

    def __init__(self, name: str) -> None:
        self.entities: dict[str, bytes] = {}
        self.firsts: dict[int, Firsts] = {}
        self.codes: dict[int, dict[int, int]] | None = None
        """By (item, slot) how many entities have each code; made when the first is taken out."""
        self.hash = hash_of(name)


class Viewings:
    """The state of one partition (streams.state.PartitionState)."""

    def __init__(self, partition: int = 0, partitions: int = 1, *, by_event_time: bool = False) -> None:
        self.partition, self.partitions = partition, partitions
        self.by_event_time = by_event_time
        self.users: dict[str, User] = {}
        self.items: dict[tuple[int, str], int] = {}
        self.names: list[tuple[int, str]] = []
        self.claims: dict[int, dict[str, int]] = {}
        """Video → how many winners name which creator: the greatest holds, should they disagree."""
        self.cells: dict[int, list[Any]] = {}
        """Item and code → its lanes, then the hashes of the users in the first of them."""
        self.clock_ms = 0
        self.caught_up = True
        """Whether all that the broker had at the last fetch is folded."""
        self.guard: Guard | None = None
        self._shown: dict[tuple[Any, ...], tuple[int, ...]] = {}
        self._claimed: set[int] = set()
        """Videos that another creator may hold now."""
        self._hours: dict[int, list[tuple[str, str]]] = {}
        """Hour → entities whose time lies there, for forgetting them."""
        self._oldest = 0
        self._told: tuple[int, bool] | None = None
        """The minute and whether it was caught up, as stage two was told last."""
        self._state: dict[bytes, bytes | None] = {}
        self._dirty: set[int] = set()
        self._rejected: Pairs = []

    # -- streams.state.PartitionState

    def restore(self, keys: Sequence[bytes], values: Sequence[bytes | None]) -> None:
        """Take winners from the changelog; counts are made from them again."""
        for key, value in zip(keys, values, strict=True):
            if key == _CLOCK:
                self.clock_ms = int(value or b"0")
                continue
            subject, _, entity = key.decode().partition("\0")
            user = self.users.get(subject) or self.users.setdefault(subject, User(subject))
            old = user.entities.pop(entity, None)
            if old is not None:
                self._count_out(user, old)
            if value is not None:
                self._restored(user, subject, entity, value)
        self._dirty.clear()
        self._claimed.clear()

    def _restored(self, user: User, subject: str, entity: str, value: bytes) -> None:
        winner = unpack_winner(value)
        user.entities[entity] = value
        self._hours.setdefault(winner.ms // HOUR_MS, []).append((subject, entity))
        if winner.slot and value[TIMELY_AT] == _TIMELY:
            self._count_in(user, winner)

    def fold(self, records: Records) -> Counts:
        """Fold records of `views`. Raising leaves the state as it was."""
        decided, refused, clock_ms = judge(records, self.clock_ms if self.by_event_time else None)
        if self.guard is not None:
            self.guard(records, refused)
        self.clock_ms = max(self.clock_ms, clock_ms)
        applied, duplicate, superseded = self._apply(decided)
        self._rejected += refused
        return Counts(applied, duplicate, superseded, len(refused))

    def reached(self, topic: str, next_offset: int, end: int) -> None:
        """Hear how far it has come, and where the topic ended then."""
        self.caught_up = next_offset >= end

    def drain(self, version: int) -> Drained:
        """What changed since the last drain: winners, counts with this version, rejects."""
        self._forget()
        found: list[Bundle] = [[] for _ in KINDS]
        cells, names, clock_ms = self.cells, self.names, self.clock_ms
        for at in self._dirty:
            cell = cells.get(at)
            kind, name = names[at >> ITEM_BITS]
            code = at & _CODES
            key = CountKey(kind, name, _REGION_NAMES[code % REGIONS], code // REGIONS, self.partition)
            if cell is None:
                found[kind].append((key, Count(version, clock_ms, (0, 0, 0), 0, b"", None)))
                continue
            lanes = cell[0]
            seen = (lanes & LANE_MASK, lanes >> LANE & LANE_MASK, lanes >> 2 * LANE & LANE_MASK)
            found[kind].append((key, Count(version, clock_ms, seen, lanes >> 3 * LANE, packed(cell[1:]), None)))
            if not lanes:
                del cells[at]
        for item in self._claimed:
            creator = max(self.claims.get(item, ()), default=None)
            key = CountKey(0, names[item][1], "", CLAIM, self.partition)
            found[0].append((key, Count(version, clock_ms, (0, 0, 0), 0, b"", creator)))
        state: Pairs = [*self._state.items(), (_CLOCK, str(self.clock_ms).encode())]
        drained = Drained(state, {**self._bundled(found, version), REJECTED.name: self._rejected})
        self._state, self._dirty, self._claimed, self._rejected = {}, set(), set(), []
        return drained

    def _bundled(self, found: list[Bundle], version: int) -> dict[Target, Pairs]:
        """Counts as records, for the partition where those of their kind meet, and at its end how far we are.

        The mark is told also where nothing is counted, once a minute: lists decay though nothing else has changed.
        """
        told, self._told = self._told, (self.clock_ms // MINUTE_MS, self.caught_up)
        meet: dict[int, Bundle] = {}
        for kind, counts in enumerate(found):
            meet.setdefault(partition_of(kind, self.partitions), []).extend(counts)
        rows: dict[Target, Pairs] = {}
        key = b"%d" % self.partition
        for to, counts in meet.items():
            if counts or told != self._told:
                counts.append(mark(self.partition, version, self.clock_ms, self.caught_up))
            records = (pack(counts[first : first + BUNDLE]) for first in range(0, len(counts), BUNDLE))
            rows[TRENDING_COUNTS.name, to] = [(key, record) for record in records]
        return rows

    # -- folding

    def _apply(self, decided: list[Decided]) -> tuple[int, int, int]:
        applied = duplicate = superseded = 0
        users, state, hours, cells, dirty, shown = (
            self.users,
            self._state,
            self._hours,
            self.cells,
            self._dirty,
            self._shown,
        )
        for one in decided:
            subject, entity, rank, ms, slot, region, _, data = one
            user = users.get(subject)
            if user is None:
                user = users[subject] = User(subject)
            entities = user.entities
            old = entities.get(entity)
            if old is not None:
                if rank[:RANK_BYTES] == old[:RANK_BYTES]:
                    duplicate += 1
                    if rank[TIMELY_AT] <= old[TIMELY_AT]:
                        continue
                    applied -= 1  # the same content, but this copy came in time: it counts from now on
                elif rank < old[:RANK_BYTES]:
                    superseded += 1
                    continue
                self._count_out_of(user, entity, old)
            applied += 1
            entities[entity] = state[f"{subject}\0{entity}".encode()] = pack_winner(one)
            hour = ms // HOUR_MS
            same_hour = hours.get(hour)
            if same_hour is None:
                same_hour = hours[hour] = []
            same_hour.append((subject, entity))
            if not slot or rank[TIMELY_AT] != _TIMELY:
                continue
            tags = data.hashtags
            what = (data.content, data.creator, data.sound, *tags) if tags else (data.content, data.creator, data.sound)
            items = shown.get(what)
            if items is None:
                items = shown[what] = self._items(data.content, data.creator, tuple(tags), data.sound)
            code = ms // MINUTE_MS * REGIONS + region
            if data.creator is not None:
                self._claim(items[0], data.creator)
            if user.codes is not None:
                _note(user.codes, items, slot, code)
            if slot != VIEW:
                for item in items:
                    self._add(user, item, slot, code)
                continue
            firsts, who = user.firsts, user.hash
            for item in items:
                have = firsts.get(item)
                if have is not None:
                    self._add(user, item, slot, code)
                    continue
                firsts[item] = code
                at = item << ITEM_BITS | code
                cell = cells.get(at)
                if cell is None:
                    cells[at] = [FRESH, who]
                else:
                    cell[0] += FRESH
                    cell.append(who)
                dirty.add(at)
        return applied, duplicate, superseded

    def _items(
        self, content: str, creator: str | None, hashtags: tuple[str, ...], sound: str | None
    ) -> tuple[int, ...]:
        """Numbers of the items that an event is about, each once."""
        named = [(0, content), (1, creator), *((2, tag) for tag in dict.fromkeys(hashtags)), (3, sound)]
        found = []
        for each in named:
            if each[1] is None:
                continue
            number = self.items.get(each)  # type: ignore[arg-type]
            if number is None:
                number = self.items[each] = len(self.names)  # type: ignore[index]
                self.names.append(each)  # type: ignore[arg-type]
            found.append(number)
        return tuple(found)

    def _claim(self, video: int, creator: str, more: int = 1) -> None:
        """One winner more, or less, names this creator."""
        own = self.claims.get(video)
        if own is None:
            own = self.claims[video] = {}
        count = own[creator] = own.get(creator, 0) + more
        if count == 1 or not count:
            self._claimed.add(video)
        if not count:
            del own[creator]
            if not own:
                del self.claims[video]

    def _of_winner(self, winner: Winner) -> tuple[tuple[int, ...], int]:
        items = self._items(winner.content, winner.creator, winner.hashtags, winner.sound)
        return items, winner.ms // MINUTE_MS * REGIONS + region_number(winner.region)

    def _count_in(self, user: User, winner: Winner) -> None:
        items, code = self._of_winner(winner)
        if winner.creator is not None:
            self._claim(items[0], winner.creator)
        if user.codes is not None:
            _note(user.codes, items, winner.slot, code)
        for item in items:
            self._add(user, item, winner.slot, code)

    def _add(self, user: User, item: int, slot: int, code: int) -> None:
        """A user's view of an item, or reaction to it, at this code."""
        at = _first_key(item, slot)
        have = user.firsts.get(at)
        if have is None:
            user.firsts[at] = code
            self._change(item, code, fresh(slot), user.hash)
            return
        unit = unit_of(slot)
        codes = (have,) if isinstance(have, int) else have
        for known in codes:
            if known // unit == code // unit and known <= code:
                return
        after = user.firsts[at] = earliest((*codes, code), unit)
        for changed, lanes in moved(have, after, slot).items():
            self._change(item, changed, lanes, user.hash)

    def _count_out_of(self, user: User, entity: str, old: bytes) -> None:
        del user.entities[entity]
        self._count_out(user, old)

    def _count_out(self, user: User, old: bytes) -> None:
        """Take a winner out that is no longer among the user's entities."""
        winner = unpack_winner(old)
        if not winner.slot or old[TIMELY_AT] != _TIMELY:
            return
        items, code = self._of_winner(winner)
        unit = unit_of(winner.slot)
        if winner.creator is not None:
            self._claim(items[0], winner.creator, -1)
        if user.codes is None:
            user.codes = self._codes(user)
        else:
            _note(user.codes, items, winner.slot, code, -1)
        for item in items:
            at = _first_key(item, winner.slot)
            have = user.firsts.get(at)
            if have is None or code not in ((have,) if isinstance(have, int) else have):
                continue  # another one was earlier
            left = earliest(user.codes.get(at, ()), unit)
            if left == ():
                del user.firsts[at]
            else:
                user.firsts[at] = left
            for changed, lanes in moved(have, left, winner.slot).items():
                self._change(item, changed, lanes, user.hash)

    def _codes(self, user: User) -> dict[int, dict[int, int]]:
        found: dict[int, dict[int, int]] = {}
        for value in user.entities.values():
            winner = unpack_winner(value)
            if winner.slot and value[TIMELY_AT] == _TIMELY:
                items, code = self._of_winner(winner)
                _note(found, items, winner.slot, code)
        return found

    def _change(self, item: int, code: int, lanes: int, who: bytes) -> None:
        at = item << ITEM_BITS | code
        cell = self.cells.get(at)
        if cell is None:
            cell = self.cells[at] = [0]
        before = cell[0] & LANE_MASK
        cell[0] += lanes
        after = cell[0] & LANE_MASK
        if after > before:
            cell.append(who)
        elif after < before:
            cell.remove(who)
        self._dirty.add(at)

    # -- forgetting

    def _forget(self) -> None:
        """Drop what no view can touch any more: it is older than a week and the day by which a view may be late."""
        until = self.clock_ms // HOUR_MS - KEEP_HOURS
        if until <= self._oldest:
            return
        self._oldest = until
        gone: set[str] = set()
        for hour in [hour for hour in self._hours if hour < until]:
            for subject, entity in self._hours.pop(hour):
                user = self.users.get(subject)
                value = user.entities.get(entity) if user is not None else None
                if user is None or value is None:
                    continue
                winner = unpack_winner(value)
                if winner.ms // HOUR_MS == hour:
                    if winner.slot and value[TIMELY_AT] == _TIMELY and winner.creator is not None:
                        self._claim(self.items[0, winner.content], winner.creator, -1)
                    del user.entities[entity]
                    self._state[f"{subject}\0{entity}".encode()] = None
                    gone.add(subject)
        first = until * 60 * REGIONS
        for subject in gone:
            user = self.users[subject]
            if not user.entities:
                del self.users[subject]
                continue
            user.codes = None
            for at, have in list(user.firsts.items()):
                kept = tuple(c for c in ((have,) if isinstance(have, int) else have) if c >= first)
                if kept:
                    user.firsts[at] = kept[0] if len(kept) == 1 else kept
                else:
                    del user.firsts[at]
        for at in [at for at in self.cells if at & _CODES < first]:
            if at not in self._dirty:
                del self.cells[at]


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
