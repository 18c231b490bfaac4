"""GET /v1/operator: how all of it is, for admins; looked at once for all who ask within a moment."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api.config import Config
from api.problems import Problem
from api.who import who

FRESH_S = 2.0
_json = msgspec.json.Encoder().encode


class Operating:
    """What requests share."""

    def __init__(self, config: Config) -> None:
        self._look, self._lock = config.look, asyncio.Lock()
        self._seen: tuple[float, dict[str, Any]] | None = None

    async def look(self) -> dict[str, Any]:
        """What was seen at most FRESH_S ago. Raises Problem 404 where nobody looks."""
        if self._look is None:
            raise Problem(404, "there is nothing here")
        async with self._lock:
            if self._seen is None or time.monotonic() - self._seen[0] > FRESH_S:
                found = await asyncio.to_thread(self._look)
                self._seen = time.monotonic(), found
            return self._seen[1]


async def operator(request: Request) -> Response:
    """Servers, workers, what became of events, what was refused, what the audit found."""
    if (await who(request)).role != "admin":
        raise Problem(403, "this is for admins")
    return Response(_json(await request.state.operating.look()), media_type="application/json")
