"""Trending's second shell: counts and blocks to lists."""

from __future__ import annotations

from typing import Any

from schemas.topics import (
    GENERATION,
    LISTS,
    TRENDING,
    TRENDING_BLOCKS,
    TRENDING_COUNTS,
    TRENDING_LISTS_APP,
    trending_generation_of,
)
from streams.runtime import FEW_LARGE_CHUNKS, ChunkApp, chunked_topic, chunks, fold_table, make_app
from streams.trending.merge import Lists
from streams.trending.scoring import Params

FLUSH_EVERY_S = 0.5
"""Shortest time between two lists of the last hour; those of the longer windows come half as often."""
assert f"{TRENDING_LISTS_APP}-lists-changelog" == LISTS.name


def build(
    kafka: str,
    *,
    partitions: int,
    generation: int = GENERATION,
    worker_name: str | None = None,
    params: Params | None = None,
    **settings: Any,
) -> ChunkApp:
    """The Faust app of stage two."""
    pace = {**FEW_LARGE_CHUNKS, "flush_interval_s": FLUSH_EVERY_S, "flushes_at_once": 1, "max_uncommitted_chunks": 64}
    settings = {**pace, **settings}
    app = make_app(
        TRENDING_LISTS_APP,
        kafka,
        generation=trending_generation_of(generation),
        worker_name=worker_name,
        **settings,
    )
    topic = chunked_topic(app, TRENDING_COUNTS.name, TRENDING_BLOCKS.name)
    lists = fold_table(
        app, "lists", partitions, lambda number: Lists(number, partitions, params), outputs=[TRENDING.name]
    )

    @app.agent(topic)
    async def trending_lists(stream: Any) -> None:
        async for chunk in chunks(stream):
            await lists.fold(chunk)

    return app
