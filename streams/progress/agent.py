"""The progress stream's shell: daily rows in, progress rows and milestones out, cells in the changelog."""

from __future__ import annotations

from typing import Any

from schemas.topics import CELLS, GENERATION, MILESTONES, PROGRESS, PROGRESS_APP, PROGRESS_INPUTS, REJECTED
from streams.progress.core import Progress
from streams.runtime import ChunkApp, chunked_topic, chunks, fold_table, make_app

TABLE = "cells"
PACE = {"flush_interval_s": 2.0, "max_uncommitted_chunks": 32}
"""A row of progress is ten times as large as what changed it, and only the last one counts: under load a user is told
every two seconds at most, however many days change; after a pause at once."""
assert f"{PROGRESS_APP}-{TABLE}-changelog" == CELLS.name, "schemas/topics.py names the changelog that Faust would"


def build(
    kafka: str, *, partitions: int, generation: int = GENERATION, worker_name: str | None = None, **settings: Any
) -> ChunkApp:
    """The Faust app of the progress stream; arguments as of streams.daily.agent.build."""
    app = make_app(PROGRESS_APP, kafka, generation=generation, worker_name=worker_name, **{**PACE, **settings})
    topic = chunked_topic(app, *(source.name for source in PROGRESS_INPUTS))
    cells = fold_table(app, TABLE, partitions, Progress, outputs=[PROGRESS.name, MILESTONES.name, REJECTED.name])

    @app.agent(topic)
    async def progress(stream: Any) -> None:
        async for chunk in chunks(stream):
            await cells.fold(chunk)

    return app
