"""Bytes to events, and the reasons why some are refused. The only code that knows the wire format of events.

Acceptance is a pure function of the bytes, the broker's append time and the schema version (DESIGN §8 rule 4).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from schemas.families import FAMILIES, FAMILY_OF, type_of
from schemas.fields import nul_path
from schemas.instants import parse_instant, zone
from schemas.structs import STRUCT_OF, struct_of, union_of

MAX_EVENT_BYTES = 262_144
MAX_AHEAD_MS = 24 * 3600 * 1000
"""How far `time` may lie ahead of the broker's append time. Old is never refused (DESIGN §4)."""
SCHEMA_VERSION = 1


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


_decoders: dict[str, msgspec.json.Decoder[Any]] = {
    family: msgspec.json.Decoder(union_of(struct_of(m) for m in models)) for family, models in FAMILIES.items()
}
_any: msgspec.json.Decoder[Any] = msgspec.json.Decoder(union_of(STRUCT_OF.values()))
_TYPES = {struct_of(m): type_of(m) for models in FAMILIES.values() for m in models}


def type_name(event: Event) -> str:
    """The CloudEvents `type` of a decoded event."""
    return _TYPES[type(event)]  # type: ignore[index]


def decode(raw: bytes | None, *, family: str | None = None, received_ms: int | None = None) -> Event | Rejected:
    """One event, or why not.

    `family`: the topic that it came from; None takes any. `received_ms`: the broker's append time in ms since 1970;
    None skips the clock check (a sender's own pre-check). Never raises for any bytes.
    """
    if raw is None:
        return Rejected("Expected an event, got a Kafka record without a value")
    if len(raw) > MAX_EVENT_BYTES:
        return Rejected(f"Expected at most {MAX_EVENT_BYTES} bytes, got {len(raw)}")
    try:
        event: Event = (_any if family is None else _decoders[family]).decode(raw)
    except msgspec.ValidationError as why:
        return _refusal(raw, family, str(why))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as why:
        return Rejected(f"Not JSON: {why}")
    if b"\\u0000" in raw:  # rarely: an escaped backslash before u0000 is harmless
        try:
            path = nul_path(json.loads(raw))
        except RecursionError as why:
            return Rejected(f"Not JSON: {why}")
        if path is not None:
            return Rejected("U+0000 is not allowed in text", path)
    return _checked(event, received_ms)


def _checked(event: Event, received_ms: int | None) -> Event | Rejected:
    """The rules that types cannot say."""
    path = "$.time"
    try:
        at = parse_instant(event.time)
        if received_ms is not None and at.ms > received_ms + MAX_AHEAD_MS:
            return Rejected("time is more than 24 h ahead of the broker's clock", path)
        if event.sentat is not None:
            path = "$.sentat"
            parse_instant(event.sentat)
        if event.timezone is not None:
            path = "$.timezone"
            zone(event.timezone)
        timezone = getattr(event.data, "timezone", None)
        if timezone is not None:
            path = "$.data.timezone"
            zone(timezone)
    except (ValueError, OverflowError) as why:
        return Rejected(str(why), path)
    return event


def _refusal(raw: bytes, family: str | None, text: str) -> Rejected:
    reason, _, path = text.partition(" - at `")
    if family is not None and path == "$.type`":
        named = msgspec.json.decode(raw).get("type")
        if isinstance(named, str) and named in FAMILY_OF:
            return Rejected(f"{named} belongs on topic {FAMILY_OF[named]}, not on {family}", "$.type")
    return Rejected(reason, path.rstrip("`") or "$")


_canonical = msgspec.msgpack.Encoder(order="deterministic").encode
_json = msgspec.json.Encoder(order="deterministic").encode


def canonical(event: Event) -> bytes:
    """What the event says, free of how it was written or sent: the digest of rule 1 is taken over this msgpack.

    In: type, source, time as written, timezone and data with defaults left out. Not in: id, sentat, key order, spaces,
    1 against 1.0, unknown attributes. New optional fields leave the digests of old events as they are.
    """
    return _canonical((_TYPES[type(event)], event.source, event.time, event.timezone, event.data))  # type: ignore[index]


def encode(event: Event) -> bytes:
    """CloudEvents JSON of an event, defaults left out."""
    return _json(event)


__all__ = ["STRUCT_OF", "Event", "Rejected", "canonical", "decode", "encode", "type_name"]
