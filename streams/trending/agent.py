"""Trending's first shell: views to counts. The second, `listing.py`, is an app of its own: each restarts alone."""

from __future__ import annotations

from typing import Any

from schemas.topics import (
    GENERATION,
    REJECTED,
    SUPPRESSED,
    TRENDING_APP,
    TRENDING_COUNTS,
    VIEWINGS,
    VIEWS,
    trending_generation_of,
)
from streams.runtime import FEW_LARGE_CHUNKS, ChunkApp, chunked_topic, chunks, fold_table, make_app
from streams.trending.core import Viewings

FLUSH_EVERY_S = 0.5
"""Shortest time between two flushes of a partition: the longer, the more views one count stands for."""
assert f"{TRENDING_APP}-viewings-changelog" == VIEWINGS.name


def build(
    kafka: str,
    *,
    partitions: int,
    generation: int = GENERATION,
    worker_name: str | None = None,
    by_event_time: bool = False,
    **settings: Any,
) -> ChunkApp:
    """The Faust app of stage one. `by_event_time`: the clock is the latest event time, for isolated replays."""
    settings = {**FEW_LARGE_CHUNKS, "flush_interval_s": FLUSH_EVERY_S, "max_uncommitted_chunks": 64, **settings}
    app = make_app(
        TRENDING_APP,
        kafka,
        generation=trending_generation_of(generation),
        worker_name=worker_name,
        **settings,
    )
    topic = chunked_topic(app, VIEWS.name, SUPPRESSED.name)
    viewings = fold_table(
        app,
        "viewings",
        partitions,
        lambda number: Viewings(number, partitions, by_event_time=by_event_time),
        outputs=[TRENDING_COUNTS.name, REJECTED.name],
    )

    @app.agent(topic)
    async def trending(stream: Any) -> None:
        async for chunk in chunks(stream):
            await viewings.fold(chunk)

    return app
