"""sinks: what remembers. Each store is its own consumer group and worker role; a store that is down delays only itself.

promise    base.py: the Sink protocol and the family of its errors; memory.py is the smallest true sink
stores     postgres/ clickhouse/ redis/: encode (pure), sink (I/O), retry (pure), read (rows back), migrations
loop       runner.py reads committed, gathers (intake.py), writes, commits; nothing is committed before it is stored
pure       batch, chunking (newest per key, in key order), start (where reading begins), patience (how long to wait)
tables     migrate.py applies numbered SQL files
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sinks.base import Sink

ROLES = ("postgres", "clickhouse", "redis")


def build(role: str, url: str) -> Sink:
    """The sink of a role, not opened yet; `url` is its store's. Raises ValueError for an unknown role."""
    match role:
        case "postgres":
            from sinks.postgres.sink import PostgresSink

            return PostgresSink(url)
        case "clickhouse":
            from sinks.clickhouse.sink import ClickHouseSink

            return ClickHouseSink(url)
        case "redis":
            from sinks.redis.sink import RedisSink

            return RedisSink(url)
    raise ValueError(f"there is no sink called {role!r}; there are {', '.join(ROLES)}")
