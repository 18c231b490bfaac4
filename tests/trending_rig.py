"""What tests of trending share: records of `views`, and both stages without a broker between them."""

from __future__ import annotations

import json
import random
from typing import Any

from schemas.positions import version_of
from schemas.topics import REJECTED, TRENDING, TRENDING_COUNTS, TRENDING_GENERATION
from schemas.trending import TrendingList, decode_list
from streams.state import Records
from streams.trending import offline
from streams.trending.core import Viewings
from streams.trending.merge import Lists
from streams.trending.offline import Received
from streams.trending.scoring import Params

PARTITIONS = 3
T0 = 1_772_366_400_000 + 17 * 60_000
"""2026-03-01T12:17Z"""
HOUR = 3_600_000
LOW = Params(floor=1, least_viewers=1, per_creator=2)
Pair = tuple[bytes, bytes | None]


def iso(ms: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def event(
    user: str, at: int, received: int, *, entity: str, revision: int = 1, kind: str = "view", **data: Any
) -> Received:
    """A record of `views`; kind: view, like, share..., or deleted."""
    whole: dict[str, Any] = {
        "specversion": "1.0", "id": f"{entity}-{revision}", "source": "ios/1", "subject": user, "time": iso(at),
        "entity": entity, "revision": revision,
    }  # fmt: skip
    if kind == "deleted":
        whole |= {"type": "reaction.deleted"}
    elif kind == "view":
        whole |= {"type": "view.recorded", "data": {"watched_s": 60, **data}}
    else:
        data.pop("watched_s", None)
        whole |= {"type": "reaction.recorded", "data": {"kind": kind, **data}}
    return Received(user.encode(), json.dumps(whole).encode(), received, sum(user.encode()) % PARTITIONS)


class Rig:
    """Both stages over a handful of partitions, flushed whenever the test says so; nothing but the cores."""

    def __init__(self, params: Params = LOW, *, by_event_time: bool = False) -> None:
        self.params, self.by_event_time = params, by_event_time
        self.one = [self.new_one(p) for p in range(PARTITIONS)]
        self.two = [self.new_two(p) for p in range(PARTITIONS)]
        self.logs_one: list[list[Pair]] = [[] for _ in range(PARTITIONS)]
        self.logs_two: list[list[Pair]] = [[] for _ in range(PARTITIONS)]
        self.waiting: list[list[Pair]] = [[] for _ in range(PARTITIONS)]
        self.lists: dict[tuple[str, str, str], TrendingList] = {}
        self.version = version_of(TRENDING_GENERATION, 0)

    def new_one(self, partition: int) -> Viewings:
        return Viewings(partition, PARTITIONS, by_event_time=self.by_event_time)

    def new_two(self, partition: int) -> Any:
        return Lists(partition, PARTITIONS, self.params)

    def send(self, records: list[Received]) -> None:
        by_partition: dict[int, list[Received]] = {}
        for record in records:
            by_partition.setdefault(record.partition, []).append(record)
        for number, some in by_partition.items():
            keys, raws, times, _ = zip(*some, strict=True)
            counts = self.one[number].fold(Records("views", number, range(len(some)), times, keys, raws))
            assert sum(counts) == len(some)

    def behind(self, number: int, is_behind: bool) -> None:
        """Say of a source partition whether there is more of it than was folded."""
        self.one[number].reached("views", 1, 2 if is_behind else 1)

    def flush_one(self, only: int | None = None) -> None:
        for number, state in enumerate(self.one):
            if only not in (None, number):
                continue
            self.version += 1
            drained = state.drain(self.version)
            self.logs_one[number] += drained.state
            for target, pairs in drained.rows.items():
                if target != REJECTED.name:
                    topic, to = target
                    assert topic == TRENDING_COUNTS.name
                    self.waiting[int(to)] += pairs

    def flush_two(self, again: random.Random | None = None) -> None:
        for number, state in enumerate(self.two):
            rows, self.waiting[number] = self.waiting[number], []
            if again is not None:  # counts that come twice, or late
                rows = rows + again.sample(rows, len(rows) // 2)
            if rows:
                keys, values = zip(*rows, strict=True)
                state.fold(Records(TRENDING_COUNTS.name, number, range(len(rows)), [0] * len(rows), keys, values))
            self.version += 1
            drained = state.drain(self.version)
            self.logs_two[number] += drained.state
            for _, value in drained.rows[TRENDING.name]:
                row = decode_list(value or b"")
                self.lists[row.kind, row.region, row.window] = row

    def crash(self) -> None:
        """All workers start anew from their changelogs."""
        self.one = [self.new_one(p) for p in range(PARTITIONS)]
        self.two = [self.new_two(p) for p in range(PARTITIONS)]
        for states, logs in ((self.one, self.logs_one), (self.two, self.logs_two)):
            for state, log in zip(states, logs, strict=True):
                if log:
                    keys, values = zip(*log, strict=True)
                    state.restore(keys, values)  # type: ignore[attr-defined]

    def shown(self) -> dict[tuple[str, str, str], list[tuple[str, int, int]]]:
        """The lists once nothing is owed: as in the runtime, flush follows flush until then."""
        while any(state.owes for state in self.two):
            self.flush_two()
        return {at: [(e.id, e.score, e.views) for e in row.entries] for at, row in self.lists.items() if row.entries}


def plain(
    records: list[Received], params: Params = LOW, **more: Any
) -> dict[tuple[str, str, str], list[tuple[str, int, int]]]:
    made = offline.lists(records, params, **more)
    return {at: [(e.id, e.parts.score, e.views) for e in entries] for at, entries in made.items()}
