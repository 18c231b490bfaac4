"""How every server and worker is: those of the data folder by their processes, others by asking them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from daybook import kafka, logfiles, sinking, waiting, workers
from daybook.settings import SERVERS, Settings
from stack.stack import ServerStatus, Stack

_PING_TIMEOUT_S = 3
_LAST_LINES = 5
"""Nothing is logged after a refusal, but by threads that had begun to."""


class Row(NamedTuple):
    """One server or worker; states: running, starting, unhealthy, stopped, refused (to work on what it found), died
    (without being told)."""

    role: str
    state: str
    pid: int | None = None
    uptime_s: int | None = None
    lag: int | None = None
    """Workers: records that they have not come to yet, markers of transactions included."""
    why: str | None = None
    """What a worker said when it ended by itself."""


def look(settings: Settings) -> list[Row]:
    """All servers, then all workers. Never raises for something that is down: that is what it says."""
    own = {status.name: status for status in Stack(settings.data).status()}
    with ThreadPoolExecutor(len(SERVERS)) as pool:
        servers = list(pool.map(lambda name: _server(settings, name, own.get(name)), SERVERS))
    kafka_answers = servers[SERVERS.index("kafka")].state == "running"
    groups = {
        "streams": waiting.DAILY_STREAM,
        "progress": waiting.PROGRESS_STREAM,
        "loader": waiting.LOADER,
        **sinking.groups(),
    }
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
        refused, why = _last_words(process.log)
        return Row(name, "refused" if refused else "died", lag=lag, why=why)
    members = 0 if lag is None else kafka.members(kafka.admin(settings.address("kafka")), group.id)
    return Row(name, "running" if members else "stopped", lag=lag)


_REFUSED, _STOPPED = "refusing to work: ", "stopping this worker: "
"""As streams/runtime/stop.py begins its last line."""


def _last_words(log: Path) -> tuple[bool, str | None]:
    """Whether a worker refused to work, and why it ended, by the end of its log; (False, None) if it did not say."""
    try:
        lines = logfiles.tail(log, _LAST_LINES)
    except OSError:
        return False, None
    for line in reversed(lines):
        for mark in (_REFUSED, _STOPPED):
            if " CRITICAL " in line and mark in line:
                return mark == _REFUSED, line.partition(mark)[2]
    return False, None
