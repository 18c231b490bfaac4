"""POST /v1/events: events in, a verdict for each. 202 says that all accepted ones are stored: by Kafka on all its
replicas or, where the answer says `spooled`, on this machine's disk until Kafka is back.
"""

from __future__ import annotations

import asyncio
import time

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api.body import Body
from api.config import Config
from api.known import Known
from api.outlet import Outlet
from api.pacer import Pacer
from api.parts import split
from api.problems import Problem
from api.room import Room
from api.suppression import Suppression
from api.tokens import Who
from api.verdicts import judge
from api.who import who
from producers.publish import Record
from schemas.metrics import Meters
from schemas.tracing import Attributes

_json = msgspec.json.Encoder().encode
_ASKED: Attributes = {"http.request.method": "POST", "http.route": "/v1/events"}


class Ingest:
    """What requests share."""

    def __init__(self, config: Config, outlet: Outlet, pacer: Pacer, meters: Meters, suppression: Suppression) -> None:
        self.limits, self.outlet, self.pacer, self.meters = config.limits, outlet, pacer, meters
        self.suppression, self.tracing = suppression, config.tracing
        self.room = Room(config.limits.room_bytes)
        self.known = Known()


async def post(request: Request) -> Response:
    """One request. Nothing is read of a body whose sender may not send, or while no event can be stored."""
    shared: Ingest = request.state.ingest
    sender = await who(request)
    await shared.pacer.take(sender, "requests")
    shared.outlet.check()
    if shared.tracing is None or (span := shared.tracing.begin("POST /v1/events", _ASKED)) is None:
        return await _taken(request, shared, sender, None)
    try:
        answer = await _taken(request, shared, sender, span.traceparent)
    except BaseException as why:
        span.end(error=type(why).__name__)
        raise
    span.end({"http.response.status_code": answer.status_code})
    return answer


async def _taken(request: Request, shared: Ingest, sender: Who, traceparent: bytes | None) -> Response:
    body = Body(request.headers.get("content-encoding", ""), shared.limits.body_bytes)
    held = 0
    try:
        async with asyncio.timeout(shared.limits.body_s):
            async for piece in request.stream():
                grown = body.feed(piece)
                shared.room.take(grown)
                held += grown
        events = split(request.headers.get("content-type", ""), body.whole(), shared.limits.events)
        headers = await shared.pacer.take(sender, "events", len(events))
        now_ms = time.time_ns() // 1_000_000
        judged = judge(
            *(events, sender, shared.known),
            now_ms=now_ms,
            depth=shared.limits.depth,
            erased=shared.suppression.erased,
        )
        spooled = await _sent(shared, judged.records, traceparent)
    except TimeoutError:
        raise Problem(408, f"a body must arrive within {shared.limits.body_s:g} s") from None
    finally:
        shared.room.give(held)
    shared.known.add(judged.digests)
    answer = judged.answer(spooled=spooled)
    for status, count in (("accepted", answer.accepted), ("duplicate", answer.duplicate), ("refused", answer.refused)):
        if count:
            shared.meters.add("daybook_ingest_events_total", status, by=count)
    return Response(_json(answer), 202, headers, "application/json")


async def _sent(shared: Ingest, records: list[Record], traceparent: bytes | None) -> bool:
    if traceparent is None or shared.tracing is None or not records:
        return await shared.outlet.send(records)
    said: Attributes = {"messaging.system": "kafka", "messaging.batch.message_count": len(records)}
    span = shared.tracing.follow("send events", [traceparent], said)
    try:
        spooled = await shared.outlet.send(records, span.traceparent)
    except BaseException as why:
        span.end(error=type(why).__name__)
        raise
    span.end({"daybook.spooled": int(spooled)})
    return spooled
