"""Old days on the wire: what the ledger's changelog keeps of evicted entities, and how they are asked for and answered.

changelog   \\0floor\\0 subject \\0 number    one eviction: floor, sum, fingerprints      (`Evicted`)
            \\0pending\\0 entity key          the winner among events that wait for a load; a tombstone once it has come
loads       key subject                     `Ask`, from the owner, in its transaction
loaded      key subject                     `Part` of an answer; without a key: `Mark`. From the loader, at least once

Keys that begin with a zero byte are no entities: the stores' sinks pass them over.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from struct import Struct
from typing import NamedTuple
from zlib import crc32

import msgspec

from schemas.ledger import RANK_BYTES

FLOOR = b"\0floor\0"
PENDING = b"\0pending\0"
PART_BYTES = 400_000
"""Most bytes of entities in one record of an answer, unless one alone is larger: half of what a broker takes."""
_HEAD = Struct(">iQ")
_SUM_BITS = (1 << 64) - 1
MOST_FINGERPRINTS = 100_000
"""Of one changelog record; an eviction of more is several."""

fingerprint = crc32
"""What is remembered of an evicted key. Equal for two keys: a needless load, never a wrong row."""


class Evicted(NamedTuple):
    """What one eviction left of a user."""

    floor: int
    """Every entity with a day before this one (in days since 1970) may have been evicted."""
    sum: int
    """Of `weight` over all that is evicted now."""
    fingerprints: array[int]
    """Of the keys that this eviction added."""


class Ask(msgspec.Struct, array_like=True, frozen=True):
    """The owner of a partition asks for a user's old entities."""

    number: int
    """Version (generation, flush) of the flush that asked: the answer may be read once ClickHouse holds it."""


class Part(msgspec.Struct, array_like=True, frozen=True, tag="part"):
    """A part of the answer to an Ask."""

    number: int
    """Of the Ask."""
    attempt: str
    """Parts of different attempts are never mixed."""
    part: int
    parts: int
    entities: list[tuple[bytes, bytes]]
    """Changelog keys and packed winners."""


class Mark(msgspec.Struct, array_like=True, frozen=True, tag="mark"):
    """ClickHouse holds this partition's ledger up to and including the flush of this version."""

    stored: int


encode = msgspec.msgpack.Encoder().encode
decode_ask = msgspec.msgpack.Decoder(Ask).decode
_decode_said: msgspec.msgpack.Decoder[Part | Mark] = msgspec.msgpack.Decoder(Part | Mark)
decode_said = _decode_said.decode


def weight(key: bytes, winner: bytes) -> int:
    """A number that tells this winner of this entity from every other: summed, they tell sets apart."""
    return int.from_bytes(blake2b(key + winner[:RANK_BYTES], digest_size=8).digest(), "big")


def add_weights(total: int, pairs: Iterable[tuple[bytes, bytes]]) -> int:
    """The sum of weights; the order of adding does not matter."""
    return (total + sum(weight(key, winner) for key, winner in pairs)) & _SUM_BITS


def floor_key(subject: str, number: int) -> bytes:
    """Changelog key of a user's eviction of that number, counted from 0."""
    return FLOOR + f"{subject}\0{number:06}".encode()


def split_floor_key(key: bytes) -> tuple[str, int]:
    """Subject and number.

    >>> split_floor_key(floor_key("u", 7))
    ('u', 7)
    """
    subject, number = key[len(FLOOR) :].decode().split("\0")
    return subject, int(number)


def encode_evicted(evicted: Evicted) -> bytes:
    return _HEAD.pack(evicted.floor, evicted.sum) + _little(evicted.fingerprints).tobytes()


def decode_evicted(value: bytes) -> Evicted:
    """Raises struct.error or ValueError for what is no such record."""
    found = array("I")
    found.frombytes(value[_HEAD.size :])
    floor, total = _HEAD.unpack_from(value)
    return Evicted(floor, total, _little(found))


def _little(numbers: array[int]) -> array[int]:
    if sys.byteorder == "big":
        numbers = array("I", numbers)
        numbers.byteswap()
    return numbers


def parts_of(
    number: int, attempt: str, entities: Iterable[tuple[bytes, bytes]], most: int = PART_BYTES
) -> Iterator[Part]:
    """An answer in as many parts as it needs; one without entities has one part."""
    groups: list[list[tuple[bytes, bytes]]] = [[]]
    size = 0
    for key, winner in entities:
        if size and size + len(key) + len(winner) > most:
            groups.append([])
            size = 0
        groups[-1].append((key, winner))
        size += len(key) + len(winner)
    for i, group in enumerate(groups):
        yield Part(number, attempt, i, len(groups), group)
