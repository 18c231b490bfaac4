"""How every server and worker is: those of the data folder by their processes, others by asking them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from daybook import kafka, sinking, waiting, workers
from daybook.settings import SERVERS, Settings
from stack.stack import ServerStatus, Stack

_PING_TIMEOUT_S = 3


class Row(NamedTuple):
    """One server or worker; states: running, starting, unhealthy, stopped, died (without being told)."""

    role: str
    state: str
    pid: int | None = None
    uptime_s: int | None = None
    lag: int | None = None
    """Workers: records that they have not come to yet, markers of transactions included."""


def look(settings: Settings) -> list[Row]:
    """All servers, then all workers. Never raises for something that is down: that is what it says."""
    own = {status.name: status for status in Stack(settings.data).status()}
    with ThreadPoolExecutor(len(SERVERS)) as pool:
        servers = list(pool.map(lambda name: _server(settings, name, own.get(name)), SERVERS))
    kafka_answers = servers[SERVERS.index("kafka")].state == "running"
    groups = {"streams": waiting.DAILY_STREAM, **sinking.groups()}
    behind = waiting.records_behind(settings.address("kafka"), groups) if kafka_answers else {}
    return [*servers, *(_worker(settings, role, groups[role], behind.get(role)) for role in workers.ROLES)]


def _server(settings: Settings, name: str, own: ServerStatus | None) -> Row:
    address = None if getattr(settings, name) is None else settings.address(name)
    if own is not None and (address is None or f"127.0.0.1:{own.port}" in address):
        state = {"running": "running" if own.healthy else "unhealthy", "stopped": "stopped", "stale": "died"}[own.state]
        return Row(name, state, own.pid, None if own.uptime_s is None else int(own.uptime_s))
    if address is None:
        return Row(name, "stopped")
    try:
        _PINGS[name](address)
    except Exception:  # whatever a client library makes of a server that does not answer
        return Row(name, "unhealthy")
    return Row(name, "running")


def _ping_kafka(address: str) -> None:
    kafka.admin(address).list_topics(timeout=_PING_TIMEOUT_S)


def _ping_postgres(address: str) -> None:
    import psycopg

    psycopg.connect(address, connect_timeout=_PING_TIMEOUT_S).close()


def _ping_clickhouse(address: str) -> None:
    import clickhouse_connect

    clickhouse_connect.get_client(dsn=address, connect_timeout=_PING_TIMEOUT_S).close()


def _ping_redis(address: str) -> None:
    import redis

    redis.Redis.from_url(address, socket_timeout=_PING_TIMEOUT_S).ping()


_PINGS: dict[str, Callable[[str], None]] = {
    "kafka": _ping_kafka,
    "postgres": _ping_postgres,
    "clickhouse": _ping_clickhouse,
    "redis": _ping_redis,
}


def _worker(settings: Settings, role: str, group: waiting.Group, lag: int | None) -> Row:
    process = workers.process(settings.data, role)
    name, state = f"worker-{role}", process.state()
    if state == "running":
        uptime = process.uptime_s()
        ready = workers.is_ready(settings.data, role)
        return Row(
            name, "running" if ready else "starting", process.pid(), None if uptime is None else int(uptime), lag
        )
    if state == "stale":
        return Row(name, "died", lag=lag)
    members = 0 if lag is None else kafka.members(kafka.admin(settings.address("kafka")), group.id)
    return Row(name, "running" if members else "stopped", lag=lag)
