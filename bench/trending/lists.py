"""What stage two costs a core at a rate of views: counts decoded, merged, ranked, lists encoded; no broker."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from bench.trending.load import views
from schemas.positions import version_of
from schemas.topics import TRENDING_COUNTS, TRENDING_GENERATION
from schemas.trending import KINDS, mark, pack, partition_of
from streams.runtime.batches import build_batches
from streams.state import Records
from streams.trending.core import Viewings
from streams.trending.merge import Lists

START_MS = 1_772_366_400_000
SOURCES = 8
TICK_MS = 250
ONE_EVERY, LISTS_EVERY = 2, 2
"""Ticks between two flushes of a partition of stage one, and of stage two, as in agent.py and listing.py."""


class Cost(NamedTuple):
    """What was measured."""

    counts: int
    cpu_s: float
    """For all of it."""
    seconds: float
    """That the views span."""
    longest_s: float
    """The longest time that one place was busy with one flush."""
    lists: int
    bytes_out: int


def measure(rate: int, seconds: int, users: int) -> Cost:
    """Fold and flush, in all places of stage two, what stage one says of so many seconds at this rate."""
    places = {partition_of(kind, SOURCES): Lists(partition_of(kind, SOURCES), SOURCES) for kind in range(len(KINDS))}
    for place, state in places.items():
        state.fold(_records(place, [pack([mark(source, 1, START_MS, True)]) for source in range(SOURCES)]))
    counts, lists, size, took, longest, version = 0, 0, 0, 0.0, 0.0, version_of(TRENDING_GENERATION, 0)
    busy = dict.fromkeys(places, 0.0)
    gc.disable()  # as in a worker while it folds
    for number, said in enumerate(_stage_one(rate, seconds, users), 1):
        for place, state in places.items():
            began = time.process_time()
            state.fold(_records(place, said[place]))
            if number % LISTS_EVERY == 0:
                version += 1
                drained = state.drain(version)
                build_batches(drained.state, START_MS)
                for pairs in drained.rows.values():
                    build_batches(pairs, START_MS)
                    lists += len(pairs)
                    size += sum(len(value) for _, value in pairs if value is not None)
                counts += len(drained.state)
            spent = time.process_time() - began
            took, busy[place] = took + spent, busy[place] + spent
            if number % LISTS_EVERY == 0:
                longest, busy[place] = max(longest, busy[place]), 0.0
    gc.enable()
    return Cost(counts, took, seconds, longest, lists, size)


def _records(place: int, values: list[bytes]) -> Records:
    n = len(values)
    return Records(TRENDING_COUNTS.name, place, range(n), [START_MS] * n, [b"0"] * n, values)


def _stage_one(rate: int, seconds: int, users: int) -> Iterator[dict[int, list[bytes]]]:
    """Per tick, what all source partitions tell each place."""
    states = [Viewings(number, SOURCES) for number in range(SOURCES)]
    made = views(rate * seconds, users, START_MS, rate, hot=0.0)
    version, step = version_of(TRENDING_GENERATION, 0), rate * TICK_MS // 1000
    for tick in range(seconds * 1000 // TICK_MS):
        version, now = version + 1, START_MS + (tick + 1) * TICK_MS
        parted: list[list[tuple[bytes, bytes]]] = [[] for _ in states]
        for key, value in islice(made, step):
            parted[int(key[2:]) % SOURCES].append((key, value))
        said: dict[int, list[bytes]] = {partition_of(kind, SOURCES): [] for kind in range(len(KINDS))}
        for state, some in zip(states, parted, strict=True):
            n = len(some)
            keys, values = [key for key, _ in some], [value for _, value in some]
            state.fold(Records("views", state.partition, range(n), [now] * n, keys, values))
            if (tick + state.partition) % ONE_EVERY:
                continue
            for to, pairs in state.drain(version).rows.items():
                if isinstance(to, tuple):
                    said[to[1]] += [value for _, value in pairs if value is not None]
        yield said
