"""How far a stream got: one position record per source topic, in the changelog beside the state it belongs to.

key    \\0position\\0 topic          no key of the state starts with a zero byte
value  format 1: JSON of `Position`. Format 2: a byte that says 2, then msgpack, an array of its fields

A position is written in the same transaction as the state, the rows and the rejects that it covers, so whoever reads a
changelog (the owner at recovery, the ClickHouse sink, verify) reads both or neither.

A position also says in which format the state beside it is written, which is never newer: whoever cannot read the one
must not go on with the other. This version reads READABLE; which of them is written is one number for all workers
(schemas/generations.py), because old and new ones take each other's partitions over while they are replaced.
"""

from __future__ import annotations

from typing import Any

import msgspec

PREFIX = b"\0position\0"
READABLE = (1, 2)
"""Formats that this version reads: the one before and its own."""
NEWEST = READABLE[-1]
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


class UnknownFormat(ValueError):
    """Written by a version that is newer than this one, or not by Daybook."""


_Packed: Any = msgspec.defstruct(
    "_Packed",
    [
        (field.name, field.type) if field.required else (field.name, field.type, field.default)
        for field in msgspec.structs.fields(Position)
    ],
    array_like=True,
)
"""The same fields in a row, without their names; new ones are added at the end."""
_json = msgspec.json.Encoder().encode
_of_json = msgspec.json.Decoder(Position).decode
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(_Packed).decode


def encode_position(topic: str, position: Position, state_format: int = NEWEST) -> tuple[bytes, bytes]:
    """Return the changelog record of ``topic``'s position, in one of READABLE."""
    key = PREFIX + topic.encode()
    if state_format == 1:
        return key, _json(position)
    return key, bytes([state_format]) + _pack(_Packed(*msgspec.structs.astuple(position)))


def decode_position(key: bytes, value: bytes) -> tuple[str, Position]:
    """Return (topic, position), of whatever readable format.

    Raises UnknownFormat, or another ValueError for a record that is not a position.
    """
    if not is_position(key):
        raise ValueError(f"not a position record: key {key!r}")
    try:
        written = 1 if value[:1] == b"{" else value[0] if value else 0
        if (why := unreadable(written)) is not None:
            raise UnknownFormat(why)
        if written == 1:
            position = _of_json(value)
        else:
            position = Position(*msgspec.structs.astuple(_unpack(memoryview(value)[1:])))
        return key[len(PREFIX) :].decode(), position
    except msgspec.MsgspecError as error:
        raise ValueError(f"unreadable position record {key!r}: {error}") from error


def unreadable(state_format: int) -> str | None:
    """Why state of this format cannot be worked on, and what to do; None if it can.

    >>> unreadable(NEWEST), unreadable(9)[:61]
    (None, 'the state is written in format 9, and this version reads 1 to')
    """
    if state_format in READABLE:
        return None
    return (
        f"the state is written in format {state_format}, and this version reads {READABLE[0]} to {NEWEST}: deploy a "
        "version that reads it (docs/how-to/upgrade.md)"
    )


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
