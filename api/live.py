"""GET /v1/stream: a user's today, or another day, as it changes, as server-sent events (WHATWG HTML §9.2).

Each stream looks at the version of one hash in Redis a few times a second, and reads the row when that has changed:
what it tells is what `today` answers at that moment. It ends after some minutes, so that a token that has expired is
not listened to for ever; a client comes back with the id of the last event that it saw.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from datetime import date

import msgspec
from starlette.requests import Request
from starlette.responses import StreamingResponse

from api import asking
from api.problems import unavailable
from api.reading import METRICS, Reading, day_said, may_read
from api.stores import Away

_json = msgspec.json.Encoder(order="deterministic").encode
LOOK_S = 0.25
"""How often a stream looks."""
SIGN_S = 15.0
"""It says something so often, or what lies between would take it for dead."""
LONGEST_S = 600.0
MOST = 1_000
"""Streams of one process."""


class Live:
    """What streams share."""

    def __init__(self, reading: Reading, leaving: asyncio.Event) -> None:
        """`leaving`: set when the process is to end; streams end then."""
        self.reading, self.leaving, self.count = reading, leaving, 0


async def stream(request: Request) -> StreamingResponse:
    """One user's stream: ?user=, ?date=, ?timezone=, ?day_start=, ?fields=."""
    live: Live = request.state.live
    query = request.query_params
    user = await may_read(request, query.get("user"))
    asking.chosen(query, 0)  # refused before the stream begins
    wanted = asking.fields(query.get("fields"), METRICS)
    if live.count >= MOST:
        raise unavailable("too many streams are open", 10)
    seen = request.headers.get("last-event-id", "")

    async def told() -> AsyncIterator[bytes]:
        live.count += 1
        try:
            async for event in _changes(live, user, query, wanted, seen):
                yield event
        finally:
            live.count -= 1

    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(told(), media_type="text/event-stream", headers=headers)


async def _changes(
    live: Live, user: str, query: Mapping[str, str], wanted: frozenset[str] | None, seen: str
) -> AsyncIterator[bytes]:
    began = spoke = time.monotonic()
    yield b"retry: 2000\n\n"
    while (now := time.monotonic()) - began < LONGEST_S and not live.leaving.is_set():
        at = asking.chosen(query, time.time_ns() // 1_000_000)
        try:
            version = await live.reading.stores.version(user, at)
            if (name := event_id(at, version)) != seen:
                row = (await live.reading.stores.days(user, [at])).rows.get(str(at))
                seen, spoke = name, now
                yield event(name, _json(day_said(user, at, row, wanted)))
        except Away:
            pass  # nothing is known; it goes on when a store answers
        if now - spoke >= SIGN_S:
            spoke = now
            yield b": still here\n\n"
        await asyncio.sleep(LOOK_S)


def event_id(at: date, version: str | None) -> str:
    """Which state of which day an event tells."""
    return f"{at}/{version or 0}"


def event(name: str, data: bytes) -> bytes:
    """One event; JSON has no line break in it.

    >>> event("2026-03-01/7", b'{"a":1}')
    b'event: today\\nid: 2026-03-01/7\\ndata: {"a":1}\\n\\n'
    """
    return b"event: today\nid: %s\ndata: %s\n\n" % (name.encode(), data)
