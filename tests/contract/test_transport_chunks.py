"""Chunks read out of aiokafka's fetch buffers: the same records as aiokafka's own reader gives, and where to go on."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from aiokafka.consumer.fetcher import READ_COMMITTED, READ_UNCOMMITTED, FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.structs import TopicPartition
from faust.types import TP

from schemas.wire import Batches
from streams.runtime.transport.chunk import Chunk, take_chunk

AT = TopicPartition("in", 0)
CONTROL, TRANSACTIONAL = 0x20, True
ABORT, COMMIT = 0, 1
LZ4 = 3


def batch(
    base: int, count: int, *, hole: int = 0, producer: int = -1, transactional: bool = False, codec: int = 0
) -> bytes:
    """Bytes of a record batch as a broker sends it; ``hole`` offsets at its end were compacted away."""
    builder = DefaultRecordBatchBuilder(2, codec, transactional, producer, 0, 0, 1 << 30)
    for i in range(count):
        builder.append(i, 1_700_000_000_000 + i, b"k%d" % i, b"value of %d" % (base + i), [])
    return _placed(builder.build(), base, hole)


def marker(base: int, producer: int, kind: int) -> bytes:
    """Bytes of the control batch that ends a transaction."""
    builder = DefaultRecordBatchBuilder(2, 0, TRANSACTIONAL, producer, 0, 0, 1 << 30)
    builder.append(0, 1_700_000_000_000, struct.pack(">hh", 0, kind), struct.pack(">hi", 0, 0), [])
    return _placed(builder.build(), base, 0, CONTROL)


def _placed(built: bytearray, base: int, hole: int, flags: int = 0) -> bytes:
    struct.pack_into(">q", built, 0, base)
    struct.pack_into(">h", built, 21, struct.unpack_from(">h", built, 21)[0] | flags)
    struct.pack_into(">i", built, 23, struct.unpack_from(">i", built, 23)[0] + hole)
    return bytes(built)


class Assignment:
    """What a FetchResult asks about its partition: here always ours and never paused."""

    active = True
    paused = False

    def __init__(self, position: int, lso: int = 0) -> None:
        self.position = position
        self.lso = lso

    def state_value(self, tp: TopicPartition) -> Assignment:
        return self

    def consumed_to(self, position: int) -> None:
        self.position = position


def fetched(
    raw: bytes, position: int, *, level: int = READ_COMMITTED, aborted: Any = (), crcs: bool = False, lso: int = 0
) -> FetchResult:
    records = PartitionRecords(AT, Batches(raw), list(aborted), position, None, None, crcs, level)
    return FetchResult(AT, assignment=Assignment(position, lso), partition_records=records, backoff=0)


@pytest.mark.parametrize("lso", [4, 9])
def test_a_chunk_says_where_its_partition_ended_when_it_was_fetched(lso: int) -> None:
    assert take(fetched(batch(0, 4), 0, lso=lso)).end == lso


def take(result: FetchResult, **options: Any) -> Chunk:
    chunk = take_chunk(TP("in", 0), result, **options)
    assert chunk is not None
    return chunk


ABORTED = ((7, 100),)
FETCHES = {
    "plain": (batch(100, 5), 100, ()),
    "from the middle of a batch": (batch(100, 5), 103, ()),
    "compressed, from the middle": (batch(100, 50, codec=LZ4), 120, ()),
    "two batches": (batch(100, 5) + batch(105, 5), 100, ()),
    "compacted holes": (batch(100, 5, hole=7) + batch(130, 2), 100, ()),
    "a committed transaction": (batch(100, 5, producer=7, transactional=True) + marker(105, 7, COMMIT), 100, ()),
    "an aborted transaction": (batch(100, 5, producer=7, transactional=True) + marker(105, 7, ABORT), 100, ABORTED),
    "aborted, then committed by the same producer": (
        batch(100, 2, producer=7, transactional=True)
        + marker(102, 7, ABORT)
        + batch(103, 3, producer=7, transactional=True)
        + marker(106, 7, COMMIT),
        100,
        ABORTED,
    ),
    "two producers interleaved, one aborted": (
        batch(100, 2, producer=7, transactional=True)
        + batch(102, 2, producer=8, transactional=True)
        + batch(104, 2, producer=7, transactional=True)
        + marker(106, 8, COMMIT)
        + marker(107, 7, ABORT)
        + batch(108, 1),
        100,
        ABORTED,
    ),
    "nothing but a marker": (marker(100, 7, COMMIT), 100, ()),
    "ends within the fetch": (batch(100, 5) + batch(105, 5)[:40], 100, ()),
}


@pytest.mark.parametrize("level", [READ_COMMITTED, READ_UNCOMMITTED])
@pytest.mark.parametrize("name", FETCHES)
def test_a_chunk_holds_what_aiokafka_would_give_and_goes_on_where_it_would(name: str, level: int) -> None:
    raw, position, aborted = FETCHES[name]
    reference = fetched(raw, position, level=level, aborted=aborted)
    records = reference.getall()
    result = fetched(raw, position, level=level, aborted=aborted)
    chunk = take(result)
    assert chunk.offsets == [record.offset for record in records]
    assert chunk.keys == [record.key for record in records]
    assert chunk.values == [record.value for record in records]
    assert chunk.timestamps == [record.timestamp for record in records]
    assert chunk.start == position
    assert chunk.next_offset == result._assignment.position == reference._assignment.position
    assert not result.has_more()


def test_headers_are_kept_by_offset() -> None:
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 1 << 20)
    builder.append(0, 0, b"k", b"v", [])
    builder.append(1, 0, b"k", b"v", [("original", b"123")])
    chunk = take(fetched(bytes(builder.build()), 0))
    assert chunk.headers == {1: [("original", b"123")]}


def test_a_long_fetch_is_several_chunks_that_follow_each_other() -> None:
    raw = b"".join(batch(base, 10) for base in range(0, 100, 10))
    result = fetched(raw, 0)
    seen: list[int] = []
    chunks = 0
    while result.has_more():
        chunk = take(result, limit=25)
        assert chunk.start == len(seen)
        seen += chunk.offsets
        assert chunk.next_offset == len(seen)
        chunks += 1
    assert seen == list(range(100))
    assert chunks == 4


def test_a_broken_batch_is_refused_and_moves_nothing() -> None:
    raw = bytearray(batch(0, 5) + batch(5, 5))
    raw[-1] ^= 0xFF
    result = fetched(bytes(raw), 0, crcs=True)
    with pytest.raises(CorruptRecordException):
        take_chunk(TP("in", 0), result)
    assert result._assignment.position == 0


def test_what_was_fetched_before_a_seek_is_dropped() -> None:
    result = fetched(batch(0, 5), 0)
    result._assignment.position = 3
    assert take_chunk(TP("in", 0), result) is None
    assert not result.has_more()
