"""The compiled reader of record batches takes what aiokafka takes, alike, and nothing of what it does not."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from schemas.wire import Batches
from streams.runtime.transport import filling
from streams.runtime.transport.chunk import Chunk

native = pytest.importorskip(
    "streams.runtime.transport.native", reason="the extension was not built", exc_type=ImportError
)

some = st.none() | st.binary(max_size=9) | st.just(b"x" * 300)
headers = st.lists(st.tuples(st.text(max_size=3), some), max_size=2)
records = st.lists(st.tuples(st.integers(0, 2**42), some, some, headers), min_size=1, max_size=12)


def made(said: list[Any], codec: int, base: int = 0, append_ms: int | None = None) -> bytes:
    """A batch of these (timestamp, key, value, headers), as a broker hands it out."""
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, 0, 1 << 20)
    for n, (ms, key, value, tagged) in enumerate(said):
        assert builder.append(n, ms, key, value, tagged) is not None
    raw = bytearray(builder.build())
    struct.pack_into(">q", raw, 0, base)
    if append_ms is not None:  # LogAppendTime, as the broker writes it down
        struct.pack_into(">h", raw, 21, codec | 8)
        struct.pack_into(">q", raw, 35, append_ms)
    struct.pack_into(">I", raw, 17, calc_crc32c(raw[21:]))
    return bytes(raw)


def batch_of(raw: bytes) -> Any:
    found = Batches(raw).next_batch()
    assert found.validate_crc()
    return found


def content(chunk: Chunk) -> Any:
    tagged = {offset: list(each) for offset, each in chunk.headers.items()}
    return chunk.offsets, chunk.timestamps, chunk.keys, chunk.values, tagged


@given(records, st.sampled_from(range(5)), st.integers(0, 2**50), st.none() | st.integers(0, 2**42), st.integers(0, 14))
def test_every_batch_is_read_alike(said: list[Any], codec: int, base: int, append_ms: int | None, skipped: int) -> None:
    raw = made(said, codec, base, append_ms)
    ours, theirs = Chunk(TP("t", 0), base), Chunk(TP("t", 0), base)
    assert filling._filled(ours, raw, base + skipped), "it is left to nobody"
    filling.each(theirs, batch_of(raw).strict, base + skipped)
    assert content(ours) == content(theirs)


@given(st.binary(max_size=80), st.integers(0, 5), st.integers(0, 90))
def test_whatever_the_bytes_are_it_reads_all_or_leaves_the_chunk_as_it_was(data: bytes, count: int, at: int) -> None:
    chunk = Chunk(TP("t", 0), 0)
    chunk.offsets, chunk.timestamps, chunk.keys, chunk.values = [1], [2], [b"k"], [b"v"]
    before = ([1], [2], [b"k"], [b"v"], {})
    if native.fill(chunk, data, at, count, 10, 0, -1, 0):
        assert len(chunk.offsets) == 1 + count
    else:
        assert content(chunk) == before


@given(records, st.data())
def test_a_batch_cut_short_is_not_taken(said: list[Any], data: st.DataObject) -> None:
    raw = made(said, 0)
    cut = raw[: data.draw(st.integers(61, len(raw) - 1))]
    chunk = Chunk(TP("t", 0), 0)
    assert not filling._filled(chunk, cut, 0)
    assert content(chunk) == ([], [], [], [], {})
    assert not filling._filled(chunk, raw + b"\0", 0), "nor one with something behind it"
