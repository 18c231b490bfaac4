"""What stage one costs a core: views decided and counted, tastes, counts and lists made and encoded; no broker."""

from __future__ import annotations

import gc
import time
from typing import NamedTuple

from bench.trending.load import views
from schemas.positions import version_of
from schemas.topics import AFFINITY_GENERATION
from streams.affinity.core import Affinity
from streams.state import Records

START_MS = 1_772_366_400_000
PER_SECOND = 875
"""Views of one partition of eight, where 7,000 a second come to all."""


class Cost(NamedTuple):
    """CPU microseconds of an event."""

    fold: float
    drain: float


def measure(events: int, users: int) -> Cost:
    """Fold so many views of one partition, flushed once a second of theirs."""
    made = list(views(events, users, START_MS, PER_SECOND, hot=0.0))
    state, version, folding, draining = Affinity(0, 8), version_of(AFFINITY_GENERATION, 0), 0.0, 0.0
    gc.collect()
    gc.freeze()
    gc.disable()
    for first in range(0, events, PER_SECOND):
        keys, values = zip(*made[first : first + PER_SECOND], strict=True)
        stamps = [START_MS + first * 1000 // PER_SECOND] * len(keys)
        began = time.process_time()
        state.fold(Records("views", 0, range(first, first + len(keys)), stamps, keys, values))
        folded = time.process_time()
        version += 1
        state.drain(version)
        folding, draining = folding + folded - began, draining + time.process_time() - folded
    gc.enable()
    gc.unfreeze()
    return Cost(folding / events * 1e6, draining / events * 1e6)
