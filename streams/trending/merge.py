"""Stage two: the counts of all source partitions, item by item, and the lists that they make.

A kind's counts meet in one partition, because a list is made of all of them. The newest version of each count holds, so
a count that comes again changes nothing. The clock is the furthest that any of stage one's has come: without events
nothing moves, and the last lists stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from schemas.positions import GENERATION_SHIFT
from schemas.topics import REBUILDS_APART, TRENDING, TRENDING_BLOCKS, TRENDING_GENERATION
from schemas.trending import (
    ALL,
    CLAIM,
    KINDS,
    MINUTE_MS,
    WINDOWS,
    Block,
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
from streams.trending.ranking import Place, ranked
from streams.trending.scoring import MINUTES, Params, Parts
from streams.trending.series import Series, difference, entry

KEEP_MINUTES = 9 * 1_440
"""A week, and the two days that stage one keeps too, rounded up."""
KEEP_HOURS = 6 * 168
"""Of sums for baselines: the weeks that they take, and the window."""
_COUNT, _HOURS, _BLOCK, _CLOCK = b"c", b"h", b"b", b"t"
"""First bytes of the changelog's keys."""
Shelf = tuple[int, str]
"""Kind and region."""


class Lists:
    """The state of one partition (streams.state.PartitionState)."""

    def __init__(self, partition: int = 0, params: Params | None = None) -> None:
        self.partition = partition
        self.params = params or Params()
        self.now = 0
        """The minute that lists are made for."""
        self.clock_ms = 0
        self.first = 0
        """The earliest minute that anything was counted in; 0 before."""
        self.shelves: dict[Shelf, dict[str, Series]] = {}
        self.claims: dict[str, dict[int, str]] = {}
        """Video → source partition → creator."""
        self.blocks: dict[tuple[str, str], Block] = {}
        self._counts: dict[bytes, bytes] = {}
        self._by_minute: dict[int, dict[bytes, None]] = {}
        """Minute → keys of its counts."""
        self._scores: dict[tuple[int, str, int], dict[str, int]] = {}
        """(kind, region, window) → scores, kept up for items that change, made anew with each minute."""
        self._old_hours: dict[int, dict[tuple[Shelf, str], None]] = {}
        """Hour → series whose minutes then are forgotten."""
        self._state: dict[bytes, bytes | None] = {}
        self._changed: dict[Shelf, dict[str, None]] = {}
        self._scored_at = -1
        self._emitted: dict[tuple[int, str, int], list[tuple[Place, int]]] = {}
        self._clock_told = 0

    # -- streams.state.PartitionState

    def restore(self, keys: Sequence[bytes], values: Sequence[bytes | None]) -> None:
        """Take counts, hours and blocks from the changelog."""
        for key, value in zip(keys, values, strict=True):
            what, rest = key[:1], key[1:]
            if what == _COUNT:
                if value is None:
                    self._drop(rest)
                else:
                    self._take(rest, value, unpack_key(rest), unpack_count(value))
            elif what == _BLOCK and value is not None:
                self._block(decode_block(value))
            elif what == _CLOCK and value is not None:
                clock_ms, self.first = unpack(value)
                self._advance(clock_ms)
            elif what == _HOURS:
                self._restore_hour(rest, value)
        self._state.clear()

    def fold(self, records: Records) -> Counts:
        """Fold counts or blocks. Raising leaves the state as it was."""
        if records.topic == TRENDING_BLOCKS.name:
            return self._fold_blocks(records)
        bundles = [unpack_bundle(value) for _, value in _pairs(records)]
        applied = 0
        for bundle in bundles:
            news = [self._count(what, count) for what, count in bundle if _is_ours(count)]
            applied += any(news)
        return Counts(applied=applied, superseded=len(bundles) - applied)

    def drain(self, version: int) -> Drained:
        """Lists that changed, and what they are made from."""
        self._forget()
        rows: Pairs = []
        blocked = {of: {b.id for b in self.blocks.values() if b.blocked and b.kind == of} for of in KINDS}
        for at, name in self._moved():
            kind, region, _ = at
            scores = self._scores[at]
            places = ranked(
                scores,
                blocked=blocked[KINDS[kind]],
                creator_of=self.creator_of if kind == 0 else None,
                per_creator=self.params.per_creator,
            )
            shown = [(place, scores[place.item]) for place in places]
            if self._emitted.get(at) != shown:
                self._emitted[at] = shown
                row = TrendingList(KINDS[kind], region, name, version, self.clock_ms)
                row.entries = [self._entry(at, place) for place in places]
                rows.append((list_key(row), encode_list(row)))
        if self._clock_told != self.clock_ms:
            self._clock_told = self.clock_ms
            self._state[_CLOCK] = pack((self.clock_ms, self.first))
        drained = Drained(list(self._state.items()), {TRENDING.name: rows})
        self._state, self._changed = {}, {}
        return drained

    # -- counts

    def _count(self, what: CountKey, count: Count) -> bool:
        """Take a count if it is newer than the one that is held."""
        self._advance(count.clock_ms)
        if not what.id:
            return True  # only the clock
        if what.minute < self._horizon and what.minute != CLAIM:
            return False
        key, value = pack(what), pack(count)
        old = self._counts.get(key)
        if old is not None and unpack_count(old).version >= count.version:
            return False
        self._take(key, value, what, count)
        self._state[_COUNT + key] = value
        return True

    def _take(self, key: bytes, value: bytes, what: CountKey, count: Count) -> None:
        if what.minute == CLAIM:
            return self._claim(key, value, what, count)
        before = self._counts.get(key)
        by = difference(count, None if before is None else unpack_count(before))
        self._counts[key] = value
        self._by_minute.setdefault(what.minute, {})[key] = None
        if not self.first or what.minute < self.first:
            self.first = what.minute
        for at in _shelves(what):
            shelf = self.shelves.setdefault(at, {})
            series = shelf.get(what.id)
            if series is None:
                series = shelf[what.id] = Series()
            series.add(what.minute, by, self.params, self.now)
            series.join(what.minute, count.viewers)
            self._changed.setdefault(at, {})[what.id] = None

    def _claim(self, key: bytes, value: bytes, what: CountKey, count: Count) -> None:
        """Whose a video is; the greatest name holds, should partitions disagree."""
        self._counts[key] = value
        claims = self.claims.setdefault(what.id, {})
        if count.creator is None:
            claims.pop(what.source, None)
        else:
            claims[what.source] = count.creator
        if not claims:
            del self.claims[what.id]
        for at in [at for at, items in self.shelves.items() if at[0] == 0 and what.id in items]:
            self._changed.setdefault(at, {})[what.id] = None

    def creator_of(self, video: str) -> str | None:
        """Who made a video."""
        claims = self.claims.get(video)
        return None if claims is None else max(claims.values())

    @property
    def _horizon(self) -> int:
        """The first minute that is kept; whole hours go at once."""
        return (self.now - KEEP_MINUTES) // 60 * 60

    def _advance(self, clock_ms: int) -> None:
        self.clock_ms = max(self.clock_ms, clock_ms)
        before, self.now = self.now, self.clock_ms // MINUTE_MS
        if before == self.now or not before:
            return
        for number, window in enumerate(MINUTES):
            for minute in self._between(before - window, self.now - window):
                for at, item in {(at, w.id) for w in map(unpack_key, self._by_minute[minute]) for at in _shelves(w)}:
                    self.shelves[at][item].expire(number, minute, self.params)

    def _between(self, after: int, through: int) -> list[int]:
        if through - after > len(self._by_minute):
            return [minute for minute in self._by_minute if after < minute <= through]
        return [minute for minute in range(after + 1, through + 1) if minute in self._by_minute]

    # -- lists

    def _moved(self) -> list[tuple[tuple[int, str, int], str]]:
        """The lists to look at, scores made: of changed items, or of all when the minute is another."""
        anew = self._scored_at != self.now
        self._scored_at = self.now
        found = []
        for (kind, region), items in list(self.shelves.items()) if anew else [(at, {}) for at in self._changed]:
            for number, name in enumerate(WINDOWS):
                at = (kind, region, number)
                if anew:
                    scores = self._scores[at] = {}
                    looked: dict[str, None] = dict.fromkeys(items)
                else:
                    scores, looked = self._scores.setdefault(at, {}), self._changed[kind, region]
                for item in looked:
                    parts = self._parts(kind, region, number, item)
                    if parts is None:
                        scores.pop(item, None)
                    else:
                        scores[item] = parts.score
                found.append((at, name))
        return found

    def _parts(self, kind: int, region: str, window: int, item: str) -> Parts | None:
        series = self.shelves.get((kind, region), {}).get(item)
        return None if series is None else series.parts(window, self.params, self.now, self.first)

    def _entry(self, at: tuple[int, str, int], place: Place) -> Entry:
        kind, region, window = at
        series, parts = self.shelves[kind, region][place.item], self._parts(*at, place.item)
        assert parts is not None, "only what has a score is ranked"
        creator = self.creator_of(place.item) if kind == 0 else None
        sums = series.summed(window, self.params, self.now)
        return entry(place.item, sums, parts, series.unique(window, self.now), creator, place.left_out)

    # -- blocks

    def _fold_blocks(self, records: Records) -> Counts:
        blocks = [(value, decode_block(value)) for _, value in _pairs(records)]
        for value, block in blocks:
            self._block(block)
            self._state[_BLOCK + block_key(block)] = value
        return Counts(applied=len(blocks))

    def _block(self, block: Block) -> None:
        self.blocks[block.kind, block.id] = block
        for kind, region in self.shelves:
            if KINDS[kind] == block.kind:
                self._changed.setdefault((kind, region), {})

    # -- forgetting

    def _forget(self) -> None:
        """Minutes that no window reaches become hours; hours that no baseline reaches go."""
        first_minute, first_hour = self._horizon, self.now // 60 - KEEP_HOURS
        for minute in [minute for minute in self._by_minute if minute < first_minute]:
            for key in self._by_minute.pop(minute):
                what = unpack_key(key)
                del self._counts[key]
                self._state[_COUNT + key] = None
                for at in _shelves(what):
                    series = self.shelves[at][what.id]
                    series.minutes.pop(minute, None)
                    series.forget_sketches(first_minute)
                    hour = minute // 60
                    self._state[_hours_key(at, what.id, hour)] = pack(series.hours[hour])
                    self._old_hours.setdefault(hour, {})[at, what.id] = None
        for hour in [hour for hour in self._old_hours if hour < first_hour]:
            for at, item in self._old_hours.pop(hour):
                self._state[_hours_key(at, item, hour)] = None
                series = self.shelves[at][item]
                del series.hours[hour]
                if not series.hours:
                    del self.shelves[at][item]
                    self._changed.setdefault(at, {})[item] = None

    def _drop(self, key: bytes) -> None:
        """A count that was forgotten, at recovery; its hour has a record of its own."""
        if self._counts.pop(key, None) is not None:
            what = unpack_key(key)
            del self._by_minute[what.minute][key]
            for at in _shelves(what):
                self.shelves[at][what.id].minutes.pop(what.minute, None)

    def _restore_hour(self, key: bytes, value: bytes | None) -> None:
        kind, region, item, hour = unpack(key)
        shelf = self.shelves.setdefault((kind, region), {})
        if value is None:
            if item in shelf:
                shelf[item].hours.pop(hour, None)
            return
        shelf.setdefault(item, Series()).hours[hour] = unpack(value)
        self._old_hours.setdefault(hour, {})[(kind, region), item] = None


def _hours_key(at: Shelf, item: str, hour: int) -> bytes:
    return _HOURS + pack((*at, item, hour))


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
