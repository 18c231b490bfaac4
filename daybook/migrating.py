"""`migrate`: the topics in Kafka and the tables in the stores are as this version needs them. Again changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from daybook import generations, lost, topics
from daybook.settings import Settings


def migrate(settings: Settings, say: Callable[[str], None], state_format: int | None = None) -> int:
    """Create and check topics, apply the numbered migrations that are missing; returns the number of partitions.

    ``state_format``: what workers shall write from their next start on. Raises Refused where Kafka is empty
    and the stores are not.
    """
    from daybook.keep import once
    from sinks import migrate as stores

    if generations.read(settings.address("kafka")) is None:
        lost.refuse_if_lost(settings)
    count = topics.migrate(settings.address("kafka"), settings.partitions, say, state_format)
    both = settings.address("postgres"), settings.address("clickhouse")
    for name in asyncio.run(stores.migrate(*both, settings.clickhouse_cluster)):
        say(f"migration applied: {name}")
    once.make_months(settings)
    return count
