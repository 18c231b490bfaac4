"""What the runtime leans on in faust, mode and aiokafka, so that an upgrade fails here and not in a broker's logs.

When a fingerprint differs: read what changed upstream, compare it with the module of ours that is named beside it,
adapt that, and only then write the new fingerprint down.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

import aiokafka.client
import aiokafka.consumer.fetcher as fetcher
import aiokafka.producer.message_accumulator as accumulator
import aiokafka.producer.sender as sender
import faust
import faust.topics
import mode
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.producer.transaction_manager import TransactionManager
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from faust.app.base import App, BootStrategy
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.transport.consumer import Consumer, ThreadDelegateConsumer
from faust.transport.drivers import aiokafka as driver

PINNED = {"faust-streaming": "0.15.3", "mode-streaming": "0.7.1", "aiokafka": "0.14.0"}


@pytest.mark.parametrize(("package", "version"), PINNED.items())
def test_the_versions_are_the_ones_that_were_studied(package: str, version: str) -> None:
    assert importlib.metadata.version(package) == version


# module of ours → functions of theirs that it overrides, copies from, or relies on in detail
STUDIED: dict[str, dict[Callable[..., Any], str]] = {
    "transport/chunk.py": {
        fetcher.PartitionRecords._unpack_records: "047f7fc3f005",
        fetcher.PartitionRecords._consume_aborted_up_to: "fcfcb05d740b",
        fetcher.PartitionRecords._contains_abort_marker: "9692685641ab",
        fetcher.FetchResult.check_assignment: "2ffd6c1af9bc",
        fetcher.FetchResult._update_position: "85766baa5d43",
        fetcher.FetchResult.getall: "b638929de343",
        fetcher.Fetcher._proc_fetch_request: "ace04969424f",
    },
    "transport/thread.py": {
        fetcher.Fetcher.fetched_records: "e20ce0c8117f",
        fetcher.Fetcher.seek_to: "10c45c3c873d",
        fetcher.Fetcher._create_fetch_waiter: "65046fcd40e7",
        SubscriptionState.fetch_context: "88fca759b6e7",
        driver.AIOKafkaConsumerThread._fetch_records: "9e7369fc572d",
        driver.AIOKafkaConsumerThread._create_worker_consumer: "c179c0bdb975",
        driver.AIOKafkaConsumerThread._commit: "78c931ecfa8d",
        GroupCoordinator.check_errors: "c67ee34a37d9",
        driver.AIOKafkaConsumerThread.getmany: "1b1c58046a9b",
        driver.AIOKafkaConsumerThread._seek_wait: "98f8aa716db2",
    },
    "transport/consumer.py": {
        Consumer.getmany: "e486c434b792",
        Consumer.perform_seek: "2b4ceebd23de",
        Consumer.ack: "5548cf0f7584",
        Consumer.wait_empty: "53195dca246c",
        Consumer.on_partitions_revoked: "652177e770ee",
        Consumer._new_offset: "2b29afe4dd9a",
        Consumer._commit_offsets: "86b3e9b0aec7",
        Consumer._filter_tps_with_pending_acks: "cccdca32d241",
        Consumer._filter_committable_offsets: "4fb75ba687d0",
        Consumer._wait_next_records: "ba40cd367132",
        Consumer._drain_messages: "8f35dd7a1114",
        Consumer._add_gap: "f1cc1db634f5",
        ThreadDelegateConsumer.seek_to_committed: "6c17ae1d4f33",
        driver.Consumer._to_message: "a2a5aefda42d",
        App._on_partitions_revoked: "c1abd58dcb37",
        App._on_partitions_assigned: "c9c5485eb273",
        App._stop_consumer: "96573acf5f04",
        App.on_rebalance_start: "34f7e4e29e5d",
        App.on_rebalance_end: "702029e30de7",
    },
    "recovery.py": {
        Recovery._restart_recovery.fun: "f93138b040ef",  # type: ignore[attr-defined]
        Recovery._slurp_changelogs.fun: "7e3120dad754",  # type: ignore[attr-defined]
        Recovery.on_rebalance: "31030bc1807f",
        Recovery._build_highwaters: "32d70220d2a8",
        Recovery._build_offsets: "0f5a7d62fb7d",
        Recovery._seek_offsets: "d76d5a8f46fa",
        Recovery.on_recovery_completed: "895e7c415a4d",
        Recovery.flush_buffers: "446535924329",
        Recovery._wait: "768af810dce8",
        TableManager.on_start: "b82e759be50c",
        TableManager.on_rebalance: "fc9b70e03994",
        TableManager._update_channels: "c43fe8c0812b",
        mode.Service.wait_first: "3ed3b8c32e14",
    },
    "producer.py": {
        sender.Sender._do_txn_commit: "a474e71ab00f",
        sender.Sender._maybe_do_transactional_request: "84a1736c0bd8",
        sender.Sender._sender_routine: "c07b5ec56875",
        sender.BaseHandler.do: "47be65fcbddd",
        sender.EndTxnHandler.handle_response: "0d6dddf7e76d",
        accumulator.MessageAccumulator.add_batch: "35870bc8e9eb",
        accumulator.MessageAccumulator.flush_for_commit: "c1deaeb33046",
        accumulator.MessageAccumulator._pop_batch: "6dc3d1b62145",
        AIOKafkaProducer.__init__: "f924bfdbf96d",
        AIOKafkaProducer.send_batch: "ff8d65b59517",
        AIOKafkaProducer.begin_transaction: "9834b9f64d8a",
        AIOKafkaProducer.commit_transaction: "8f568a6acef9",
        TransactionManager.committing_transaction: "85b28a337d3e",
    },
    "batches.py": {
        accumulator.BatchBuilder.__init__: "b5064f9ad59e",
        accumulator.BatchBuilder._build: "2ac3562b09c1",
        accumulator.BatchBuilder._set_producer_state: "2144ef814e02",
        accumulator.BatchBuilder.record_count: "f96629dde6e6",
    },
    "app.py": {
        BootStrategy._should_enable_web: "5b764f27df2b",
        mode.Worker._sentinel_task: "3c41d4f6f5c3",
        App._crash: "023e36034cd9",
        App._on_agent_error: "85c4398d6373",
        App._create_directories: "11b6b0b79e31",
        App.on_start: "d86da08f9315",
        App.on_stop: "d8e7904b258c",
        faust.topics.Topic.__init__: "296785600891",
    },
}


def fingerprint(function: Callable[..., Any]) -> str:
    """Return a short hash of a function's source, the same on every Python."""
    source = textwrap.dedent(inspect.getsource(inspect.unwrap(function)))
    return hashlib.sha256(source.encode()).hexdigest()[:12]


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [(ours, theirs, expected) for ours, functions in STUDIED.items() for theirs, expected in functions.items()],
    ids=lambda value: getattr(value, "__qualname__", None),
)
def test_what_we_studied_reads_as_it_did(ours: str, theirs: Callable[..., Any], expected: str) -> None:
    found = fingerprint(theirs)
    assert found == expected, f"{theirs.__qualname__} changed ({found}): compare it with streams/runtime/{ours}"


def test_the_batch_builder_takes_its_arguments_by_position() -> None:
    builder = DefaultRecordBatchBuilder(2, 0, 1, -1, -1, 0, 10_000)
    assert builder.append(0, 1_700_000_000_000, b"k", b"v", []) is not None
    assert builder.append(1, 1_700_000_000_000, b"k", None, []) is not None
    assert builder.append(2, 1_700_000_000_000, b"k", b"x" * 20_000, []) is None


def test_the_first_record_is_taken_whatever_its_size() -> None:
    assert DefaultRecordBatchBuilder(2, 0, 1, -1, -1, 0, 100).append(0, 0, b"k", b"x" * 1_000, []) is not None


def test_the_c_extensions_are_the_ones_in_use() -> None:
    assert "_crecords" in DefaultRecordBatchBuilder.__module__
    assert faust.streams._CStreamIterator is not None


def test_the_consumer_has_the_settings_that_the_thread_turns() -> None:
    names = inspect.signature(AIOKafkaConsumer.__init__).parameters
    assert {"isolation_level", "fetch_max_wait_ms", "fetch_min_bytes"} <= set(names)
    source = inspect.getsource(AIOKafkaConsumer)
    for name in ("_isolation_level", "_fetch_max_wait_ms", "_fetch_min_bytes"):
        assert f"self.{name}" in inspect.getsource(AIOKafkaConsumer.start), f"{name} is not read at start\n{source}"


def test_what_fetches_in_the_background_can_be_watched() -> None:
    assert isinstance(fetcher.Fetcher.error_future, property)


def test_the_transaction_coordinator_has_its_name() -> None:
    assert aiokafka.client.CoordinationType.TRANSACTION == 1
