"""What the disk spool's files hold: blocks of events, each whole or recognisably not. Pure.

A block is a head (mark, length, number of events, CRC-32 of all but the mark) and a MessagePack array of topic, key and
value. A block is begun only when the one before it is on the disk, so a block that is not whole was promised to nobody
if nothing whole follows it: a torn tail. Is there something whole behind it, what was promised has been damaged.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from producers.publish import Record

MARK = b"\xffDBS"
"""0xFF stands in no UTF-8, so no event holds it."""
_HEAD = struct.Struct(">4sIII")
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[Record]).decode


class Block(NamedTuple):
    """Where a whole block lies in a file's bytes."""

    start: int
    end: int
    events: int


class Found(NamedTuple):
    """What a file's bytes hold."""

    blocks: list[Block]
    torn: int
    """Bytes at the end that are no whole block: a write that a crash cut off."""
    damaged: int
    """Bytes before whole blocks that are none: what was promised and cannot be read any more."""


def encode(records: Sequence[Record]) -> bytes:
    """One block."""
    body = _pack(records)
    return _HEAD.pack(MARK, len(body), len(records), _sum(len(body), len(records), body)) + body


def size(records: Sequence[Record]) -> int:
    """At most so many bytes is a block of these."""
    return _HEAD.size + 5 + sum(len(topic) + len(key) + len(value) + 16 for topic, key, value in records)


def scan(data: bytes) -> Found:
    """All whole blocks, in order."""
    blocks: list[Block] = []
    at = damaged = 0
    while at < len(data):
        block = _at(data, at)
        if block is None:
            next_at = _next(data, at + 1)
            if next_at is None:
                break
            damaged += next_at - at
            at = next_at
            continue
        blocks.append(block)
        at = block.end
    return Found(blocks, len(data) - at, damaged)


def records(data: bytes, block: Block) -> list[Record]:
    """The events of a whole block, in order."""
    return _unpack(data[block.start + _HEAD.size : block.end])


def _at(data: bytes, at: int) -> Block | None:
    if len(data) - at < _HEAD.size:
        return None
    mark, length, events, checksum = _HEAD.unpack_from(data, at)
    end = at + _HEAD.size + length
    if mark != MARK or end > len(data) or _sum(length, events, data[at + _HEAD.size : end]) != checksum:
        return None
    return Block(at, end, events)


def _next(data: bytes, at: int) -> int | None:
    while (at := data.find(MARK, at)) >= 0:
        if _at(data, at) is not None:
            return at
        at += 1
    return None


def _sum(length: int, events: int, body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(struct.pack(">II", length, events)))
