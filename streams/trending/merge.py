"""Stage two: the counts of all source partitions, item by item, and the lists that they make.

A kind's counts meet in one partition, because a list is made of all of them. The newest version of each count holds, so
a count that comes again changes nothing.

The clock is a watermark: the least that any source partition has come to, of those that are behind or were not heard
of yet. One that has come to its end holds nobody back, whatever its clock: it has nothing earlier to say. Without
events nothing moves, and the last lists stay. Each flush makes the lists of the last hour, and those of one of
the two longer windows: they take turns. What is forgotten is forgotten per source partition, by its own clock,
so who is behind loses nothing.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple, cast

from schemas.positions import GENERATION_SHIFT
from schemas.topics import REBUILDS_APART, TRENDING, TRENDING_BLOCKS, TRENDING_GENERATION
from schemas.trending import (
    ALL,
    BUNDLE,
    CLAIM,
    KINDS,
    MARK,
    MINUTE_MS,
    WINDOWS,
    Block,
    Bundle,
    Count,
    CountKey,
    Entry,
    TrendingList,
    block_key,
    decode_block,
    encode_list,
    list_key,
    pack,
    unpack,
    unpack_bundle,
    unpack_count,
    unpack_key,
)
from streams.state import Counts, Drained, Pairs, Records
from streams.trending.boards import Asked, Board
from streams.trending.crowd import Crowd
from streams.trending.ranking import Place, ranked
from streams.trending.scoring import KEEP_HOURS, Params, weeks_known
from streams.trending.summing import SumPath, Written, best_path, difference

KEEP_MINUTES = 9 * 1_440
"""A week, and the two days that stage one keeps too, rounded up."""
_COUNT, _HOURS, _BLOCK, _CLOCK = b"c", b"h", b"b", b"t"
"""First bytes of the changelog's keys."""
Shelf = tuple[int, str]
"""Kind and region."""
Hourly = tuple[int, str, str, int, int, int]
"""Kind, region, id, and how often it was seen, as in `Count.seen`."""


class Clock(NamedTuple):
    """How far a source partition has come."""

    version: int
    ms: int
    caught_up: bool


class Lists:
    """The state of one partition (streams.state.PartitionState)."""

    def __init__(
        self, partition: int = 0, sources: int = 1, params: Params | None = None, path: SumPath | None = None
    ) -> None:
        self.partition = partition
        self.sources = sources
        """How many source partitions there are; each says how far it is before it counts anything."""
        self.params = params or Params()
        self.path = path or best_path(self.params)
        self.now = 0
        """The minute that lists are made for."""
        self.clock_ms = 0
        self.clocks: dict[int, Clock] = {}
        """By source partition."""
        self.shelves: dict[Shelf, dict[str, Any]] = {}
        """Item → its series."""
        self.claims: dict[str, dict[int, str]] = {}
        """Video → source partition → creator."""
        self._creators: dict[str, str] = {}
        """Video → creator, by these claims."""
        self.blocks: dict[tuple[str, str], Block] = {}
        self._counts: dict[bytes, Any] = {}
        """Each a Held."""
        self._by_minute: dict[int, dict[bytes, None]] = {}
        """Minute → keys of its counts."""
        self._boards: dict[tuple[int, str, int], Board] = {}
        """By kind, region, window."""
        self._old: dict[int, dict[bytes, list[Hourly]]] = {}
        """Hour → what is left of its minutes that are forgotten, by source partition."""
        self._seen: tuple[dict[int, int], ...] = tuple({} for _ in KINDS)
        """Of each kind, hour → views of anything."""
        self._weeks: tuple[int, ...] = ()
        self._horizons: dict[int, int] = {}
        self._state: dict[bytes, bytes | None] = {}
        self._changed: dict[Shelf, dict[str, None]] = {}
        self._scored_at: tuple[int, ...] = ()
        self._turn = 1
        """The longer window (by number) whose lists the next drain makes."""
        self._stale: set[int] = set()
        """Windows whose boards are of an earlier minute."""
        self._later: tuple[dict[Shelf, dict[str, None]], ...] = tuple({} for _ in WINDOWS)
        """What has changed, of each window, since its last turn, but not since the last drain."""
        self._emitted: dict[tuple[int, str, int], list[tuple[Place, int]]] = {}
        self._entries: dict[tuple[int, str, int], Written] = {}

    # -- streams.state.PartitionState

    def restore(self, keys: Sequence[bytes], values: Sequence[bytes | None]) -> None:
        """Take counts, hours and blocks from the changelog."""
        for key, value in zip(keys, values, strict=True):
            what, rest = key[:1], key[1:]
            if what == _COUNT:
                if value is None:
                    self._drop(rest)
                else:
                    self._take(rest, unpack_key(rest), unpack_count(value))
            elif what == _BLOCK and value is not None:
                self._block(decode_block(value))
            elif what == _CLOCK and value is not None:
                self.clocks[unpack(rest)] = Clock(*unpack(value))
                self._advance()
            elif what == _HOURS:
                self._restore_hours(rest, value)
        self._state.clear()

    def fold(self, records: Records) -> Counts:
        """Fold counts or blocks. Raising leaves the state as it was."""
        if records.topic == TRENDING_BLOCKS.name:
            return self._fold_blocks(records)
        values = [value for _, value in _pairs(records)]
        if self.path.take is not None:
            applied = self.path.take(self, values)
        else:
            applied = sum(self._take_bundle(bundle) for bundle in [unpack_bundle(value) for value in values])
        return Counts(applied=applied, superseded=len(values) - applied)

    def drain(self, version: int) -> Drained:
        """Lists that changed, and what they are made from."""
        self._forget()
        rows: Pairs = []
        blocked = {of: {b.id for b in self.blocks.values() if b.blocked and b.kind == of} for of in KINDS}
        for at, name, asked in self._moved():
            kind, region, _ = at
            board, creator_of = self._boards[at], self._creators.get if kind == 0 else None
            rank = partial(
                ranked,
                blocked=blocked[KINDS[kind]],
                creator_of=creator_of,
                per_creator=self.params.per_creator,
            )
            places = board.places(rank, self.path.scoring, asked)
            shown = [(place, board.scores[place.item]) for place in places]
            if self._emitted.get(at) != shown:
                self._emitted[at] = shown
                row = TrendingList(KINDS[kind], region, name, version, self.clock_ms)
                entries = self.path.written(asked, places, board.scores, self._entries.get(at, {}), creator_of)
                self._entries[at] = entries
                row.entries = cast("list[Entry]", [encoded for _, encoded in entries.values()])
                rows.append((list_key(row), encode_list(row)))
        drained = Drained(list(self._state.items()), {TRENDING.name: rows})
        self._state, self._changed = {}, {}
        return drained

    # -- counts

    def _take_bundle(self, bundle: Bundle) -> bool:
        """Take what is new of it; whether anything was."""
        return any([self._count(what, count) for what, count in bundle if _is_ours(count)])

    def _count(self, what: CountKey, count: Count) -> bool:
        """Take a count if it is newer than the one that is held."""
        if what.minute == MARK:
            return self._mark(what.source, count)
        if what.minute < self._horizon(what.source) and what.minute != CLAIM:
            return False
        key = pack(what)
        old = self._counts.get(key)
        if old is not None and old.version >= count.version:
            return False
        self._take(key, what, count)
        self._state[_COUNT + key] = pack(count)
        return True

    def _mark(self, source: int, count: Count) -> bool:
        """A source partition has come so far."""
        held = self.clocks.get(source)
        if held is not None and held.version >= count.version:
            return False
        clock = self.clocks[source] = Clock(count.version, count.clock_ms, bool(count.seen[0]))
        self._state[_CLOCK + pack(source)] = pack(clock)
        self._advance()
        return True

    def _take(self, key: bytes, what: CountKey, count: Count) -> None:
        if what.minute == CLAIM:
            return self._claim(key, what, count)
        by = difference(count, self._counts.get(key))
        self._counts[key] = self.path.held(count.version, count.seen, count.reactions)
        self._by_minute.setdefault(what.minute, {})[key] = None
        self._see(what.kind, what.minute // 60, by[0])
        for at in _shelves(what):
            series = self._series(at, what.id)
            series.add(what.minute, by)
            if count.viewers:
                if series.crowd is None:
                    series.crowd = Crowd()
                series.crowd.waiting[key] = what.minute, count.viewers
            self._changed.setdefault(at, {})[what.id] = None

    def _series(self, at: Shelf, item: str) -> Any:
        shelf = self.shelves.setdefault(at, {})
        series = shelf.get(item)
        if series is None:
            series = shelf[item] = self.path.series()
        return series

    def _claim(self, key: bytes, what: CountKey, count: Count) -> None:
        """Whose a video is; the greatest name holds, should partitions disagree."""
        self._counts[key] = self.path.held(count.version, count.seen, count.reactions)
        claims = self.claims.setdefault(what.id, {})
        if count.creator is None:
            claims.pop(what.source, None)
        else:
            claims[what.source] = count.creator
        if claims:
            self._creators[what.id] = max(claims.values())
        else:
            del self.claims[what.id]
            self._creators.pop(what.id, None)
        for at in [at for at, items in self.shelves.items() if at[0] == 0 and what.id in items]:
            self._changed.setdefault(at, {})[what.id] = None

    def _see(self, kind: int, hour: int, views: int) -> None:
        own = self._seen[kind]
        own[hour] = own.get(hour, 0) + views
        if not own[hour]:
            del own[hour]

    def _horizon(self, source: int) -> int:
        """The first minute of which its counts are kept: neither it nor any list goes back before. Whole hours go."""
        clock = self.clocks.get(source)
        return 0 if clock is None else (min(clock.ms // MINUTE_MS, self.now) - KEEP_MINUTES) // 60 * 60

    def _advance(self) -> None:
        """Move the clock, never back; let minutes into the windows, and out of them."""
        if len(self.clocks) < self.sources:
            return
        behind = [clock.ms for clock in self.clocks.values() if not clock.caught_up]
        self.clock_ms = max(self.clock_ms, min(behind) if behind else max(clock.ms for clock in self.clocks.values()))
        self.now = self.clock_ms // MINUTE_MS

    # -- lists

    @property
    def owes(self) -> bool:
        """Whether all that was folded is told only with the next drain."""
        return bool(self._stale) or any(self._later) or bool(self.now and self.shelves and not self._scored_at)

    def _moved(self) -> Iterator[tuple[tuple[int, str, int], str, Asked]]:
        """The lists to look at, their boards put right: by changed items, or anew when the minute is another."""
        if not self.now:
            return  # nobody has said yet how far it is
        self._weeks = tuple(weeks_known(self.params, hours, self.now) for hours in self._seen)
        turn: Container[int] = (0, self._turn)
        self._turn = 3 - self._turn
        if self._scored_at != (self.now, *self._weeks):
            if self._stale or not self._scored_at:  # minutes fly by, in a replay; or it is the first time
                turn = range(len(WINDOWS))
            self._scored_at, self._stale = (self.now, *self._weeks), set(range(len(WINDOWS)))
        for number, name in enumerate(WINDOWS):
            later = self._later[number]
            if later or number not in turn:
                for of, items in self._changed.items():
                    later.setdefault(of, {}).update(items)
            if number not in turn:
                continue
            changed = later or self._changed
            for kind, region in self.shelves if number in self._stale else changed:
                at = (kind, region, number)
                asked = Asked(self.shelves[kind, region], number, self.now, self._weeks[kind])
                board = self._boards.get(at)
                if board is None:
                    board = self._boards[at] = Board()
                if number in self._stale:
                    board.set_anew(self.path.scoring, asked)
                else:
                    board.put_right(self.path.scoring, asked, changed.get((kind, region), ()))
                yield at, name, asked
            self._stale.discard(number)
            later.clear()

    # -- blocks

    def _fold_blocks(self, records: Records) -> Counts:
        blocks = [(value, decode_block(value)) for _, value in _pairs(records)]
        for value, block in blocks:
            self._block(block)
            self._state[_BLOCK + block_key(block)] = value
        return Counts(applied=len(blocks))

    def _block(self, block: Block) -> None:
        """The last word on the topic holds, whatever the clock was of the machine that sent it."""
        self.blocks[block.kind, block.id] = block
        for kind, region in self.shelves:
            if KINDS[kind] == block.kind:
                self._changed.setdefault((kind, region), {})

    # -- forgetting

    def _forget(self) -> None:
        """Minutes that no window reaches become hours; hours that no baseline reaches go."""
        horizons = {source: self._horizon(source) for source in self.clocks}
        if horizons == self._horizons:
            return
        self._horizons = horizons
        self._to_hours(horizons)
        for hour in [hour for hour in self._old if hour < self.now // 60 - KEEP_HOURS]:
            for key in list(self._old[hour]):
                self._forget_hours(key, hour)
                self._state[_HOURS + key] = None

    def _to_hours(self, horizons: dict[int, int]) -> None:
        gone: dict[tuple[int, int], dict[tuple[int, str, str], list[int]]] = {}
        last = max(horizons.values())
        for minute in [minute for minute in self._by_minute if minute < last]:
            for key in list(self._by_minute[minute]):
                what = unpack_key(key)
                if minute < horizons.get(what.source, 0):
                    count = self._forget_count(key, what)
                    self._state[_COUNT + key] = None
                    items = gone.setdefault((minute // 60, what.source), {})
                    sums = items.setdefault((what.kind, what.region, what.id), [0, 0, 0])
                    sums[:] = (held + more for held, more in zip(sums, count.seen, strict=True))
        for (hour, source), items in gone.items():
            left: list[Hourly] = [(*item, a, b, c) for item, (a, b, c) in items.items()]
            for n in range(0, len(left), BUNDLE):
                key, some = pack((hour, source, n)), left[n : n + BUNDLE]
                self._old.setdefault(hour, {})[key] = some
                self._state[_HOURS + key] = pack(some)

    def _forget_count(self, key: bytes, what: CountKey) -> Any:
        """A count goes; what it adds to its hour stays."""
        count = self._counts.pop(key)
        del self._by_minute[what.minute][key]
        if not self._by_minute[what.minute]:
            del self._by_minute[what.minute]
        for at in _shelves(what):
            series = self.shelves[at][what.id]
            series.forget(what.minute, (*count.seen, count.reactions))
            if series.crowd is not None:
                series.crowd.forget(key, self.now - KEEP_MINUTES)
        return count

    def _forget_hours(self, key: bytes, hour: int) -> None:
        for kind, region, item, *seen in self._old[hour].pop(key):
            self._see(kind, hour, -seen[0])
            for at in _shelves(CountKey(kind, item, region, 0, 0)):
                series = self.shelves[at].get(item)
                if series is None:
                    continue  # it had nothing left
                if series.forget_hour(hour, seen):
                    del self.shelves[at][item]
                    self._changed.setdefault(at, {})[item] = None
        if not self._old[hour]:
            del self._old[hour]

    def _drop(self, key: bytes) -> None:
        """A count that was forgotten, at recovery: what it was to its hour has a record of its own."""
        if key in self._counts:
            what = unpack_key(key)
            count = self._forget_count(key, what)
            self._see(what.kind, what.minute // 60, -count.seen[0])
            for at in _shelves(what):
                self.shelves[at][what.id].add_hour(what.minute // 60, count.seen, -1)

    def _restore_hours(self, key: bytes, value: bytes | None) -> None:
        hour = unpack(key)[0]
        if value is None:
            if key in self._old.get(hour, {}):
                self._forget_hours(key, hour)
            return
        left = self._old.setdefault(hour, {})[key] = [tuple(each) for each in unpack(value)]
        for kind, region, item, *seen in left:
            self._see(kind, hour, seen[0])
            for at in _shelves(CountKey(kind, item, region, 0, 0)):
                self._series(at, item).add_hour(hour, seen)


def _shelves(what: CountKey) -> tuple[Shelf, ...]:
    """Where a count belongs: among all, and in its region."""
    everywhere = (what.kind, ALL)
    return (everywhere, (what.kind, what.region)) if what.region else (everywhere,)


def _is_ours(count: Count) -> bool:
    """Whether it is of this generation (DESIGN §8 rule 11)."""
    return (count.version >> GENERATION_SHIFT) % REBUILDS_APART == TRENDING_GENERATION


def _pairs(records: Records) -> Iterator[tuple[bytes, bytes]]:
    for key, value in zip(records.keys, records.values, strict=True):
        assert key is not None and value is not None, "nobody deletes a record here"  # noqa: PT018
        yield key, value
