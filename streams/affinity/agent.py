"""Affinity's shell: both stages in one app, each with a table of its own, because what one tells the other hears."""

from __future__ import annotations

from typing import Any

from schemas.topics import (
    AFFINITY,
    AFFINITY_APP,
    GENERATION,
    LIKED_TOGETHER,
    RECOMMENDATIONS,
    RELATED,
    RELATIONS,
    SUPPRESSED,
    TASTES,
    TRENDING,
    VIEWS,
    affinity_generation_of,
)
from streams.affinity.core import Affinity
from streams.affinity.relations import Relations
from streams.runtime import FEW_LARGE_CHUNKS, ChunkApp, chunked_topic, chunks, fold_table, make_app

PACE = {**FEW_LARGE_CHUNKS, "flush_interval_s": 1.0, "max_uncommitted_chunks": 64}
"""Only the last row of a user counts: one is told once a second at most; after a pause at once."""
USERS, ITEMS = (VIEWS.name, RELATED.name, SUPPRESSED.name), (LIKED_TOGETHER.name, TRENDING.name)
"""What each stage folds."""
assert f"{AFFINITY_APP}-tastes-changelog" == TASTES.name
assert f"{AFFINITY_APP}-relations-changelog" == RELATIONS.name


def build(
    kafka: str, *, partitions: int, generation: int = GENERATION, worker_name: str | None = None, **settings: Any
) -> ChunkApp:
    """The Faust app of affinity; arguments as of streams.daily.agent.build."""
    app = make_app(
        AFFINITY_APP,
        kafka,
        generation=affinity_generation_of(generation),
        worker_name=worker_name,
        **{**PACE, **settings},
    )
    topic = chunked_topic(app, *USERS, *ITEMS)
    tastes = fold_table(
        app,
        "tastes",
        partitions,
        lambda number: Affinity(number, partitions),
        outputs=[AFFINITY.name, RECOMMENDATIONS.name, LIKED_TOGETHER.name],
        sources=USERS,
    )
    relations = fold_table(
        app,
        "relations",
        partitions,
        lambda number: Relations(number, partitions),
        outputs=[RELATED.name],
        sources=ITEMS,
    )

    @app.agent(topic)
    async def affinity(stream: Any) -> None:
        async for chunk in chunks(stream):
            await (tastes if chunk.tp.topic in USERS else relations).fold(chunk)

    return app
