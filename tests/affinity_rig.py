"""What tests of affinity share: both stages without a broker between them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence

import trending_rig

from producers.tastes import Received, tastes, together
from schemas.affinity import (
    Recommendations,
    TasteRow,
    decode_recommendations,
    decode_tastes,
    unpack_together,
)
from schemas.positions import version_of
from schemas.topics import AFFINITY, AFFINITY_GENERATION, LIKED_TOGETHER, RECOMMENDATIONS, RELATED
from streams.affinity.core import Affinity
from streams.affinity.pairs import REACH
from streams.affinity.relations import Relations
from streams.state import Records

PARTITIONS = 3
Pair = tuple[bytes, bytes | None]


def received(records: Iterable[trending_rig.Received]) -> list[Received]:
    return [Received(key, raw, ms) for key, raw, ms, _ in records]


class Rig:
    """Both stages over a handful of partitions, flushed whenever the test says so; nothing but the cores."""

    def __init__(self) -> None:
        self.one = [Affinity(p, PARTITIONS) for p in range(PARTITIONS)]
        self.two = [Relations(p, PARTITIONS) for p in range(PARTITIONS)]
        self.logs_one: list[list[Pair]] = [[] for _ in range(PARTITIONS)]
        self.logs_two: list[list[Pair]] = [[] for _ in range(PARTITIONS)]
        self.counts: list[list[Pair]] = [[] for _ in range(PARTITIONS)]
        self.news: list[list[Pair]] = [[] for _ in range(PARTITIONS)]
        self.tastes: dict[str, TasteRow] = {}
        self.lists: dict[str, Recommendations] = {}
        self.version = version_of(AFFINITY_GENERATION, 0)

    def send(self, some: Sequence[Received]) -> None:
        by_partition: dict[int, list[Received]] = {}
        for record in some:
            by_partition.setdefault(sum(record.key or b"") % PARTITIONS, []).append(record)
        for number, own in by_partition.items():
            keys, raws, times = zip(*own, strict=True)
            counts = self.one[number].fold(Records("views", number, range(len(own)), times, keys, raws))
            assert sum(counts) == len(own)

    def flush_one(self) -> None:
        for number, state in enumerate(self.one):
            rows, self.news[number] = self.news[number], []
            _give(state, RELATED.name, number, rows)
            self.version += 1
            drained = state.drain(self.version)
            self.logs_one[number] += drained.state
            for target, pairs in drained.rows.items():
                if target == AFFINITY.name:
                    self.tastes |= {row.user_id: row for row in (decode_tastes(value or b"") for _, value in pairs)}
                elif target == RECOMMENDATIONS.name:
                    lists = (decode_recommendations(value or b"") for _, value in pairs)
                    self.lists |= {row.user_id: row for row in lists}
                else:
                    topic, to = target
                    assert topic == LIKED_TOGETHER.name
                    self.counts[int(to)] += pairs

    def flush_two(self, again: random.Random | None = None) -> None:
        for number, state in enumerate(self.two):
            rows, self.counts[number] = self.counts[number], []
            if again is not None:  # counts that come twice, or late
                rows = rows + again.sample(rows, len(rows) // 2)
            _give(state, LIKED_TOGETHER.name, number, rows)
            self.version += 1
            drained = state.drain(self.version)
            self.logs_two[number] += drained.state
            for target, pairs in drained.rows.items():
                self.news[int(target[1])] += pairs

    def settle(self) -> None:
        self.flush_one()
        self.flush_two()
        self.flush_one()

    def crash(self) -> None:
        """All workers start anew from their changelogs."""
        self.one = [Affinity(p, PARTITIONS) for p in range(PARTITIONS)]
        self.two = [Relations(p, PARTITIONS) for p in range(PARTITIONS)]
        for number in range(PARTITIONS):
            for state, log in ((self.one[number], self.logs_one[number]), (self.two[number], self.logs_two[number])):
                if log:
                    keys, values = zip(*log, strict=True)
                    state.restore(keys, values)  # type: ignore[attr-defined]

    def shown(self) -> dict[str, TasteRow]:
        """Tastes as verify compares them."""
        return {user: versionless(row) for user, row in self.tastes.items() if not row.is_null}

    def together(self) -> tuple[Counter[str], Counter[tuple[str, str]]]:
        """What stage two has added up: users per item, users per pair."""
        users: Counter[str] = Counter()
        pairs: Counter[tuple[str, str]] = Counter()
        for state in self.two:
            for item, sources in state.items.items():
                users[item] = sum(count.users for count in sources.values())
                for count in sources.values():
                    for other, both in count.near:
                        if item < other:
                            pairs[item, other] += both
        return +users, +pairs


def _give(state: Affinity | Relations, topic: str, number: int, rows: Sequence[Pair]) -> None:
    if rows:
        keys, values = zip(*rows, strict=True)
        state.fold(Records(topic, number, range(len(rows)), [0] * len(rows), keys, values))


def versionless(row: TasteRow) -> TasteRow:
    return TasteRow(
        row.user_id, 0, row.as_of_ms, row.since_ms, row.events, row.region, row.categories, row.creators, row.hashtags
    )


def plain(records: Iterable[Received]) -> tuple[dict[str, TasteRow], tuple[Counter[str], Counter[tuple[str, str]]]]:
    """The same in one pass."""
    kept = list(records)
    return tastes(kept), together(kept, REACH)


__all__ = ["PARTITIONS", "Rig", "plain", "received", "unpack_together", "versionless"]
