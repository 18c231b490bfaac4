"""What becomes of each event of a request: accepted, a duplicate, or refused with the place and the reason. Pure.

An event passes the same check that the streams make (schemas/codec.py), so what is accepted here is not refused there.
What it says is not sent twice: certainly within a request, and as long as `Known` remembers it across requests.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import msgspec

from api.known import DIGEST_BYTES, Known
from api.parts import is_deeper
from api.tokens import Who
from producers.publish import Record
from schemas import codec
from schemas.canary import SUBJECT as CANARIES
from schemas.codec import Event, Rejected
from schemas.families import FAMILY_OF
from schemas.suppression import Erased


class Verdict(msgspec.Struct, omit_defaults=True):
    """What became of one event of the request."""

    index: int
    """Which one, from 0, in the order of the request."""
    status: Literal["accepted", "duplicate", "refused"]
    pointer: str | None = None
    """Where in the event, as a JSON pointer (RFC 6901)."""
    reason: str | None = None


class Answer(msgspec.Struct, omit_defaults=True):
    """The body of a 202."""

    accepted: int
    duplicate: int
    refused: int
    results: list[Verdict]
    spooled: bool = False
    """Whether the accepted ones are on the service's own disk, and go into Kafka when that is back."""


class Judged(NamedTuple):
    """A request's events, and what is left to do."""

    verdicts: list[Verdict]
    records: list[Record]
    """What is to be sent: the accepted ones, as they were written."""
    digests: list[bytes]
    """What to remember once they are acknowledged."""

    def answer(self, *, spooled: bool = False) -> Answer:
        """What the client is told then."""
        counts = {status: 0 for status in ("accepted", "duplicate", "refused")}
        for verdict in self.verdicts:
            counts[verdict.status] += 1
        return Answer(counts["accepted"], counts["duplicate"], counts["refused"], self.verdicts, spooled)


@dataclass(frozen=True, slots=True)
class _Refused:
    pointer: str
    reason: str


def judge(
    events: Sequence[bytes],
    who: Who,
    known: Known,
    *,
    now_ms: int,
    depth: int,
    erased: Erased | None = None,
) -> Judged:
    """Judge a request's events.

    `now_ms`: this machine's clock in ms since 1970, for events from the future; Kafka's own decides in the end.
    `depth`: see `parts.is_deeper`. `erased`: whose events are refused.
    """
    verdicts: list[Verdict] = []
    records: list[Record] = []
    fresh: dict[bytes, None] = {}
    for index, raw in enumerate(events):
        event = _check(raw, who, now_ms, depth)
        if erased and not isinstance(event, _Refused) and erased.has(event.subject.encode()):
            event = _Refused("/subject", "this subject was erased")
        if isinstance(event, _Refused):
            verdicts.append(Verdict(index, "refused", event.pointer, event.reason))
            continue
        digest = _digest(event)
        if digest in fresh or digest in known:
            verdicts.append(Verdict(index, "duplicate"))
            continue
        fresh[digest] = None
        records.append(Record(FAMILY_OF[codec.type_name(event)], event.subject.encode(), raw))
        verdicts.append(Verdict(index, "accepted"))
    return Judged(verdicts, records, list(fresh))


def _check(raw: bytes, who: Who, now_ms: int, depth: int) -> Event | _Refused:
    if is_deeper(raw, depth):
        return _Refused("", f"objects and lists lie at most {depth} deep in each other")
    event = codec.decode(raw, received_ms=now_ms)
    if isinstance(event, Rejected):
        return _Refused(pointer(event.path), event.reason)
    if event.subject.startswith(CANARIES):
        return _Refused("/subject", f"subjects that begin with {CANARIES} are reserved")
    if not who.speaks_for(event.subject):
        return _Refused("/subject", "the token does not speak for this subject")
    if who.role == "user" and (name := _said_twice(raw)) is not None:
        # Readers differ in which of two they take (RFC 8259 §4): one of them may be somebody else's.
        return _Refused("/" + _escaped(name), "this name stands there twice")
    return event


def _digest(event: Event) -> bytes:
    """Of what the event says about which entity, in which revision: rule 1's "the same content twice"."""
    name = (event.subject, FAMILY_OF[codec.type_name(event)], event.entity or event.id, event.revision)
    return hashlib.blake2b(codec.pack_canonical(name) + codec.canonical(event), digest_size=DIGEST_BYTES).digest()


def _said_twice(raw: bytes) -> str | None:
    """A name that stands twice in one object of the event."""
    twice: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        names = [name for name, _ in pairs]
        if len(set(names)) != len(names):
            twice.append(next(name for name in names if names.count(name) > 1))

    json.loads(raw, object_pairs_hook=look, parse_int=str, parse_float=str)  # numbers of any length
    return twice[0] if twice else None


_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")


def pointer(path: str) -> str:
    """A JSON pointer from a path of the codec's; it ends where the path names no place any more.

    >>> pointer("$.data.items[0].name"), pointer("$"), pointer("$.data[...]")
    ('/data/items/0/name', '', '/data')
    """
    found = ""
    for step in _STEP.finditer(path):
        if step[2] == "...":
            break
        found += "/" + _escaped(step[1] or step[2])
    return found


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
