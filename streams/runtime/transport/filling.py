"""Records out of a batch into a chunk: compiled where that was built (native.pyx), else, and whatever is unusual, by
aiokafka's own reader. Both say the same (tests/contract/test_wire.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from typing import TYPE_CHECKING, Any

from aiokafka import codec

from streams.compiled import compiled

if TYPE_CHECKING:
    from streams.runtime.transport.chunk import Chunk

HEAD = Struct(">qiibIhiqqqhii")
"""Base offset, length, leader epoch, magic, CRC, attributes, last offset delta, first and last timestamp, producer id
and epoch, base sequence, count (kafka.apache.org/documentation, "Record Batch")."""
_CODEC, _APPEND_TIME = 7, 8
_UNPACK = {1: codec.gzip_decode, 2: codec.snappy_decode, 3: codec.lz4_decode, 4: codec.zstd_decode}
_native = compiled("streams.runtime.transport.native")


def fill(chunk: Chunk, batch: Any, start: int) -> None:
    """Append the records of a batch (schemas.wire.Batch), from the offset `start` on."""
    if _native is not None and _filled(chunk, batch.whole, start):
        return
    try:
        each(chunk, batch.strict, start)
    except UnicodeDecodeError:  # the name of a header
        each(chunk, batch.lenient(), max(start, chunk.offsets[-1] + 1) if chunk.offsets else start)


def _filled(chunk: Chunk, whole: bytes, start: int) -> bool:
    base, _, _, _, _, attributes, _, first_ms, last_ms, _, _, _, count = HEAD.unpack_from(whole)
    data, at = whole, HEAD.size
    if packed_by := attributes & _CODEC:
        unpack = _UNPACK.get(packed_by)
        if unpack is None:
            return False
        data, at = unpack(memoryview(whole)[at:]), 0
    fixed_ms = last_ms if attributes & _APPEND_TIME else -1
    done: bool = _native.fill(chunk, data, at, count, base, first_ms, fixed_ms, start)
    return done


def each(chunk: Chunk, records: Iterable[Any], start: int) -> None:
    """Append aiokafka's records, from the offset `start` on."""
    add_offset, add_timestamp = chunk.offsets.append, chunk.timestamps.append
    add_key, add_value = chunk.keys.append, chunk.values.append
    for record in records:
        offset = record.offset
        if offset < start:  # a compressed batch starts before the offset that was asked for
            continue
        add_offset(offset)
        add_timestamp(record.timestamp)
        add_key(record.key)
        add_value(record.value)
        if record.headers:
            chunk.headers[offset] = record.headers
