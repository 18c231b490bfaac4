"""What every request passes: its number, careful headers, one shape of error, a line in the log and a count.

Written against ASGI itself, so that bodies and streams pass through untouched.
"""

from __future__ import annotations

import logging
import re
import secrets
import time

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import Problem
from schemas.metrics import Meters

log = logging.getLogger("api.requests")

_NUMBER = re.compile(r"[A-Za-z0-9._-]{1,64}")
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""On every answer that does not say otherwise (OWASP REST security cheat sheet); and so is Cache-Control: no-store."""
_RAW = [(name.lower().encode(), value.encode()) for name, value in (HEADERS | {"Cache-Control": "no-store"}).items()]


class Door:
    """The outermost part of the service."""

    def __init__(self, app: ASGIApp, meters: Meters) -> None:
        self._app, self._meters = app, meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        scope["app"] = self  # the router raises then what it refuses, instead of saying it in plain text
        began = time.monotonic()
        asked = Headers(scope=scope).get("x-request-id", "")
        number = asked if _NUMBER.fullmatch(asked) else secrets.token_hex(8)
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                said = message["headers"]
                names = {name for name, _ in said}
                said = [*said, (b"x-request-id", number.encode()), *(own for own in _RAW if own[0] not in names)]
                message = {**message, "headers": said}
            await send(message)

        try:
            await self._app(scope, receive, answer)
        except Exception as why:
            if status:  # it had begun to answer: the connection ends, and the client sees that it was cut
                raise
            if not isinstance(why, Problem | HTTPException | ClientDisconnect):
                log.exception("request %s: nobody expected this", number)
            await _refuse(_problem(why), number, answer)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            took = time.monotonic() - began
            self._meters.add("daybook_http_requests_total", route, str(status))
            self._meters.observe("daybook_http_seconds", route, value=took)
            ms = round(took * 1000, 1)
            said = {"method": scope["method"], "route": route, "status": status, "ms": ms, "request": number}
            log.info("%s %s %d %.1f ms %s", *said.values(), extra=said)


def _problem(why: Exception) -> Problem:
    match why:
        case Problem():
            return why
        case HTTPException():
            return Problem(why.status_code, _SAID.get(why.status_code, why.detail), why.headers)
        case ClientDisconnect():
            return Problem(400, "the request ended before its body did")
    return Problem(500, "this is our mistake; the request's number leads to it in the log")


_SAID = {404: "there is nothing here", 405: "not in this way"}


async def _refuse(problem: Problem, number: str, send: Send) -> None:
    body = problem.body(number)
    headers = {"Content-Type": "application/problem+json", "Content-Length": str(len(body)), **problem.headers}
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": problem.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
