"""The daily stream's shell: the ledger folds chunks, the runtime commits rows, winners and watermark as one."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from schemas.topics import DAILY, DAILY_APP, DAILY_INPUTS, GENERATION, LEDGER, LOADS, REJECTED
from streams.daily.core import Ledger
from streams.daily.definitions import AS_CODED, InForce
from streams.daily.reading import native_reader
from streams.daily.users import Users
from streams.runtime import ChunkApp, chunked_topic, chunks, fold_table, make_app

log = logging.getLogger(__name__)
TABLE = "ledger"
assert f"{DAILY_APP}-{TABLE}-changelog" == LEDGER.name, "schemas/topics.py names the changelog that Faust would"


def build(
    kafka: str,
    *,
    partitions: int,
    generation: int = GENERATION,
    worker_name: str | None = None,
    hot_days: int = 0,
    quiet_s: int = 3_600,
    cold: Path | None = None,
    in_force: InForce = AS_CODED,
    **settings: Any,
) -> ChunkApp:
    """The Faust app of the daily stream.

    `kafka`: host:port. `partitions`: of every user-keyed topic. `worker_name`: stable name, for static membership.
    `hot_days`: entities of days before so many may be evicted (docs/adr/0017) of users who are quiet for
    `quiet_s` seconds; 0: none ever is.
    `cold`: a folder for users whom no event touches (cold.py), emptied now; None: all are in memory.
    `in_force`: the definitions of metrics that are in force, read to their end.
    `settings`: Faust's or the runtime's own (streams/runtime/tuning.py).
    """
    reader = "the compiled reader" if native_reader("meals") else "Python: the compiled reader was not built"
    log.info("meals are read by %s", reader)
    app = make_app(DAILY_APP, kafka, generation=generation, worker_name=worker_name, **settings)
    topic = chunked_topic(app, *(source.name for source in DAILY_INPUTS))
    if cold is None:
        users: Callable[[int], Users] = lambda _: Users()  # noqa: E731
    else:
        from streams.daily.cold import cold_users

        shutil.rmtree(cold, ignore_errors=True)
        users = lambda number: cold_users(cold / str(number))  # noqa: E731

    def state(number: int) -> Ledger:
        return Ledger(number, hot_days, users(number), in_force, quiet_ms=quiet_s * 1000)

    outputs = [DAILY.name, REJECTED.name, LOADS.name]
    ledger = fold_table(app, TABLE, partitions, state, outputs=outputs)

    @app.agent(topic)
    async def daily(stream: Any) -> None:
        async for chunk in chunks(stream):
            await ledger.fold(chunk)

    return app
