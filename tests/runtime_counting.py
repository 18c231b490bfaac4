"""A worker process for the runtime's tests: counts records per key. ``python runtime_counting.py '{"kafka": ...}'``


The state of a key is its count; a row is the count and the version. A value that starts with POISON makes the fold
raise; CLUMSY makes it raise only twice.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from streams.runtime import ChunkApp, chunked_topic, chunks, fold_table, make_app, run_worker
from streams.runtime.table import ChunkTable
from streams.state import Counts, Drained, Records

_stumbles = itertools.count(1)


class Counting:
    """One partition: key → how many records."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.totals: dict[bytes, int] = {}
        self.dirty: set[bytes] = set()

    def restore(self, keys: Sequence[bytes], values: Sequence[bytes | None]) -> None:
        for key, value in zip(keys, values, strict=True):
            assert value is not None
            self.totals[key] = int(value)

    def fold(self, records: Records) -> Counts:
        for value in records.values:
            if value is not None and value.startswith(b"POISON"):
                raise ValueError("poison")
            if value is not None and value.startswith(b"CLUMSY") and next(_stumbles) <= 2:
                raise ValueError("stumbled")
        for key in records.keys:
            assert key is not None
            self.totals[key] = self.totals.get(key, 0) + 1
            self.dirty.add(key)
        return Counts(applied=len(records.offsets))

    def drain(self, version: int) -> Drained:
        dirty, self.dirty = self.dirty, set()
        return Drained(
            [(key, b"%d" % self.totals[key]) for key in dirty],
            {OUT: [(key, b"%d %d" % (self.totals[key], version)) for key in dirty]},
        )


CONFIG: dict[str, Any] = {}
OUT = "out"


async def renew() -> None:
    print("renewed", flush=True)


def build(config: dict[str, Any]) -> ChunkApp:
    global OUT
    CONFIG.update(config)
    OUT = config["out"]
    app = make_app(
        config["app"],
        config["kafka"],
        generation=config.get("generation", 1),
        worker_name=config.get("name"),
        renew=renew,
        **config.get("settings", {}),
    )
    table = fold_table(app, "counts", config["partitions"], Counting, outputs=[OUT])

    @app.agent(chunked_topic(app, *config["sources"]))
    async def count(stream: Any) -> None:
        async for chunk in chunks(stream):
            if config.get("agent_fails"):
                raise ValueError("the agent fails outside of the fold")
            await table.fold(chunk)

    return app


def without_fence() -> None:
    """Give every process transactional ids of its own, so that owners do not refuse each other."""
    fenced = ChunkTable._new_producer

    def unfenced(self: ChunkTable, number: int) -> Any:
        producer = fenced(self, number)
        producer._producer._txn_manager.transactional_id += f"-{os.getpid()}"
        return producer

    ChunkTable._new_producer = unfenced  # type: ignore[method-assign]


if "RUNTIME_COUNTING" in os.environ:  # for `faust -A runtime_counting worker`
    app = build(json.loads(os.environ["RUNTIME_COUNTING"]))

if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    if given.get("unfenced"):
        without_fence()
    run_worker(build(given))
