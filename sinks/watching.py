"""What a sink tells about itself when somebody asks: its loop writes here, any thread may read."""

from __future__ import annotations

import time
from collections.abc import Iterator

from schemas.metrics import Done, Meters, Reading
from sinks.batch import Place
from sinks.intake import Taken


class SinkWatch:
    """Handed to `run_sink`."""

    def __init__(self, store: str) -> None:
        self.meters = Meters()
        self._store, self._answers = store, True
        self._stored: dict[Place, int] = {}
        self._newest_ms: dict[Place, int] = {}
        self._reading: Taken | None = None
        self._writing: Taken | None = None
        self._retried_at = float("-inf")

    def done(self) -> dict[Place, Done]:
        """How far each assigned partition is stored."""
        return {place: Done(at, self._newest_ms.get(place)) for place, at in list(self._stored.items())}

    def oldest_s(self) -> float:
        """Age of the oldest records that were read and are not stored; 0 when none wait."""
        began = [taken.since for taken in (self._reading, self._writing) if taken is not None and taken.since]
        return time.monotonic() - min(began) if began else 0.0

    def stuck_s(self) -> float:
        """How long nothing has moved. A store that is away is waited for without end: that is not being stuck."""
        return min(self.oldest_s(), time.monotonic() - self._retried_at)

    def readings(self) -> Iterator[Reading]:
        """Whether the store answers; an idle one is written to every few seconds too."""
        yield Reading("daybook_store_up", (self._store,), self._answers)

    # -- what the loop says

    def gathered(self, taken: Taken, topic: str, records: int) -> None:
        """Records were read."""
        self._reading = taken
        self.meters.add("daybook_records_total", topic, by=records)

    def writes(self, taken: Taken) -> None:
        """A batch is handed to the store; what is read from now on is another."""
        self._writing, self._reading = taken, None

    def retries(self) -> None:
        """The store did not take it yet."""
        self._retried_at, self._answers = time.monotonic(), False
        self.meters.add("daybook_retries_total")

    def stored(self, taken: Taken, aside: int, took_s: float) -> None:
        """The batch is stored."""
        self._writing, self._answers = None, True
        self._newest_ms |= taken.newest_ms
        if taken.records:
            self.meters.observe("daybook_write_seconds", value=took_s)
        for table, rows in taken.batch.counts().items():
            if rows:
                self.meters.add("daybook_rows_written_total", table, by=rows)
        if aside:
            self.meters.add("daybook_rows_set_aside_total", by=aside)

    def committed(self, reached: dict[Place, int]) -> None:
        """So far the store holds everything, and the group says so."""
        self._stored |= reached

    def assigned(self, reached: dict[Place, int]) -> None:
        """These partitions are ours now, and no others."""
        self._stored, self._reading, self._writing = dict(reached), None, None
