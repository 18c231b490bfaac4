"""GET /v1/users/{id}/explain: what a day's numbers are made of, by the same code as `daybook explain`.

It reads all of a user's events and blocks while it does, so it runs in threads, a few at once, and is not kept.
"""

from __future__ import annotations

import asyncio
import logging

from starlette.requests import Request
from starlette.responses import Response

from api import asking
from api.config import Config, NotToBeHad
from api.problems import Problem, unavailable
from api.reading import METRICS, PRIVATE, may_read

log = logging.getLogger(__name__)

AT_ONCE = 4
WITHIN_S = 20.0


class Explaining:
    """What requests share."""

    def __init__(self, config: Config) -> None:
        self._explain, self._running = config.explain, 0

    async def ask(self, user: str, day: str, metric: str | None) -> bytes:
        """The explanation as JSON. Raises Problem."""
        if self._explain is None:
            raise Problem(404, "there is nothing here")
        if self._running >= AT_ONCE:
            raise unavailable("too much is being explained", 2)
        self._running += 1
        task = asyncio.create_task(asyncio.to_thread(self._explain, user, day, metric))
        task.add_done_callback(self._done)  # a thread that nobody waits for any more still counts
        try:
            return await asyncio.wait_for(asyncio.shield(task), WITHIN_S)
        except ValueError as why:
            raise Problem(400, str(why)) from None
        except (NotToBeHad, TimeoutError) as why:
            log.warning("nothing was explained: %s", why or "it took too long")
            raise unavailable("not all stores answer", 2) from None

    def _done(self, task: asyncio.Task[bytes]) -> None:
        self._running -= 1
        if not task.cancelled():
            task.exception()  # it was told to whoever waited


async def explain(request: Request) -> Response:
    """?date=, ?metric=."""
    user = await may_read(request, request.path_params["user"])
    query = request.query_params
    if "date" not in query:
        raise Problem(400, "date must be given")
    day = asking.day(query["date"], "date")
    metric = query.get("metric")
    if metric is not None and metric not in METRICS:
        raise Problem(400, f"there is no metric {metric[:100]}")
    body = await request.state.explaining.ask(user, str(day), metric)
    tag = asking.etag(body)
    headers = {"ETag": tag, "Cache-Control": PRIVATE, "Vary": "Authorization"}
    if asking.has(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)
