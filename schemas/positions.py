"""How far a stream got: one position record per source topic, in the changelog beside the state it belongs to.

key    \\0position\\0 topic          no key of the state starts with a zero byte
value  JSON of `Position`

A position is written in the same transaction as the state, the rows and the rejects that it covers, so whoever reads a
changelog (the owner at recovery, the ClickHouse sink, verify) reads both or neither.
"""

from __future__ import annotations

import msgspec

PREFIX = b"\0position\0"
GENERATION_SHIFT = 40
MOST_AHEAD = 1 << 30
"""How far a flush number may leap at a hint; at 20 flushes a second that many take a year and a half."""


class Position(msgspec.Struct, frozen=True, forbid_unknown_fields=False):
    """How far one partition of one source topic is folded, and what became of its events.

    Conservation (DESIGN §1): received = applied + duplicate + superseded + rejected + pending.
    """

    generation: int
    """Which fold made the state (DESIGN §8 rule 11)."""
    flush: int
    """The partition's flush number when this was written; it only grows."""
    topic_id: str
    """Kafka's id of the source topic: a topic deleted and made again has another one (rule 15)."""
    next_offset: int
    """The first source offset that is not folded yet: the watermark."""
    received: int = 0
    applied: int = 0
    duplicate: int = 0
    superseded: int = 0
    rejected: int = 0
    pending: int = 0
    """In flight: they wait in the state for entities that are not in memory (schemas/loads.py)."""
    recent: int = 0
    """Of the last 10,000 or so; with the next two what the limit of refusals goes by (streams/runtime/limit.py)."""
    recent_rejected: int = 0
    rejected_run: int = 0
    """Refused in a row, up to the watermark."""
    history: int = 0
    """Where the topic ended when this state began: what lies below is folded in silence (rule 18)."""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Position).decode


def encode_position(topic: str, position: Position) -> tuple[bytes, bytes]:
    """Return the changelog record of ``topic``'s position."""
    return PREFIX + topic.encode(), _encode(position)


def decode_position(key: bytes, value: bytes) -> tuple[str, Position]:
    """Return (topic, position); raises ValueError for a record that is not a position."""
    if not is_position(key):
        raise ValueError(f"not a position record: key {key!r}")
    try:
        return key[len(PREFIX) :].decode(), _decode(value)
    except msgspec.MsgspecError as error:
        raise ValueError(f"unreadable position record {key!r}: {error}") from error


def is_position(key: bytes) -> bool:
    """Tell a position record from a record of the state.

    >>> is_position(encode_position("meals", Position(1, 1, "id", 0))[0]), is_position(b"user")
    (True, False)
    """
    return key.startswith(PREFIX)


def version_of(generation: int, flush: int) -> int:
    """Return the version that rows of this flush carry: higher generations win, then later flushes (rule 10)."""
    return generation << GENERATION_SHIFT | flush


def beyond(version: int, generation: int, flush: int) -> int:
    """Return the first flush number whose rows beat ``version``; 0 where no flush of this generation may or must.

    ``version`` was found in a store: whatever somebody wrote there, flush numbers must not run out.

    >>> beyond(version_of(1, 7), 1, 3), beyond(version_of(1, 2), 1, 3), beyond(version_of(2, 7), 1, 3)
    (8, 3, 0)
    >>> beyond((2 << 40) - 1, 1, 3)
    0
    """
    if version >> GENERATION_SHIFT != generation:
        return 0
    found = version & ((1 << GENERATION_SHIFT) - 1)
    return found + 1 if found - flush <= MOST_AHEAD else 0
