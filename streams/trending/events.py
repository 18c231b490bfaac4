"""Views and reactions, decided: who did what to which items, and when. By bytes and receipt alone (rule 4)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec

from schemas.codec import Event, Rejected, chunk_reader, pack_canonical
from schemas.plausible import LIMITS
from schemas.receipt import judged_by
from schemas.refusal import WRONG_KEY, filed
from schemas.rows import encode_row, rejected_key
from schemas.structs import STRUCT_OF, TYPE_OF
from schemas.trending import MINUTE_MS
from streams.state import Pairs, Records

NOTHING, VIEW = 0, 1
"""Slots: what an event counts as. Reactions have one of their own each, from 2 on."""
REACTIONS = {"like": 2, "comment": 3, "save": 4, "share": 5}
WEIGHTS = {2: 1, 3: 2, 4: 2, 5: 3}
"""Of reactions, by slot: what costs the user more effort says more. Ours; a backtest scales all of them at once."""
QUALIFIED_S, QUALIFIED_SHARE = 30.0, 0.5
"""A view counts from 30 s on, or from half of the length on (as PeerTube counts views)."""
AHEAD_MS = 5 * 60_000
HOUR_MS = 3_600_000
LATE_MS = 24 * HOUR_MS
"""A time that lies further ahead of the stream's clock, or behind it, is no trend now: it counts for nothing here."""
KEEP_HOURS = 8 * 24 + 1
"""A week, in which a user counts once, and the day by which a view may be late."""
NO_REGION = 0

RANK = struct.Struct(">IB16s")
"""Revision, is-delete, start of the digest: rule 1's order as bytes."""
RANK_BYTES = RANK.size
TIMELY_AT = RANK_BYTES
"""Index of the byte that says whether any copy of the event came in time."""
_pack = msgspec.msgpack.Encoder().encode


class Winner(NamedTuple):
    """What is kept of an event besides its rank."""

    ms: int
    slot: int
    region: str
    content: str
    creator: str | None
    hashtags: tuple[str, ...]
    sound: str | None


Decided = tuple[str, str, bytes, int, int, int, str, Any]
"""Subject, entity, rank with timeliness, time in ms, slot, region's number, region, data."""

_unpack = msgspec.msgpack.Decoder(Winner).decode
_DELETED: type = STRUCT_OF["reaction.deleted"]
_WATCHED_MAX = LIMITS["view.recorded"]["watched_s"]


def slot_of(event: Event) -> int:
    """What an event counts as."""
    if TYPE_OF[type(event)] == "view.recorded":
        data = event.data
        watched, length = data.watched_s, data.length_s
        if watched > _WATCHED_MAX:
            return NOTHING
        return VIEW if watched >= QUALIFIED_S or (length and watched >= QUALIFIED_SHARE * length) else NOTHING
    return REACTIONS[event.data.kind] if TYPE_OF[type(event)] == "reaction.recorded" else NOTHING


def region_number(region: str) -> int:
    """A region as a number below 1,024, in the order of the alphabet; 0 for none.

    >>> region_number(""), region_number("AA"), region_number("ZZ")
    (0, 1, 676)
    """
    return (ord(region[0]) - 65) * 26 + ord(region[1]) - 64 if region else NO_REGION


def region_name(number: int) -> str:
    """The region of a number."""
    return chr(65 + (number - 1) // 26) + chr(65 + (number - 1) % 26) if number else ""


def pack_winner(one: Decided) -> bytes:
    """What is kept of a decided event."""
    _, _, rank, ms, slot, _, region, data = one
    if data is None:
        return rank + _pack((ms, slot, "", "", None, (), None))
    return rank + _pack((ms, slot, region, data.content, data.creator, data.hashtags, data.sound))


def unpack_winner(packed: bytes) -> Winner:
    """What `pack_winner` kept."""
    return _unpack(memoryview(packed)[RANK_BYTES + 1 :])


def is_timely(ms: int, clock_ms: int) -> bool:
    """Whether a time counts by this clock: neither of the future nor ancient."""
    return clock_ms - LATE_MS <= ms <= clock_ms + AHEAD_MS


def judge(records: Records, clock_ms: int | None) -> tuple[list[Decided], Pairs, int]:
    """Accept or refuse the records; returns the decided ones, rows that say what was refused, and the clock after them.

    `clock_ms`: None judges times by receipt. Else the stream's clock is the latest event time, and this is it so far.
    """
    times = judged_by(records.offsets, records.timestamps, records.headers)
    decided: list[Decided] = []
    refused: Pairs = []
    accept, by_event, latest = decided.append, clock_ms is not None, clock_ms or 0
    keys, pack_rank = records.keys, RANK.pack
    for i, got in enumerate(chunk_reader(records.topic)(records.values, times)):
        if type(got) is tuple:
            event, ms, _ = got
            subject = event.subject
            if keys[i] == subject.encode():
                tp: type = type(event)
                data = event.data
                if by_event:
                    latest = max(latest, ms)
                    now = latest
                else:
                    now = times[i]
                    latest = max(latest, now)
                deleted = tp is _DELETED
                digest = sha256(pack_canonical((TYPE_OF[tp], event.source, event.time, event.timezone, data))).digest()
                rank = pack_rank(event.revision, deleted, digest[:16])
                timely = now - LATE_MS <= ms <= now + AHEAD_MS
                entity = event.entity
                region = "" if deleted else data.region or ""
                accept(
                    (
                        subject,
                        event.id if entity is None else entity,
                        rank + (b"\1" if timely else b"\0"),
                        ms,
                        NOTHING if deleted else slot_of(event),
                        region_number(region),
                        region,
                        None if deleted else data,
                    )
                )
                continue
        why = got if isinstance(got, Rejected) else WRONG_KEY
        place = (records.topic, records.partition, records.offsets[i], records.timestamps[i])
        reject = filed(why, *place, records.values[i], keys[i], times[i])
        refused.append((rejected_key(reject), encode_row(reject)))
    return decided, refused, latest


def minutes_of(times: Sequence[int]) -> list[int]:
    """Minutes since 1970 of times in ms."""
    return [ms // MINUTE_MS for ms in times]
