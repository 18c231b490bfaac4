"""What a worker of streams tells about itself when somebody asks: read off its state, from any thread."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from schemas.metrics import Done, Meters, Reading
from schemas.topics import HINTS, PROGRESS_HINTS, SOURCES
from streams.runtime.chunkapp import ChunkApp
from streams.runtime.partition import OwnedPartition

_EVENTS = {topic.name for topic in SOURCES}
OUTCOMES = ("received", "applied", "duplicate", "superseded", "rejected")


class StreamWatch:
    """Watches one app."""

    def __init__(self, app: ChunkApp) -> None:
        self._app = app

    @property
    def meters(self) -> Meters:
        """What the app counts as it goes."""
        return self._app.meters

    def done(self) -> dict[tuple[str, int], Done]:
        """How far each owned partition of each source is committed."""
        return {
            (topic, partition.number): Done(position.next_offset, partition.newest_ms.get(topic))
            for partition in self._owned()
            for topic, position in list(partition.committed.items())
        }

    def oldest_s(self) -> float:
        """Age of the oldest chunk that is not committed; 0 when none waits."""
        consumer: Any = self._app._consumer  # the property would make one
        oldest = None if consumer is None else consumer.oldest_unfinished()
        return 0.0 if oldest is None else max(0.0, time.monotonic() - oldest.delivered_at)

    def readings(self) -> Iterator[Reading]:
        """What is read off the state."""
        yield Reading("daybook_generation", (), self._app.generation)
        for partition in self._owned():
            for topic, position in list(partition.committed.items()):
                if topic in _EVENTS:
                    yield Reading("daybook_events_pending", (topic, str(partition.number)), position.pending)
                for outcome in OUTCOMES:
                    count = getattr(position, outcome)
                    if topic in _EVENTS:
                        yield Reading("daybook_events_total", (topic, str(partition.number), outcome), count)
                    elif topic in (HINTS.name, PROGRESS_HINTS.name):
                        yield Reading("daybook_hints_total", (str(partition.number), outcome), count)

    def _owned(self) -> list[OwnedPartition]:
        tables = list(self._app.tables.chunk_tables)
        return [p for table in tables for p in list(table.store.partitions.values()) if p.ready]
