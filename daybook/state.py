"""How every server and worker is: those of the data folder by their processes, others by asking them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from daybook import kafka, sinking, supervisor, waiting, workers
from daybook.scrape import Scraped, most, scrape, total
from daybook.settings import SERVERS, Settings
from sinks.clickhouse import client as clickhouse
from stack.stack import ServerStatus, Stack
from streams.stop import EXIT_REFUSED

_PING_TIMEOUT_S = 3


class Row(NamedTuple):
    """One server or worker; states: running, starting, frozen (by SIGSTOP), unhealthy, stopped, refused (to work on
    what it found), died (without being told)."""

    role: str
    state: str
    pid: int | None = None
    uptime_s: int | None = None
    lag: int | None = None
    """Workers: records that they have not come to yet, markers of transactions included."""
    why: str | None = None
    """What a worker said when it ended by itself, and why the supervisor leaves it."""
    lag_s: float | None = None
    """How far in time it is behind, at most over its partitions."""
    fresh_s: float | None = None
    """Sinks, while the role audit runs: how long the last canary took to be readable in the store."""
    rejected: int | None = None
    """Streams: events refused so far, of the partitions that it owns."""
    restarts: int | None = None
    """How often the supervisor has started it again."""
    metrics: str | None = None
    """Where it serves its metrics."""


class Seen(NamedTuple):
    """One look."""

    rows: list[Row]
    told: dict[str, Scraped]
    """Role → its metrics; empty of one that does not answer."""


def look(settings: Settings) -> list[Row]:
    """All servers, then all workers. Never raises for something that is down: that is what it says."""
    return see(settings).rows


def see(settings: Settings) -> Seen:
    """The same, and what the workers' metrics say."""
    own = {status.name: status for status in Stack(settings.data).status()}
    with ThreadPoolExecutor(len(SERVERS)) as pool:
        servers = list(pool.map(lambda name: _server(settings, name, own.get(name)), SERVERS))
    kafka_answers = servers[SERVERS.index("kafka")].state == "running"
    groups = {
        "streams": waiting.DAILY_STREAM,
        "progress": waiting.PROGRESS_STREAM,
        "loader": waiting.LOADER,
        "trending": waiting.TRENDING_STREAM,
        "lists": waiting.LISTS_STREAM,
        "affinity": waiting.AFFINITY_STREAM,
        **sinking.groups(),
    }
    behind = waiting.records_behind(settings.address("kafka"), groups) if kafka_answers else {}
    roles = [role for role in workers.KNOWN if role in workers.ROLES or _was_started(settings, role)]
    addresses = {role: workers.metrics_of(settings.data, role) for role in roles}
    frozen = {role for role in roles if workers.is_frozen(settings.data, role)}  # who cannot answer is not asked
    with ThreadPoolExecutor(len(roles)) as pool:
        asked = pool.map(lambda role: scrape(None if role in frozen else addresses[role]), roles)
    said = dict(zip(roles, asked, strict=True))
    told = supervisor.told(settings.data)
    rows = []
    for role in roles:
        row = _worker(settings, role, groups.get(role), behind.get(role))
        by = told.get(role, supervisor.Told())
        lag_s, rejected = most(said[role], "daybook_lag_seconds"), None
        if role == "streams":
            rejected = total(said[role], "daybook_events_total", outcome="rejected")
        rows.append(
            row._replace(
                state="frozen" if role in frozen else row.state,
                why=by.left or row.why,
                lag_s=lag_s,
                fresh_s=total(said.get("audit", {}), "daybook_freshness_last_seconds", store=role),
                rejected=None if rejected is None else int(rejected),
                restarts=by.restarts if told or by.restarts else None,
                metrics=addresses[role],
            )
        )
    return Seen([*servers, *rows, *_supervisor(settings)], said)


def _was_started(settings: Settings, role: str) -> bool:
    return workers.process(settings.data, role).state() != "stopped"


def _supervisor(settings: Settings) -> list[Row]:
    process = supervisor.process(settings.data)
    state, uptime = process.state(), process.uptime_s()
    if state == "stopped":
        return []
    up_s = None if uptime is None else int(uptime)
    return [Row(supervisor.NAME, "running" if state == "running" else "died", process.pid(), up_s)]


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

    clickhouse.dial(address, connect_timeout=_PING_TIMEOUT_S).close()


def _ping_redis(address: str) -> None:
    import redis

    redis.Redis.from_url(address, socket_timeout=_PING_TIMEOUT_S).ping()


_PINGS: dict[str, Callable[[str], None]] = {
    "kafka": _ping_kafka,
    "postgres": _ping_postgres,
    "clickhouse": _ping_clickhouse,
    "redis": _ping_redis,
}


def _worker(settings: Settings, role: str, group: waiting.Group | None, lag: int | None) -> Row:
    process = workers.process(settings.data, role)
    name, state = f"worker-{role}", process.state()
    if state == "running":
        uptime = process.uptime_s()
        ready = workers.is_ready(settings.data, role)
        return Row(
            name, "running" if ready else "starting", process.pid(), None if uptime is None else int(uptime), lag
        )
    code, why = workers.ending(settings.data, role)
    if state == "stale" or code is not None:
        return Row(name, "refused" if code == EXIT_REFUSED else "died", lag=lag, why=why or None)
    members = 0 if lag is None or group is None else kafka.members(kafka.admin(settings.address("kafka")), group.id)
    return Row(name, "running" if members else "stopped", lag=lag)
