"""What schemas/wire.py leans on in aiokafka: a header's name that is not UTF-8 stops no reader, in any compression."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from aiokafka.codec import gzip_encode, lz4_encode, snappy_encode, zstd_encode
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import READ_COMMITTED, FetchResult, PartitionRecords
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c
from aiokafka.structs import TopicPartition
from faust.types import TP
from poison import NAME, SHOWN, PoisonedBuilder

import sinks.source
from schemas import wire
from schemas.wire import Batches
from streams.runtime.transport.chunk import take_chunk

AT = TopicPartition("meals", 0)
COMPRESS = {0: bytes, 1: gzip_encode, 2: snappy_encode, 3: lz4_encode, 4: zstd_encode}


def batch(first: int, codec: int = 0) -> bytes:
    """Three records from offset `first` on, the second with a bad name; compressed after it was made bad."""
    builder = PoisonedBuilder()
    for n, headers in enumerate([[("good", b"0")], [("also", None), (NAME, b"1")], []]):
        builder.append(n, 1_000 + n, b"k%d" % n, None if n == 2 else b"v" * 100, headers)
    raw = builder.build()
    body = raw[:21] + struct.pack(">h", codec) + raw[23:61] + COMPRESS[codec](raw[61:])
    crc = calc_crc32c(body[21:])
    return struct.pack(">qi", first, len(body) - 12) + body[12:17] + struct.pack(">I", crc) + body[21:]


WANTED = [
    (0, b"k0", b"v" * 100, [("good", b"0")]),
    (1, b"k1", b"v" * 100, [("also", None), (SHOWN, b"1")]),
    (2, b"k2", None, []),
]


def test_aiokafka_alone_stops_in_the_middle_of_such_a_batch() -> None:
    found = MemoryRecords(batch(0)).next_batch()
    assert found is not None
    with pytest.raises(UnicodeDecodeError):
        list(found)


@pytest.mark.parametrize("codec", COMPRESS)
def test_every_record_is_read_with_bad_signs_written_out(codec: int) -> None:
    records = Batches(batch(0, codec) + batch(3, codec))
    found: list[Any] = []
    while records.has_next():
        each = records.next_batch()
        assert each.validate_crc()
        assert (each.is_control_batch, each.producer_id) == (False, -1)
        found += each
    again = [(offset + 3, *rest) for offset, *rest in WANTED]
    assert [(r.offset, r.key, r.value, list(r.headers)) for r in found] == [*WANTED, *again]


class _Position:
    """What of an assignment a fetch result asks for."""

    active = True
    paused = False
    lso = 0

    def __init__(self, position: int) -> None:
        self.position = position

    def state_value(self, tp: TopicPartition) -> _Position:
        return self

    def consumed_to(self, position: int) -> None:
        self.position = position


@pytest.mark.parametrize("start", [0, 1, 2, 4])
def test_chunks_hold_each_record_once_wherever_reading_begins(start: int) -> None:
    part = PartitionRecords(AT, Batches(batch(0, 4) + batch(3)), [], start, None, None, True, READ_COMMITTED)
    result = FetchResult(AT, assignment=_Position(start), partition_records=part, backoff=0)
    chunk = take_chunk(TP(*AT), result)
    assert chunk is not None
    assert (chunk.offsets, chunk.next_offset) == (list(range(start, 6)), 6)
    assert chunk.headers.get(4) == WANTED[1][3]


def test_all_consumers_of_a_worker_read_so() -> None:
    assert sinks.source.wire is wire
    assert fetcher.MemoryRecords is Batches
