"""`migrate`: the topics in Kafka and the tables in the stores are as this version needs them. Again changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from daybook import topics
from daybook.settings import Settings


def migrate(settings: Settings, say: Callable[[str], None]) -> int:
    """Create and check topics, apply the numbered migrations that are missing; returns the number of partitions."""
    from daybook.keep import once
    from sinks import migrate as stores

    count = topics.migrate(settings.address("kafka"), settings.partitions, say)
    for name in asyncio.run(stores.migrate(settings.address("postgres"), settings.address("clickhouse"))):
        say(f"migration applied: {name}")
    once.make_months(settings)
    return count
