"""How much room the stores have left: ClickHouse's disks and Redis' memory, asked of themselves for the role audit.

PostgreSQL and Kafka do not tell how full their disks are; who runs them watches those.
"""

from __future__ import annotations

from collections.abc import Iterator

import clickhouse_connect
import redis

from daybook.settings import Settings
from schemas.metrics import Meters
from sinks.clickhouse import client as clickhouse

EVERY_S = 30.0
_DISKS = "SELECT name, free_space, total_space FROM system.disks WHERE total_space BETWEEN 1 AND 9223372036854775807"
"""A disk without an end (S3) says so by the largest number there is."""


def measure(settings: Settings, meters: Meters) -> None:
    """Ask both, and say it; what one told stays though the other is away. Raises what the first that is away does."""
    away: list[Exception] = []
    for ask in (_clickhouse, _redis):
        try:
            for name, labels, value in ask(settings):
                meters.set(name, *labels, to=value)
        except (clickhouse_connect.driver.exceptions.Error, redis.RedisError, OSError) as why:
            away.append(why)
    if away:
        raise away[0]


_Said = tuple[str, tuple[str, ...], float]


def _clickhouse(settings: Settings) -> Iterator[_Said]:
    with clickhouse.dial(settings.address("clickhouse")) as client:
        for name, free, size in client.query(_DISKS).result_rows:
            yield "daybook_disk_bytes", (f"clickhouse/{name}",), size
            yield "daybook_disk_free_bytes", (f"clickhouse/{name}",), free


def _redis(settings: Settings) -> Iterator[_Said]:
    with redis.Redis.from_url(settings.address("redis"), socket_timeout=10) as store:
        memory = store.info("memory")
    yield "daybook_redis_memory_bytes", (), memory["used_memory"]
    if memory["maxmemory"]:
        yield "daybook_redis_memory_limit_bytes", (), memory["maxmemory"]
