"""Metrics: one list, from which exporters and the page are made; counts that are right under every order of updates."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from daybook import exporter
from daybook.heartbeat import Heartbeat
from schemas import metrics
from schemas.metrics import BY_NAME, METRICS, Distribution, Done, Meters, Reading
from schemas.metrics_page import page
from sinks.batch import Batch
from sinks.intake import Taken
from sinks.watching import SinkWatch

ROOT = Path(__file__).parents[2]


def test_the_page_is_what_the_list_says() -> None:
    written = (ROOT / "docs" / "reference" / "metrics.md").read_text(encoding="utf-8")
    assert written == page(), "python -m schemas.metrics_page docs/reference/metrics.md"
    assert all(f"`{metric.name}`" in written for metric in METRICS)


def test_names_follow_prometheus_and_are_declared_once() -> None:
    assert len(BY_NAME) == len(METRICS)
    for metric in METRICS:
        assert metric.name.startswith("daybook_")
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert bool(metric.buckets) == (metric.kind == "histogram")
        assert list(metric.buckets) == sorted(metric.buckets)
        assert "seconds" not in metric.unit or metric.name.endswith("_seconds")
        assert set(metric.roles) <= set(metrics.ALL)


class Watched:
    """A role that stands still."""

    def __init__(self) -> None:
        self.meters = Meters()

    def done(self) -> dict[tuple[str, int], Done]:
        return {("meals", 0): Done(7, 1_000), ("meals", 1): Done(5, None), ("body", 0): Done(3, 1_000)}

    def oldest_s(self) -> float:
        return 1.5

    def readings(self) -> Iterator[Reading]:
        if self.meters:
            yield Reading("daybook_events_total", ("meals", "0", "received"), 9)


@pytest.mark.parametrize("role", metrics.ALL)
def test_every_role_exports_exactly_its_metrics(role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = {("meals", 0): 10, ("meals", 1): 5, ("body", 0): 3}
    monkeypatch.setattr(exporter.kafka, "offsets", lambda *_: ends)
    monkeypatch.setattr(exporter.time, "time", lambda: 61.0)
    registry = CollectorRegistry(auto_describe=False)
    watched = Watched()
    if role == "streams":
        watched.meters.observe("daybook_transaction_seconds", value=0.02)
    registry.register(exporter.Exporter(role, "127.0.0.1:1", watched, 7, tmp_path / "not" / "made"))
    families = {family.name: family for family in text_string_to_metric_families(generate_latest(registry).decode())}
    assert {name.removesuffix("_total") for name in families} == {
        metric.name.removesuffix("_total") for metric in METRICS if role in metric.roles
    }
    for metric in metrics.of_role(role):
        family = families.get(metric.name) or families[metric.name.removesuffix("_total")]
        assert (family.type, family.documentation) == (metric.kind, metric.help)
    if role in metrics.READERS:
        lags = {(s.labels["topic"], s.labels["partition"]): s.value for s in families["daybook_lag_events"].samples}
        assert lags == {("meals", "0"): 3, ("meals", "1"): 0, ("body", "0"): 0}
        ages = {(s.labels["topic"], s.labels["partition"]): s.value for s in families["daybook_lag_seconds"].samples}
        assert ages == {("meals", "0"): 60, ("meals", "1"): 0, ("body", "0"): 0}
    if role == "streams":
        samples = {
            (s.name, s.labels.get("le")): s.value for s in families["daybook_transaction_seconds"].samples if s.value
        }
        assert ("daybook_transaction_seconds_bucket", "0.01") not in samples
        assert samples["daybook_transaction_seconds_bucket", "0.025"] == 1
        assert samples["daybook_transaction_seconds_count", None] == 1


def test_without_kafka_the_lag_is_left_out_and_the_rest_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any) -> None:
        raise exporter.Problem("Kafka does not answer")

    monkeypatch.setattr(exporter.kafka, "offsets", away)
    found = {f.name: f for f in exporter.Exporter("redis", "127.0.0.1:1", Watched(), 1, ROOT).collect()}
    assert found["daybook_lag_events"].samples == []
    assert found["daybook_memory_bytes"].samples[0].value > 0


def test_a_counter_without_labels_begins_at_0_so_that_its_first_step_is_an_increase(tmp_path: Path) -> None:
    found = {f.name: f for f in exporter.Exporter("audit", "127.0.0.1:1", Watched(), 1, tmp_path).collect()}
    assert [s.value for s in found["daybook_canaries"].samples] == [0]
    assert found["daybook_canaries_lost"].samples == [], "which stores there are is not known before one is named"


def test_a_worker_tells_how_full_the_disk_of_its_folder_is_before_the_folder_is_made(tmp_path: Path) -> None:
    found = {f.name: f for f in exporter.Exporter("api", "127.0.0.1:1", Watched(), 1, tmp_path / "a" / "b").collect()}
    size, free = found["daybook_disk_bytes"].samples[0], found["daybook_disk_free_bytes"].samples[0]
    assert size.labels == free.labels == {"disk": "data"}
    assert 0 <= free.value < size.value


@given(st.lists(st.floats(0, 100)))
def test_a_distribution_counts_every_value_once(values: list[float]) -> None:
    meters = Meters()
    for value in values:
        meters.observe("daybook_write_seconds", value=value)
    for reading in meters.readings():
        assert isinstance(reading.value, Distribution)
        bounds = BY_NAME[reading.name].buckets
        assert reading.value.counts == (*(sum(v <= bound for v in values) for bound in bounds), len(values))
        assert reading.value.sum == pytest.approx(sum(values))


def test_a_name_or_label_that_is_not_declared_is_an_error() -> None:
    with pytest.raises(KeyError):
        Meters().add("daybook_evnets_total")
    with pytest.raises(ValueError, match="labels"):
        Meters().add("daybook_retries_total", "meals")


def test_a_sinks_oldest_records_age_until_they_are_stored() -> None:
    watch = SinkWatch("redis")
    assert watch.oldest_s() == watch.stuck_s() == 0
    first, second = Taken(records=3, since=1.0), Taken(records=2, since=2.0)
    watch.gathered(first, "daily", 3)
    watch.writes(first)
    watch.gathered(second, "daily", 2)
    old = watch.oldest_s()
    assert old > 0
    first.newest_ms["daily", 0] = 5
    watch.stored(first, 1, 0.1)
    assert watch.oldest_s() < old, "the first batch no longer waits"
    assert watch.done() == {}, "not committed yet"
    watch.committed({("daily", 0): 3})
    assert watch.done() == {("daily", 0): Done(3, 5)}
    watch.retries()
    assert watch.stuck_s() < 1 < watch.oldest_s(), "who waits for a store is not stuck"
    watch.assigned({("daily", 1): 9})
    assert watch.done() == {("daily", 1): Done(9, None)}
    assert watch.oldest_s() == 0
    assert Batch().counts()["daily"] == 0


def test_a_store_is_down_from_the_first_failed_write_to_the_next_that_works() -> None:
    watch = SinkWatch("redis")

    def up() -> list[Reading]:
        return list(watch.readings())

    assert up() == [Reading("daybook_store_up", ("redis",), True)]
    watch.retries()
    assert up() == [Reading("daybook_store_up", ("redis",), False)]
    watch.stored(Taken(), 0, 0.1)  # an idle store is written an empty batch
    assert up() == [Reading("daybook_store_up", ("redis",), True)]


def test_a_loop_that_stands_still_and_a_chunk_that_waits_are_told() -> None:
    waits = 0.0
    heart = Heartbeat("redis", 10.0, lambda: waits)
    now = heart._beat_at
    assert heart.verdict(now + 10) is None
    assert "event loop of redis has not turned for 11 s" in (heart.verdict(now + 11) or "")
    waits = 12.0
    assert "oldest chunk of redis has been waiting for 12 s" in (heart.verdict(now) or "")
