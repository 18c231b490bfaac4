"""Stage two: what is liked together with an item, over all source partitions, and what trends; told to every partition.

Keyed by item. The newest version of each partition's count holds, so a count that comes again changes nothing.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from schemas.affinity import (
    BUNDLE,
    Popular,
    Related,
    Together,
    pack,
    unpack_one_together,
    unpack_popular,
    unpack_together,
)
from schemas.positions import GENERATION_SHIFT
from schemas.topics import AFFINITY_GENERATION, REBUILDS_APART, RELATED, TRENDING
from schemas.trending import decode_list
from streams.state import Counts, Drained, Pairs, Records, Target

NEAREST = 40
"""Neighbours of an item that are told."""
LEAST_BOTH = 2
"""Users who like both, without whom two items are no neighbours: what one user likes is nobody else's affair."""
KIND, WINDOW, PLACES = "videos", "24h", 60
"""The trending lists that recommendations use, and how far down."""
_COUNT, _POPULAR = b"c", b"p"


class Relations:
    """The state of one partition (streams.state.PartitionState)."""

    def __init__(self, partition: int = 0, partitions: int = 1) -> None:
        self.partition, self.partitions = partition, partitions
        self.items: dict[str, dict[int, Together]] = {}
        """Item → source partition → its counts."""
        self.popular: dict[str, Popular] = {}
        """By region."""
        self._state: dict[bytes, bytes | None] = {}
        self._moved: dict[str, None] = {}
        self._shown: dict[str, None] = {}
        """Regions whose list is to be told."""

    # -- streams.state.PartitionState

    def restore(self, keys: Sequence[bytes], values: Sequence[bytes | None]) -> None:
        """Take counts and lists from the changelog."""
        for key, value in zip(keys, values, strict=True):
            if key[:1] == _POPULAR and value is not None:
                each = unpack_popular(value)
                self.popular[each.region] = each
            elif key[:1] == _COUNT:
                source, _, item = key[1:].decode().partition("|")
                if value is None:
                    self._drop(item, int(source))
                else:
                    self.items.setdefault(item, {})[int(source)] = unpack_one_together(value)

    def fold(self, records: Records) -> Counts:
        """Fold counts of stage one, or trending lists. Raising leaves the state as it was."""
        if records.topic == TRENDING.name:
            return self._trending(records)
        bundles = [unpack_together(value or b"") for value in records.values]
        applied = 0
        for bundle in bundles:
            news = [self._take(each) for each in bundle if _is_ours(each.version)]
            applied += any(news)
        return Counts(applied, superseded=len(bundles) - applied)

    def drain(self, version: int) -> Drained:
        """What is related to items whose counts changed, and lists that did, for every partition of users."""
        items = [self.related(item, version) for item in self._moved]
        for item in self._moved:
            self._drop_empty(item)
        lists = [self.popular[region]._replace(version=version) for region in self._shown]
        bundles: list[tuple[list[Related], list[Popular]]] = [
            (items[at : at + BUNDLE], []) for at in range(0, len(items), BUNDLE)
        ]
        if lists:
            bundles.append(([], lists))
        key = b"%d" % self.partition
        pairs: Pairs = [(key, pack(bundle)) for bundle in bundles]
        rows: dict[Target, Pairs] = {(RELATED.name, to): pairs for to in range(self.partitions)} if pairs else {}
        drained = Drained(list(self._state.items()), rows)
        self._state, self._moved, self._shown = {}, {}, {}
        return drained

    def related(self, item: str, version: int) -> Related:
        """What is related to an item: the most frequent of the sums."""
        counts = self.items.get(item, {}).values()
        sums: dict[str, int] = {}
        for count in counts:
            for other, both in count.near:
                sums[other] = sums.get(other, 0) + both
        near = [(-both, other) for other, both in sums.items() if both >= LEAST_BOTH]
        creator, category = max(((c.creator or "", c.category or "") for c in counts), default=("", ""))
        return Related(
            item,
            version,
            sum(count.users for count in counts),
            creator or None,
            category or None,
            [(other, -both) for both, other in heapq.nsmallest(NEAREST, near)],
        )

    def _take(self, count: Together) -> bool:
        sources = self.items.setdefault(count.item, {})
        old = sources.get(count.source)
        if old is not None and old.version >= count.version:
            return False
        self._moved[count.item] = None
        key = _COUNT + f"{count.source}|{count.item}".encode()
        sources[count.source] = count
        self._state[key] = pack(count)
        return True

    def _drop_empty(self, item: str) -> None:
        """Nobody has seen it. Until now its version kept older counts of the same flush from coming back."""
        sources = self.items[item]
        for source in [n for n, c in sources.items() if not (c.users or c.near or c.creator or c.category)]:
            self._drop(item, source)
            self._state[_COUNT + f"{source}|{item}".encode()] = None

    def _drop(self, item: str, source: int) -> None:
        sources = self.items.get(item, {})
        sources.pop(source, None)
        if not sources:
            self.items.pop(item, None)

    def _trending(self, records: Records) -> Counts:
        lists = [decode_list(value or b"") for value in records.values]
        for row in lists:
            if (row.kind, row.window) != (KIND, WINDOW):
                continue
            held = self.popular.get(row.region)
            if held is not None and held.version >= row.version:
                continue
            items = [entry.id for entry in row.entries[:PLACES]]
            self.popular[row.region] = each = Popular(row.region, row.version, items)
            self._state[_POPULAR + row.region.encode()] = pack(each)
            if held is None or held.items != items:
                self._shown[row.region] = None
        return Counts(len(lists))


def _is_ours(version: int) -> bool:
    """Whether it is of this generation (DESIGN §8 rule 11)."""
    return (version >> GENERATION_SHIFT) % REBUILDS_APART == AFFINITY_GENERATION
