"""Views and reactions, decided: who did what to which items, and when. By bytes and receipt alone (rule 4)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from schemas.codec import Event, Rejected, canonical, chunk_reader
from schemas.plausible import LIMITS
from schemas.receipt import judged_by
from schemas.refusal import WRONG_KEY, filed
from schemas.rows import encode_row, rejected_key
from schemas.structs import STRUCT_OF, TYPE_OF
from schemas.trending import MINUTE_MS
from streams.state import Pairs, Records

if TYPE_CHECKING:
    from streams.trending.native import ViewReader

REGIONS = 1_024
"""More than there are; a code is minute · REGIONS + region."""
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


Decided = tuple[bytes, bytes, bytes, int, int, int, bytes]
"""Subject; subject and entity, a zero byte between; the winner, packed; time in ms; slot; code (firsts.py); and the end
of the winner, which says what was on the screen."""

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


def pack_winner(rank: bytes, timely: bool, ms: int, slot: int, data: Any) -> tuple[bytes, bytes]:
    """What is kept of an event, and the end of it: the same for all that show the same. `data`: None of a delete."""
    region, shown = "", ("", None, (), None)
    if data is not None:
        region, shown = data.region or "", (data.content, data.creator, data.hashtags, data.sound)
    end = _pack(shown)[1:]
    head = b"\1\x97" if timely else b"\0\x97"
    return rank + head + _pack(ms) + _pack(slot) + _pack(region) + end, end


def unpack_winner(packed: bytes) -> Winner:
    """What `pack_winner` kept."""
    return _unpack(memoryview(packed)[RANK_BYTES + 1 :])


def shown_by(winner: Winner) -> bytes:
    """The end of a winner, as `pack_winner` says it."""
    return _pack((winner.content, winner.creator, winner.hashtags, winner.sound))[1:]


def is_timely(ms: int, clock_ms: int) -> bool:
    """Whether a time counts by this clock: neither of the future nor ancient."""
    return clock_ms - LATE_MS <= ms <= clock_ms + AHEAD_MS


def judge(
    records: Records, clock_ms: int | None, reader: ViewReader | None = None
) -> tuple[list[Decided | None], Pairs, int]:
    """Accept or refuse the records; returns what is decided of each, rows that say what was refused, and the clock.

    `clock_ms`: None judges times by receipt. Else the stream's clock is the latest event time, and this is it so far.
    `reader`: decides what it can at first sight; the rest is read here.
    """
    times = judged_by(records.offsets, records.timestamps, records.headers)
    if reader is None or clock_ms is not None:
        decided: list[Decided | None] = [None] * len(records.offsets)
        left: Sequence[int] = range(len(decided))
        latest = clock_ms or 0
    else:
        decided, left, latest = reader.read(records.values, times, records.keys)
    if not left:
        return decided, [], latest
    values = records.values if len(left) == len(decided) else [records.values[i] for i in left]
    received = times if len(left) == len(decided) else [times[i] for i in left]
    refused: Pairs = []
    by_event, keys = clock_ms is not None, records.keys
    for i, got in zip(left, chunk_reader(records.topic)(values, received), strict=True):
        if type(got) is tuple and keys[i] == (subject := got[0].subject.encode()):
            event, ms, _ = got
            latest = max(latest, ms if by_event else times[i])
            decided[i] = _decided(event, ms, is_timely(ms, latest if by_event else times[i]), subject)
            continue
        why = got if isinstance(got, Rejected) else WRONG_KEY
        place = (records.topic, records.partition, records.offsets[i], records.timestamps[i])
        reject = filed(why, *place, records.values[i], keys[i], times[i])
        refused.append((rejected_key(reject), encode_row(reject)))
    return decided, refused, latest


def _decided(event: Event, ms: int, timely: bool, subject: bytes) -> Decided:
    deleted = type(event) is _DELETED
    data, slot = (None, NOTHING) if deleted else (event.data, slot_of(event))
    rank = RANK.pack(event.revision, deleted, sha256(canonical(event)).digest()[:16])
    winner, shown = pack_winner(rank, timely, ms, slot, data)
    entity = event.id if event.entity is None else event.entity
    code = ms // MINUTE_MS * REGIONS + region_number("" if data is None else data.region or "")
    return subject, subject + b"\0" + entity.encode(), winner, ms, slot, code, shown
