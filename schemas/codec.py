"""Bytes to events, and the reasons why some are refused. The only code that knows the wire format of events.

Acceptance is a pure function of the bytes, the broker's append time and the schema version (DESIGN §8 rule 4).
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import msgspec

from schemas.families import FAMILIES, FAMILY_OF
from schemas.fields import nul_path
from schemas.instants import instant_parts, zone
from schemas.structs import STRUCT_OF, TYPE_OF, struct_of, union_of
from schemas.versions import UnknownVersion, upcast

MAX_EVENT_BYTES = 262_144
MAX_AHEAD_MS = 24 * 3600 * 1000
"""How far `time` may lie ahead of the broker's append time. Old is never refused (DESIGN §4)."""


class Event(Protocol):
    """What every decoded event has; `data` is the Struct of the type's data model."""

    id: str
    source: str
    subject: str
    time: str
    entity: str | None
    revision: int
    timezone: str | None
    sentat: str | None
    data: Any


@dataclass(frozen=True, slots=True)
class Rejected:
    """Why bytes were refused, and where in them."""

    reason: str
    path: str = "$"


_PROFILE: type = STRUCT_OF["profile.updated"]


def type_name(event: Event) -> str:
    """The CloudEvents `type` of a decoded event."""
    return TYPE_OF[type(event)]


def decode(raw: bytes | None, *, family: str | None = None, received_ms: int | None = None) -> Event | Rejected:
    """One event, or why not.

    `family`: the topic that it came from; None takes any. `received_ms`: the broker's append time in ms since 1970;
    None skips the clock check (a sender's own pre-check). Never raises for any bytes.
    """
    got = reader(family)(raw, _NEVER if received_ms is None else received_ms)
    return got if isinstance(got, Rejected) else got[0]


_NEVER = 1 << 62
NUL_ESCAPE = b"\\u0000"
"""Without these bytes, JSON holds no U+0000."""


Reading = tuple[Event, int, int | None]
"""An accepted event, its time in ms since 1970 and its UTC offset in minutes (None for Z)."""
Read = Callable[[bytes | None, int], "Reading | Rejected"]
ReadAll = Callable[[Sequence[bytes | None], Sequence[int]], "list[Reading | Rejected]"]


def _parser(family: str | None) -> Callable[[bytes | None], Event]:
    structs = STRUCT_OF.values() if family is None else [struct_of(m) for m in FAMILIES[family]]
    return cast(Callable[[bytes | None], Event], msgspec.json.Decoder(union_of(structs)).decode)


@functools.cache
def reader(family: str | None) -> Read:
    """`decode` for one topic (None: any), with what it had to find out: (bytes, append time in ms) → Reading."""
    parse = _parser(family)

    def read(raw: bytes | None, received_ms: int) -> Reading | Rejected:
        if raw is None or len(raw) > MAX_EVENT_BYTES:
            return _unfit(raw)
        path = "$.time"
        try:
            try:
                event = parse(raw)
            except msgspec.ValidationError as why:
                path = "$.dataschema"
                older = upcast(raw)
                if older is None or family not in (None, FAMILY_OF[TYPE_OF[type(older)]]):
                    return _refusal(family, str(why))
                event, path = cast(Event, older), "$.time"
            ms, offset_min = instant_parts(event.time)
            if ms > received_ms + MAX_AHEAD_MS:
                return Rejected("time is more than 24 h ahead of the broker's clock", path)
            if event.sentat is not None:
                path = "$.sentat"
                instant_parts(event.sentat)
            if event.timezone is not None:
                path = "$.timezone"
                zone(event.timezone)
            if type(event) is _PROFILE and event.data.timezone is not None:
                path = "$.data.timezone"
                zone(event.data.timezone)
            if NUL_ESCAPE in raw:  # rarely; an escaped backslash before u0000 is harmless
                path = "$"
                if (found := nul_path(json.loads(raw))) is not None:
                    return Rejected("U+0000 is not allowed in text", found)
            return event, ms, offset_min
        except msgspec.ValidationError as why:
            return _refusal(family, str(why))
        except UnknownVersion as why:
            return Rejected(str(why), path)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as why:
            return Rejected(f"Not JSON: {why}")
        except ValueError as why:
            return Rejected(str(why), path)

    return read


_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, TypeError)


@functools.cache
def chunk_reader(family: str) -> ReadAll:
    """`reader` for many records at once, at two thirds of its price: what is good at first sight is taken here,
    everything else is asked of `reader`, so that both always say the same."""
    parse, read = _parser(family), reader(family)

    def read_all(raws: Sequence[bytes | None], received_ms: Sequence[int]) -> list[Reading | Rejected]:
        events: list[Event | None] = []
        left = iter(raws)
        while len(events) < len(raws):
            try:
                events.extend(map(parse, left))
            except _UNREADABLE:  # what came before it is in the list, and the next turn goes on after it
                events.append(None)
        there: list[bytes] = raws if None not in events else [raw for raw in raws if raw is not None]  # type: ignore[assignment]
        whole = b"".join(there)
        if (b"\\" in whole and NUL_ESCAPE in whole) or len(max(there, key=len, default=b"")) > MAX_EVENT_BYTES:
            return list(map(read, raws, received_ms))
        found: list[Reading | Rejected] = []
        take, checked = found.append, _PROFILE in map(type, events)
        for i, event in enumerate(events):
            if event is None:  # refused, or of an older version
                take(read(raws[i], received_ms[i]))
                continue
            try:
                ms, offset_min = instant_parts(event.time)
                if event.sentat is not None:
                    instant_parts(event.sentat)
                if event.timezone is not None:
                    zone(event.timezone)
            except ValueError:
                take(read(raws[i], received_ms[i]))
                continue
            if checked or ms > received_ms[i] + MAX_AHEAD_MS:
                take(read(raws[i], received_ms[i]))
            else:
                take((event, ms, offset_min))
        return found

    return read_all


def _unfit(raw: bytes | None) -> Rejected:
    if raw is None:
        return Rejected("Expected an event, got a Kafka record without a value")
    return Rejected(f"Expected at most {MAX_EVENT_BYTES} bytes, got {len(raw)}")


def _refusal(family: str | None, text: str) -> Rejected:
    reason, _, path = text.partition(" - at `")
    if family is not None and path == "$.type`" and (named := reason.partition("'")[2][:-1]) in FAMILY_OF:
        return Rejected(f"{named} belongs on topic {FAMILY_OF[named]}, not on {family}", "$.type")
    return Rejected(reason, path.rstrip("`") or "$")


pack_canonical = msgspec.msgpack.Encoder(order="deterministic").encode
"""Of (type, source, time, timezone, data): see `canonical`."""
_json = msgspec.json.Encoder(order="deterministic").encode


def canonical(event: Event) -> bytes:
    """What the event says, free of how it was written or sent: the digest of rule 1 is taken over this msgpack.

    In: type, source, time as written, timezone and data with defaults left out. Not in: id, sentat, key order, spaces,
    1 against 1.0, unknown attributes. New optional fields leave the digests of old events as they are.
    """
    return pack_canonical((TYPE_OF[type(event)], event.source, event.time, event.timezone, event.data))


def encode(event: Event) -> bytes:
    """CloudEvents JSON of an event, defaults left out."""
    return _json(event)


__all__ = ["STRUCT_OF", "Event", "Rejected", "canonical", "chunk_reader", "decode", "encode", "reader", "type_name"]
