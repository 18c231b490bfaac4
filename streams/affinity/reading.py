"""Views and reactions, decided: how much an event says about whom. By bytes and receipt alone (DESIGN §8 rule 4)."""

from __future__ import annotations

import struct
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec

from schemas.affinity import REACTED, STRONGEST, UNKNOWN_LENGTH_S
from schemas.codec import Event, canonical, chunk_reader
from schemas.plausible import LIMITS
from schemas.receipt import judged_by
from schemas.structs import STRUCT_OF
from streams.state import Records

RANK = struct.Struct(">IB16s")
"""Revision, is-delete, start of the digest: rule 1's order as bytes."""
RANK_BYTES = RANK.size
LIKED_FROM = STRONGEST // 2
"""From half of its length on, a video that was watched is liked; what was reacted to is."""
MOST_HASHTAGS = 10
"""Of a video, that say something: the first."""

_VIEW: type = STRUCT_OF["view.recorded"]
_DELETED: type = STRUCT_OF["reaction.deleted"]
_WATCHED_MAX = LIMITS["view.recorded"]["watched_s"]
_pack = msgspec.msgpack.Encoder().encode


class Winner(NamedTuple):
    """What is kept of an event besides its rank."""

    ms: int
    """Its time; of a delete, whose time says nothing, its receipt."""
    strength: int
    """Thousandths of a whole view."""
    is_liked: bool
    content: str
    """Empty: a delete."""
    creator: str | None
    category: str | None
    hashtags: tuple[str, ...]
    region: str | None


class Decided(NamedTuple):
    """What is decided of one event."""

    subject: bytes
    key: bytes
    """Subject and entity, a zero byte between."""
    packed: bytes
    """Rank and winner, as in the changelog."""
    winner: Winner


_decode = msgspec.msgpack.Decoder(Winner).decode


def unpack_winner(packed: bytes) -> Winner:
    """The winner of a changelog's record."""
    return _decode(memoryview(packed)[RANK_BYTES:])


def strength_of(event: Event) -> int:
    """How much a view or reaction says: the share that was watched, at most the whole; a reaction by its kind.

    An implausible time says nothing (schemas/plausible.py).
    """
    if type(event) is not _VIEW:
        return REACTED[event.data.kind]
    watched: float = event.data.watched_s
    length: float = event.data.length_s or 0
    if watched > _WATCHED_MAX:
        return 0
    return min(STRONGEST, round(watched * 1000) * STRONGEST // (round(length * 1000) or UNKNOWN_LENGTH_S * 1000))


def judge(records: Records) -> list[Decided | None]:
    """Decide each record; None for what is refused: trending's stage one reads the same topic and files it."""
    times = judged_by(records.offsets, records.timestamps, records.headers)
    decided: list[Decided | None] = []
    read = chunk_reader(records.topic)(records.values, times)
    for key, got, received_ms in zip(records.keys, read, times, strict=True):
        if type(got) is tuple and key == got[0].subject.encode():
            decided.append(_decided(key, got[0], got[1], received_ms))
        else:
            decided.append(None)
    return decided


def _decided(subject: bytes, event: Event, ms: int, received_ms: int) -> Decided:
    deleted = type(event) is _DELETED
    rank = RANK.pack(event.revision, deleted, sha256(canonical(event)).digest()[:16])
    winner = Winner(received_ms, 0, False, "", None, None, (), None) if deleted else _winner(event, event.data, ms)
    entity = event.id if event.entity is None else event.entity
    return Decided(subject, subject + b"\0" + entity.encode(), rank + _pack(winner), winner)


def _winner(event: Event, data: Any, ms: int) -> Winner:
    strength = strength_of(event)
    tags = tuple(dict.fromkeys(data.hashtags))[:MOST_HASHTAGS]
    is_liked = strength >= LIKED_FROM
    return Winner(ms, strength, is_liked, data.content, data.creator, data.category, tags, data.region)
