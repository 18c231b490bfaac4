"""What trending is told in: kinds, windows, the counts between its two stages, the lists that leave it, blocks.

topic    trending-counts   absolute counts per item, minute, region and source partition; versioned; many to a record
topic    trending          one list of at most 100 per (kind, region, window), whole, versioned
topic    trending-blocks   what an admin keeps out of the lists: the last word per item counts
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

KINDS = ("videos", "creators", "hashtags", "sounds")
WINDOWS = {"1h": 60, "24h": 1_440, "7d": 10_080}
"""Name → minutes."""
ALL = "all"
"""The region that holds every view, also those that name no region."""
LIST_SIZE = 100
MINUTE_MS = 60_000

CLAIM, MARK = -1, -2
"""In place of a minute: the count says whose a video is; or how far its source partition has come."""

type_of_kind = {name: number for number, name in enumerate(KINDS)}


class CountKey(NamedTuple):
    """What a count is of."""

    kind: int
    id: str
    region: str
    """Empty where the events name none."""
    minute: int
    """Since 1970 UTC; or CLAIM, or MARK."""
    source: int
    """Partition of `views` that was counted."""


class Count(NamedTuple):
    """How often an item was seen in a minute, by users of one source partition. Absolute: the highest version holds."""

    version: int
    clock_ms: int
    """How far the clock of its source partition had come when this was counted."""
    seen: tuple[int, int, int]
    """Users who saw it then for the first time in the hour, in the day, in the week (of UTC)."""
    reactions: int
    """Weighted; one of each kind per user and week."""
    viewers: bytes
    """Who was counted in the first of `seen`: streams/trending/viewers.py."""
    creator: str | None
    """Of a claim: who made the video; None where nobody is named any more."""


def mark(source: int, version: int, clock_ms: int, caught_up: bool) -> tuple[CountKey, Count]:
    """What follows a flush's counts: all that the source partition has to say up to its clock has been said.

    `caught_up`: it had come to the end of its partition, so what is silent there is not late.
    """
    return CountKey(0, "", "", MARK, source), Count(version, clock_ms, (int(caught_up), 0, 0), 0, b"", None)


Bundle = list[tuple[CountKey, Count]]
BUNDLE = 500
"""Counts in one record of the topic at most: each is a few dozen bytes."""


class Entry(msgspec.Struct, omit_defaults=True, gc=False):
    """One place on a list, with the parts of its score (streams/trending/scoring.py)."""

    id: str
    score: Annotated[int, Meta(description="Thousandths of (observed - expected)² / expected")]
    observed: Annotated[float, Meta(description="Views and reactions in the window, decayed")]
    expected: Annotated[float, Meta(description="What the same hours of the weeks before lead one to expect, decayed")]
    views: Annotated[int, Meta(description="Qualified views in the window, one per user, not decayed")]
    unique_viewers: Annotated[int, Meta(description="Distinct viewers; many by sketch")]
    reactions: Annotated[float, Meta(description="Weighted reactions as they count, decayed")]
    decay: Annotated[float, Meta(description="What is left of views and reactions: decayed by undecayed, 0 to 1")]
    creator: str | None = None
    left_out: Annotated[int, Meta(description="Further videos of this creator that the cap kept off the list")] = 0


class TrendingList(msgspec.Struct, omit_defaults=True, gc=False):
    """The list of one kind, region and window; it replaces the one before it as a whole."""

    kind: str
    region: str
    window: str
    version: int
    at_ms: Annotated[int, Meta(description="The stream's clock [ms since 1970 UTC]")]
    entries: list[Entry] = []


class Block(msgspec.Struct, omit_defaults=True, gc=False):
    """An admin's word on an item."""

    kind: str
    id: str
    blocked: bool
    by: str
    reason: str
    at_ms: int


def list_key(row: TrendingList) -> bytes:
    return f"{row.kind}|{row.region}|{row.window}".encode()


def block_key(row: Block) -> bytes:
    return f"{row.kind}|{row.id}".encode()


def kind_of_block(key: bytes) -> int:
    """The kind's number of a block with this key.

    >>> kind_of_block(block_key(Block("sounds", "a|b", True, "me", "why", 0)))
    3
    """
    return type_of_kind[key.partition(b"|")[0].decode()]


def partition_of(kind: int, partitions: int) -> int:
    """Where the counts of a kind meet. A list is made of all items of its kind, so they must be in one place."""
    return kind % partitions


pack = msgspec.msgpack.Encoder().encode
unpack = msgspec.msgpack.Decoder().decode
unpack_key = msgspec.msgpack.Decoder(CountKey).decode
unpack_bundle = msgspec.msgpack.Decoder(Bundle).decode
unpack_count = msgspec.msgpack.Decoder(Count).decode
encode_entry = encode_list = msgspec.json.Encoder().encode
decode_list = msgspec.json.Decoder(TrendingList).decode
encode_block = msgspec.json.Encoder().encode
decode_block = msgspec.json.Decoder(Block).decode
