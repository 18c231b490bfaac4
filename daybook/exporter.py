"""A role's metrics for Prometheus, over HTTP: what it counts itself, and what is asked at each scrape.

Everything is built from schemas/metrics.py. Where a topic ends is asked of Kafka itself: a consumer that is paused, or
stuck, does not know.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import psutil
from prometheus_client import CollectorRegistry, Metric, generate_latest, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from daybook import kafka
from daybook.errors import Problem
from daybook.settings import Settings
from schemas import metrics
from schemas.metrics import Distribution, Done, Meters, Reading

log = logging.getLogger(__name__)

Place = tuple[str, int]


class Watched(Protocol):
    """What a role lets be asked, from the exporter's thread."""

    @property
    def meters(self) -> Meters:
        """What it counts as it goes."""

    def done(self) -> Mapping[Place, Done]:
        """How far each of its partitions is done; empty for a role that reads none."""

    def oldest_s(self) -> float:
        """Age of the oldest chunk that is not acknowledged."""

    def readings(self) -> Iterable[Reading]:
        """What is read off its state."""


class WithoutTopics:
    """What a role that reads no topic tells: its meters."""

    def __init__(self) -> None:
        self.meters = Meters()

    def done(self) -> dict[Place, Done]:
        """It reads no topic."""
        return {}

    def oldest_s(self) -> float:
        """It has no chunks."""
        return 0.0

    def readings(self) -> Iterator[Reading]:
        """Nothing more than the meters hold."""
        yield from ()


class Exporter(Collector):
    """Collects one role's metrics when somebody scrapes."""

    def __init__(self, role: str, bootstrap: str, watched: Watched, generation: int, folder: Path) -> None:
        """`folder`: the worker's data folder; how full its disk is, is told though nobody made it yet."""
        self._role, self._bootstrap, self._watched, self._generation = role, bootstrap, watched, generation
        self._folder = folder
        self._started = time.time()
        self._admin = kafka.admin(bootstrap)
        self._process = psutil.Process()

    def collect(self) -> Iterator[Metric]:
        """All metrics of the role, in the order of their declaration."""
        found: dict[str, list[Reading]] = defaultdict(list)
        for reading in self._readings():
            found[reading.name].append(reading)
        for metric in metrics.of_role(self._role):
            yield _family(metric, found[metric.name])

    def _readings(self) -> Iterator[Reading]:
        yield Reading("daybook_worker_started_seconds", (), self._started)
        yield Reading("daybook_memory_bytes", (), self._process.memory_info().rss)
        yield from _disk(self._folder)
        if self._role not in metrics.STREAM_ROLES:
            yield Reading("daybook_generation", (), self._generation)
        yield from self._watched.readings()
        yield from self._watched.meters.readings()
        if self._role in metrics.READERS:
            done = self._watched.done()
            yield Reading("daybook_partitions", (), len(done))
            yield Reading("daybook_oldest_unacknowledged_seconds", (), self._watched.oldest_s())
            yield from self._lags(done)

    def _lags(self, done: Mapping[Place, Done]) -> Iterator[Reading]:
        """Left out while Kafka does not answer: no lag is not the same as nobody knows."""
        try:
            ends = kafka.offsets(self._admin, self._bootstrap, done)
        except Problem as why:
            log.warning("metrics without lag: %s", why)
            return
        now_s = time.time()
        for (topic, number), at in done.items():
            behind = max(0, ends[topic, number] - at.next_offset)
            since = self._started if at.newest_ms is None else at.newest_ms / 1000
            yield Reading("daybook_lag_events", (topic, str(number)), behind)
            yield Reading("daybook_lag_seconds", (topic, str(number)), max(0.0, now_s - since) if behind else 0.0)


def _disk(folder: Path) -> Iterator[Reading]:
    there = next(each for each in (folder, *folder.parents) if each.exists())
    with suppress(OSError):
        usage = psutil.disk_usage(str(there))
        yield Reading("daybook_disk_bytes", ("data",), usage.total)
        yield Reading("daybook_disk_free_bytes", ("data",), usage.free)


def _family(metric: metrics.Metric, readings: Iterable[Reading]) -> Metric:
    match metric.kind:
        case "counter":
            counter = CounterMetricFamily(metric.name, metric.help, labels=metric.labels)
            if not metric.labels:  # from 0: the increase of what first appears as 1 is nothing to Prometheus
                readings = list(readings) or [Reading(metric.name, (), 0)]
            for reading in readings:
                counter.add_metric(reading.labels, _number(reading))
            return counter
        case "gauge":
            gauge = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
            for reading in readings:
                gauge.add_metric(reading.labels, _number(reading))
            return gauge
        case "histogram":
            histogram = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
            bounds = [*(repr(bound) for bound in metric.buckets), "+Inf"]
            for reading in readings:
                assert isinstance(reading.value, Distribution)
                counts = map(float, reading.value.counts)
                histogram.add_metric(reading.labels, list(zip(bounds, counts, strict=True)), reading.value.sum)
            return histogram


def _number(reading: Reading) -> float:
    assert not isinstance(reading.value, Distribution)
    return float(reading.value)


def scraper(settings: Settings, role: str, watched: Watched) -> Callable[[], bytes]:
    """What gives all metrics of a role that serves them itself, in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Exporter(role, settings.address("kafka"), watched, 0, settings.data))
    return lambda: generate_latest(registry)


def serve(settings: Settings, role: str, watched: Watched, generation: int) -> str:
    """Serve a role's metrics from a thread until the process ends; returns the address, http://host:port/metrics.

    Raises Problem if the port is taken.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Exporter(role, settings.address("kafka"), watched, generation, settings.data))
    try:
        server, _ = start_http_server(settings.metrics_port, settings.metrics_address, registry)
    except OSError as why:
        where = f"{settings.metrics_address}:{settings.metrics_port}"
        raise Problem(f"metrics cannot be served on {where}: {why.strerror}; set DAYBOOK_METRICS_PORT") from why
    host = settings.metrics_address if ":" not in settings.metrics_address else f"[{settings.metrics_address}]"
    address = f"http://{host}:{server.server_port}/metrics"
    log.info("metrics of %s at %s", role, address)
    return address
