"""What stage one costs a core: decoded, judged, counted and encoded for the changelog and stage two; no broker."""

from __future__ import annotations

import gc
import time
from typing import NamedTuple

from bench.trending.load import views
from schemas.positions import version_of
from schemas.topics import TRENDING_GENERATION
from streams.runtime.batches import build_batches
from streams.state import Records
from streams.trending.core import Viewings

CHUNK = 2_000
FLUSH_EVERY_S = 0.25
START_MS = 1_772_366_400_000


class Cost(NamedTuple):
    """What was measured."""

    name: str
    events_per_second: int
    counts: int
    """Records for stage two."""


def measure(name: str, events: int, users: int, hot: float) -> Cost:
    """Fold so many views of one partition, flushing as often as a worker does."""
    made = list(views(events, users, START_MS, 150_000, hot=hot))
    keys, values = [key for key, _ in made], [value for _, value in made]
    state, counts, version = Viewings(0, 8), 0, version_of(TRENDING_GENERATION, 0)
    gc.collect()
    gc.freeze()
    gc.disable()
    began = time.process_time()
    flushed = began
    for first in range(0, events, CHUNK):
        some = slice(first, first + CHUNK)
        size = len(values[some])
        stamps = [START_MS + (first + size) * 1000 // 150_000] * size
        state.fold(Records("views", 0, range(first, first + size), stamps, keys[some], values[some]))
        if (now := time.process_time()) - flushed > FLUSH_EVERY_S or first + CHUNK >= events:
            flushed, version = now, version + 1
            drained = state.drain(version)
            build_batches(drained.state, START_MS)
            for pairs in drained.rows.values():
                build_batches(pairs, START_MS)
                counts += len(pairs)
    took = time.process_time() - began
    gc.enable()
    gc.unfreeze()
    return Cost(name, round(events / took), counts)
