"""The store behind a ChunkTable: restoring in order, or ending the process."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
from faust.types import TP
from runtime_counting import Counting

from streams.runtime import store as store_module
from streams.runtime.partition import OwnedPartition
from streams.runtime.store import ChunkStore
from streams.runtime.transport import Chunk

LOG = TP("log", 3)


class Stopped(Exception):
    """Stands for the end of the process."""


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> ChunkStore:
    def stop(reason: str, error: BaseException | None = None) -> NoReturn:
        raise Stopped(reason)

    monkeypatch.setattr(store_module, "stop_process", stop)
    table = SimpleNamespace(
        name="t",
        changelog_topic_name=LOG.topic,
        new_partition=lambda number: OwnedPartition(number, LOG.topic, 1, Counting(number)),
    )
    made = ChunkStore("chunkmem://", SimpleNamespace(), table, table_name="t")  # type: ignore[arg-type]
    made.open(3)
    made.expect(LOG, 10)
    return made


def apply(store: ChunkStore, start: int, next_offset: int, key: bytes = b"a", value: bytes = b"1") -> None:
    chunk = Chunk(LOG, start)
    chunk.offsets, chunk.keys, chunk.values, chunk.next_offset = [start], [key], [value], next_offset
    event: Any = SimpleNamespace(value=chunk)
    store.apply_changelog_batch([event], lambda key: key, lambda value: value)


def totals(store: ChunkStore) -> dict[bytes, int]:
    state = store.partitions[3].state
    assert isinstance(state, Counting)
    return state.totals


def test_chunks_that_follow_each_other_are_restored(store: ChunkStore) -> None:
    apply(store, 10, 15)
    apply(store, 15, 17, value=b"2")
    assert totals(store) == {b"a": 2}
    assert store.persisted_offset(LOG) == 16


def test_a_gap_ends_the_process(store: ChunkStore) -> None:
    with pytest.raises(Stopped, match="cannot be restored"):
        apply(store, 11, 15)


def test_what_was_read_before_is_not_applied_over_what_is_newer(store: ChunkStore) -> None:
    apply(store, 10, 15, value=b"5")
    apply(store, 10, 15, value=b"1")
    assert totals(store) == {b"a": 5}


def test_an_unreadable_record_ends_the_process(store: ChunkStore) -> None:
    with pytest.raises(Stopped, match="which is not ours"):
        apply(store, 10, 11, key=b"\0strange")


def test_a_late_chunk_of_a_partition_that_left_is_ignored(store: ChunkStore) -> None:
    store.partitions.clear()
    apply(store, 500, 501)
    assert store.partitions == {}


async def test_a_partition_that_leaves_takes_its_memory_with_it(store: ChunkStore) -> None:
    apply(store, 10, 15)
    await store.on_rebalance({TP(LOG.topic, 4)}, {LOG}, set())
    assert store.persisted_offset(LOG) is None
    store.open(3)
    apply(store, 0, 1, value=b"1")
    assert totals(store) == {b"a": 1}
