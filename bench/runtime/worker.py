"""The worker that is measured. It folds nearly nothing, and measures its own CPU time with and without that.

Per event one changelog record of about 110 bytes and about 0.9 rows of about 210 bytes, as the daily stream does.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from streams.runtime import ChunkTable, chunked_topic, chunks, fold_table, make_app, run_worker
from streams.state import Counts, Drained, Pairs, Records

SOURCE, OUT = "events", "rows"


class Measured:
    """What all partitions share: CPU time of folds, and when everything is done."""

    def __init__(self, events: int) -> None:
        self.events, self.done, self.rows, self.fold_s = events, 0, 0, 0.0
        self.began_s = self.began_cpu_s = 0.0


class Slight:
    """A state that costs little: remembers the last offset per event id, writes a record and perhaps a row for each."""

    def __init__(self, measured: Measured, table: list[ChunkTable]) -> None:
        self.measured, self.table = measured, table
        self.seen: dict[bytes, int] = {}
        self.fresh: Pairs = []
        self.rows: dict[bytes, bytes | None] = {}

    def restore(self, keys: Sequence[bytes], values: Sequence[bytes | None]) -> None:
        raise AssertionError("the benchmark starts without state")

    def fold(self, records: Records) -> Counts:
        measured = self.measured
        if not measured.began_s:
            measured.began_s, measured.began_cpu_s = time.perf_counter(), time.process_time()
        began = time.thread_time()
        seen, fresh, rows = self.seen, self.fresh, self.rows
        for offset, key, value in zip(records.offsets, records.keys, records.values, strict=True):
            assert key is not None
            assert value is not None
            name = key + b"\0m\0" + value[24:56]
            seen[name] = offset
            fresh.append((name, value[:70]))
            rows[key + b"|%d" % (offset % 40)] = value[:200]
        measured.fold_s += time.thread_time() - began
        measured.done += len(records.offsets)
        if measured.done >= measured.events:
            asyncio.get_running_loop().create_task(report(measured, self.table[0]))
        return Counts(applied=len(records.offsets))

    def drain(self, version: int) -> Drained:
        fresh, self.fresh = self.fresh, []
        rows, self.rows = self.rows, {}
        self.measured.rows += len(rows)
        return Drained(fresh, {OUT: list(rows.items())})


async def report(measured: Measured, table: ChunkTable) -> None:
    """Print the figures once everything is committed, and leave."""
    await table.drained()
    wall, cpu = time.perf_counter() - measured.began_s, time.process_time() - measured.began_cpu_s
    flushes = sum(partition.flush_number for partition in table.store.partitions.values())
    result = {
        "events": measured.done,
        "runtime_cpu_us_per_event": round((cpu - measured.fold_s) / measured.done * 1e6, 2),
        "fold_cpu_us_per_event": round(measured.fold_s / measured.done * 1e6, 2),
        "events_per_second": round(measured.done / wall),
        "rows_per_event": round(measured.rows / measured.done, 2),
        "transactions": flushes,
    }
    print(json.dumps(result), flush=True)
    os._exit(0)


def main(kafka: str, partitions: int, events: int, **settings: Any) -> None:
    measured, tables = Measured(events), list[ChunkTable]()
    app = make_app("bench-runtime", kafka, generation=1, **settings)
    tables.append(fold_table(app, "state", partitions, lambda _: Slight(measured, tables), outputs=[OUT]))

    @app.agent(chunked_topic(app, SOURCE))
    async def bench(stream: Any) -> None:
        async for chunk in chunks(stream):
            await tables[0].fold(chunk)

    run_worker(app)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), **json.loads(sys.argv[4]))
