"""Every metric, declared once: exporters are built from this list, and docs, alerts and dashboards are made of it.

Names follow Prometheus' rules: unit in the name, `_total` for counters. `Meters` holds what a role counts itself; what
can be read off its state is read when somebody asks (a scrape). So a metric costs nothing per event.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

Kind = Literal["counter", "gauge", "histogram"]
STREAM_ROLES = ("streams", "progress", "trending", "lists", "affinity")
SINK_ROLES = ("postgres", "clickhouse", "redis")
READERS = (*STREAM_ROLES, *SINK_ROLES)
"""Roles that read topics, chunk by chunk."""
WORKERS = (*READERS, "loader", "audit")
ALL = (*WORKERS, "api")

FAST_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
FRESH_S = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric."""

    name: str
    kind: Kind
    unit: str
    help: str
    labels: tuple[str, ...] = ()
    roles: tuple[str, ...] = WORKERS
    buckets: tuple[float, ...] = ()
    """Upper bounds of a histogram."""


METRICS = (
    Metric("daybook_worker_started_seconds", "gauge", "unix seconds", "When the process began", (), ALL),
    Metric("daybook_memory_bytes", "gauge", "bytes", "Resident memory of the process", (), ALL),
    Metric("daybook_generation", "gauge", "number", "Which generation of the state it works on"),
    Metric(
        "daybook_disk_bytes",
        "gauge",
        "bytes",
        "Size of a disk: data, which holds the worker's data folder, and those that ClickHouse names to the audit",
        ("disk",),
        ALL,
    ),
    Metric("daybook_disk_free_bytes", "gauge", "bytes", "What is free of it for who writes there", ("disk",), ALL),
    Metric(
        "daybook_store_up",
        "gauge",
        "0 or 1",
        "Whether the store answers: 0 from a sink's first failed write to its next that works, and while the HTTP "
        "service leaves it alone",
        ("store",),
        (*SINK_ROLES, "api"),
    ),
    Metric(
        "daybook_events_total",
        "counter",
        "events",
        "What became of the events of the owned partitions, from the committed counts in the state: they survive "
        "restarts, and received = applied + duplicate + superseded + rejected + pending",
        ("topic", "partition", "outcome"),
        ("streams",),
    ),
    Metric(
        "daybook_events_pending",
        "gauge",
        "events",
        "Events that wait, durably, for older entities of their user",
        ("topic", "partition"),
        ("streams",),
    ),
    Metric(
        "daybook_hints_total",
        "counter",
        "hints",
        "What became of the hints (schemas/hints.py) of the owned partitions; hints are no events",
        ("partition", "outcome"),
        ("streams",),
    ),
    Metric(
        "daybook_lag_events",
        "gauge",
        "records",
        "Records that the topic holds and that are not stored (sinks) or committed with the state (streams) yet",
        ("topic", "partition"),
        READERS,
    ),
    Metric(
        "daybook_lag_seconds",
        "gauge",
        "seconds",
        "Age of the newest record that is done while others wait: how far in time it is behind; 0 when none waits",
        ("topic", "partition"),
        READERS,
    ),
    Metric("daybook_partitions", "gauge", "partitions", "Partitions of all its topics that it owns", (), READERS),
    Metric(
        "daybook_oldest_unacknowledged_seconds",
        "gauge",
        "seconds",
        "Age of the oldest chunk that was read and is not committed; beyond DAYBOOK_STUCK_AFTER_S the process ends",
        (),
        READERS,
    ),
    Metric(
        "daybook_transaction_seconds",
        "histogram",
        "seconds",
        "From the drain of a partition to its committed transaction",
        (),
        STREAM_ROLES,
        FAST_S,
    ),
    Metric(
        "daybook_write_seconds",
        "histogram",
        "seconds",
        "From the first try to write a batch to its last row stored, retries included",
        (),
        SINK_ROLES,
        FAST_S,
    ),
    Metric(
        "daybook_rows_written_total",
        "counter",
        "rows",
        "Rows written since the process began, to a topic (streams) or a table (sinks)",
        ("to",),
        READERS,
    ),
    Metric("daybook_records_total", "counter", "records", "Records read since the process began", ("topic",), READERS),
    Metric(
        "daybook_retries_total",
        "counter",
        "tries",
        "Folds or writes that were tried again since the process began",
        (),
        READERS,
    ),
    Metric(
        "daybook_rows_set_aside_total",
        "counter",
        "rows",
        "Rows that the store refused for their data, or that could not be read, since the process began",
        (),
        SINK_ROLES,
    ),
    Metric(
        "daybook_freshness_seconds",
        "histogram",
        "seconds",
        "From sending a canary event to its row being readable in the store",
        ("store",),
        ("audit",),
        FRESH_S,
    ),
    Metric(
        "daybook_freshness_last_seconds",
        "gauge",
        "seconds",
        "The same, of the last canary; while one is overdue, how long it has been waited for",
        ("store",),
        ("audit",),
    ),
    Metric("daybook_canaries_total", "counter", "canaries", "Canary events sent", (), ("audit",)),
    Metric(
        "daybook_canaries_lost_total",
        "counter",
        "canaries",
        "Canaries that were not readable in the store in time",
        ("store",),
        ("audit",),
    ),
    Metric("daybook_audit_days_total", "counter", "days", "Days recomputed and compared in all stores", (), ("audit",)),
    Metric("daybook_audit_sweeps_total", "counter", "sweeps", "Times that all users were gone through", (), ("audit",)),
    Metric(
        "daybook_audit_mismatches_total",
        "counter",
        "cells",
        "Cells found wrong after every sink had passed what was read, by store and guessed cause",
        ("store", "cause"),
        ("audit",),
    ),
    Metric(
        "daybook_audit_repaired_total",
        "counter",
        "cells",
        "Cells that were seen to be right again after a hint to their owner",
        ("store",),
        ("audit",),
    ),
    Metric("daybook_audit_open", "gauge", "cells", "Cells found wrong and not seen right again yet", (), ("audit",)),
    Metric("daybook_hints_sent_total", "counter", "hints", "Hints sent to owners", ("hint",), ("audit",)),
    Metric("daybook_redis_memory_bytes", "gauge", "bytes", "What Redis holds in memory", (), ("audit",)),
    Metric(
        "daybook_redis_memory_limit_bytes",
        "gauge",
        "bytes",
        "What it may hold (maxmemory), beyond which it refuses writes; left out where it has no limit",
        (),
        ("audit",),
    ),
    Metric(
        "daybook_keep_dropped_total",
        "counter",
        "rows",
        "Rows that were dropped because they were kept as long as the settings say, since the process began",
        ("dataset",),
        ("audit",),
    ),
    Metric(
        "daybook_keep_passed_seconds",
        "gauge",
        "unix seconds",
        "When all that was due had last been dropped, or the process began; left out where nothing is (DAYBOOK_KEEP)",
        (),
        ("audit",),
    ),
    Metric(
        "daybook_table_rows",
        "gauge",
        "rows",
        "Rows of a table, as the store says (PostgreSQL estimates); of redis its keys, of archive by kind of data",
        ("store", "table"),
        ("audit",),
    ),
    Metric(
        "daybook_table_bytes",
        "gauge",
        "bytes",
        "How much room it takes, with its indexes; of redis in memory",
        ("store", "table"),
        ("audit",),
    ),
    Metric(
        "daybook_http_requests_total",
        "counter",
        "requests",
        "Requests answered since the process began, by route and status; route none: there is no such path",
        ("route", "status"),
        ("api",),
    ),
    Metric(
        "daybook_http_seconds",
        "histogram",
        "seconds",
        "From a request's head to the end of its answer",
        ("route",),
        ("api",),
        FAST_S,
    ),
    Metric(
        "daybook_ingest_events_total",
        "counter",
        "events",
        "Events of requests that were answered with 202, by verdict",
        ("verdict",),
        ("api",),
    ),
    Metric("daybook_ingest_held_bytes", "gauge", "bytes", "Bodies of events under way", (), ("api",)),
    Metric("daybook_kafka_up", "gauge", "0 or 1", "Whether Kafka counts as up", (), ("api",)),
    Metric(
        "daybook_ingest_spooled_events",
        "gauge",
        "events",
        "Accepted events that wait on the service's disk for Kafka",
        (),
        ("api",),
    ),
    Metric("daybook_ingest_spooled_bytes", "gauge", "bytes", "How much these are on the disk", (), ("api",)),
    Metric(
        "daybook_ingest_spool_bytes",
        "gauge",
        "bytes",
        "What the files on the service's disk take, also of events that are replayed already",
        (),
        ("api",),
    ),
    Metric(
        "daybook_ingest_spool_limit_bytes",
        "gauge",
        "bytes",
        "What they may take (DAYBOOK_API_SPOOL_BYTES); 0: none are written",
        (),
        ("api",),
    ),
    Metric(
        "daybook_ingest_spool_events_total",
        "counter",
        "events",
        "Events stored on the service's disk, and replayed from it into Kafka, since the process began",
        ("what",),
        ("api",),
    ),
    Metric(
        "daybook_ingest_spool_damaged_bytes",
        "gauge",
        "bytes",
        "Accepted events on the disk that cannot be read any more, since the process began: anything but 0 is a loss",
        (),
        ("api",),
    ),
    Metric(
        "daybook_cache_lookups_total",
        "counter",
        "rows",
        "Rows asked for since the process began: hit, Redis has it; miss, only PostgreSQL has it; none, neither has it "
        "or answers",
        ("what", "outcome"),
        ("api",),
    ),
    Metric(
        "daybook_pool_in_use",
        "gauge",
        "questions",
        "Questions to the store under way, those that wait for a connection too",
        ("store",),
        ("api",),
    ),
    Metric(
        "daybook_pool_limit", "gauge", "connections", "Most connections that it has to the store", ("store",), ("api",)
    ),
)
BY_NAME = {metric.name: metric for metric in METRICS}


class Distribution(NamedTuple):
    """A histogram as it is read: cumulative counts by upper bound, the last without bound."""

    counts: tuple[int, ...]
    sum: float


class Done(NamedTuple):
    """How far a reader has come in one partition of a topic."""

    next_offset: int
    newest_ms: int | None
    """When the newest record that is done was appended; None if none was since the process began."""


class Reading(NamedTuple):
    """One value of one metric."""

    name: str
    labels: tuple[str, ...]
    value: float | Distribution


class _Histogram:
    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds, self.counts, self.sum = bounds, [0] * (len(bounds) + 1), 0.0

    def read(self) -> Distribution:
        total, found = 0, []
        for count in self.counts:
            total += count
            found.append(total)
        return Distribution(tuple(found), self.sum)


class Meters:
    """What one process counts as it goes, by metric and labels. One thread writes, any may read. Raises KeyError for a
    name that is not in METRICS."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, tuple[str, ...]], float] = {}
        self._histograms: dict[tuple[str, tuple[str, ...]], _Histogram] = {}

    def add(self, name: str, *labels: str, by: float = 1.0) -> None:
        """Count up."""
        at = self._at(name, labels)
        self._values[at] = self._values.get(at, 0.0) + by

    def set(self, name: str, *labels: str, to: float) -> None:
        """Say what a gauge is now."""
        self._values[self._at(name, labels)] = to

    def observe(self, name: str, *labels: str, value: float) -> None:
        """Add one value to a histogram."""
        at = self._at(name, labels)
        histogram = self._histograms.get(at)
        if histogram is None:
            histogram = self._histograms[at] = _Histogram(BY_NAME[name].buckets)
        histogram.counts[bisect_left(histogram.bounds, value)] += 1
        histogram.sum += value

    def readings(self) -> Iterator[Reading]:
        """All of it, now."""
        for (name, labels), value in list(self._values.items()):
            yield Reading(name, labels, value)
        for (name, labels), histogram in list(self._histograms.items()):
            yield Reading(name, labels, histogram.read())

    @staticmethod
    def _at(name: str, labels: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
        if len(labels) != len(BY_NAME[name].labels):
            raise ValueError(f"{name} has the labels {BY_NAME[name].labels}, not {len(labels)}")
        return name, labels


def of_role(role: str) -> Iterable[Metric]:
    """The metrics that a role has."""
    return [metric for metric in METRICS if role in metric.roles]
