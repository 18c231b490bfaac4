"""A body, as one piece of bytes for each event in it: one CloudEvent, a batch of them, or JSON lines. Pure.

The pieces are the client's own bytes: what is wrong with one of them is that one's verdict, not the request's.
"""

from __future__ import annotations

import re

import msgspec

from api.problems import Problem

SINGLE = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
LINES = ("application/x-ndjson", "application/jsonl", "application/json-lines")
ANY = "application/json"
_batch = msgspec.json.Decoder(list[msgspec.Raw]).decode
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)
_MARK = b"\xef\xbb\xbf"


def split(content_type: str, body: bytes, most: int) -> list[bytes]:
    """The events of a body, in order; blank lines are none. Raises Problem: 415, 400 for an envelope that cannot be
    read, 413 for more than `most` events."""
    kind, _, parameters = content_type.partition(";")
    kind = kind.strip().lower()
    if "charset" in parameters.lower() and "utf-8" not in parameters.lower():
        raise Problem(415, "events are UTF-8")
    body = body.removeprefix(_MARK).strip()
    if kind in LINES:
        events = [line for line in map(bytes.strip, body.split(b"\n")) if line]
    elif kind == BATCH or (kind == ANY and body.startswith(b"[")):
        events = _of_batch(body)
    elif kind in (SINGLE, ANY):
        events = [body] if body else []
    else:
        raise Problem(415, f"Content-Type must be {SINGLE}, {BATCH}, {ANY} or {LINES[0]}")
    if not events:
        raise Problem(400, "the body holds no event")
    if len(events) > most:
        raise Problem(413, f"a request has at most {most} events, this one has {len(events)}")
    return events


def _of_batch(body: bytes) -> list[bytes]:
    try:
        return [bytes(piece) for piece in _batch(body)]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as why:
        raise Problem(400, f"the batch is no JSON array: {why}") from None


def is_deeper(event: bytes, depth: int) -> bool:
    """Whether objects and lists lie deeper in each other than `depth`. Wrong JSON gives some answer.

    >>> is_deeper(b'{"a": [[1], "[[["]}', 3), is_deeper(b'{"a": [[1]]}', 2)
    (False, True)
    """
    if event.count(b"{") + event.count(b"[") <= depth:
        return False
    now = 0
    for token in _TOKEN.findall(event):
        if token in (b"{", b"["):
            now += 1
            if now > depth:
                return True
        elif token in (b"}", b"]"):
            now -= 1
    return False
