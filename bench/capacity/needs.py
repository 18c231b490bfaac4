"""The arithmetic, pure: from what one event, row and user-day cost to what so many users need.

Everything is linear in users: events are spread over partitions by user, and nothing in the streams that fold a user's
events looks at another user. Where that does not hold, docs/capacity.md says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Assumed:
    """What nobody measures: how people are, and how careful the operator is."""

    events_per_user_day: float = 12
    """Meals, drinks, activities, sleep, weight: the user-day of bench.state."""
    peak_per_million_users: float = 7_000
    """Events a second: all of them at once, as after a holiday; the design's figure."""
    busy: float = 0.5
    """Share of a core that is used at peak; the rest is for catching up."""
    rows_per_event: float = 1.0
    """At a steady pace nearly every event is flushed alone; catching up it is less."""
    hot_days: int = 35
    active_share: float = 0.3
    """Of the users, those who log on a day, whose rows are written and whose days are in memory."""
    retention_days: int = 7
    replicas: int = 3


@dataclass(frozen=True, slots=True)
class Need:
    """One line of the page."""

    what: str
    amount: float
    unit: str
    sum: str
    """How it was computed, in words."""


def needs(users: float, measured: Mapping[str, float], assumed: Assumed) -> list[Need]:
    """What `users` need. `measured`: by the names of measured.json; KeyError for one that is missing."""
    m, a = measured, assumed
    mean = users * a.active_share * a.events_per_user_day / DAY_S
    peak = users / 1e6 * a.peak_per_million_users
    rows = peak * a.rows_per_event

    def cores(per_second: float, cpu_us: float) -> float:
        return per_second * cpu_us / 1e6 / a.busy

    user_days = users * a.active_share * a.hot_days
    wire = m["kafka_event_bytes"] + m["kafka_ledger_bytes"] + m["kafka_row_bytes"] * a.rows_per_event
    sinks = {"PostgreSQL": "postgres", "ClickHouse": "clickhouse", "Redis": "redis"}
    rows_a_day = users * a.active_share
    found = [
        Need("events a second, mean", mean, "/s", "active users × events a day / 86,400"),
        Need("events a second, peak", peak, "/s", "assumed"),
        Need("daily stream", cores(peak, m["daily_cpu_us"]), "cores", "peak × CPU an event / busy"),
        Need("progress", cores(rows, m["progress_cpu_us"]), "cores", "peak rows × CPU a row / busy"),
    ]
    for title, name in sinks.items():
        found += [
            Need(f"sink of {title}", cores(rows, m[f"{name}_sink_us"]), "cores", "peak rows × CPU a row / busy"),
            Need(f"{title} for daily rows", cores(rows, m[f"{name}_server_us"]), "cores", "the same, the server's CPU"),
        ]
    found += [
        Need("hot days in memory", user_days * m["user_day_bytes"] / 1e9, "GB", "active users × 35 days × bytes"),
        Need("the same in RocksDB, memory", user_days * m["cold_user_day_bytes"] / 1e9, "GB", "as above"),
        Need("the same in RocksDB, disk", user_days * m["cold_user_day_disk"] / 1e9, "GB", "as above"),
        Need("into Kafka at peak", peak * wire * a.replicas / 1e6, "MB/s", "events, ledger and rows × replicas"),
        Need(
            "Kafka's disk, events",
            mean * DAY_S * a.retention_days * m["kafka_event_bytes"] * a.replicas / 1e9,
            "GB",
            "mean × 7 days × bytes × replicas",
        ),
    ]
    found += [
        Need(f"{title}, daily rows a year", rows_a_day * 365 * m[f"{name}_row_bytes"] / 1e9, "GB", "active users × 365")
        for title, name in (("PostgreSQL", "postgres"), ("ClickHouse", "clickhouse"))
    ]
    found.append(Need("Redis, 35 days", user_days * m["redis_row_bytes"] / 1e9, "GB", "active users × 35"))
    return found
