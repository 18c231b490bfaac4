"""How fast senders go, counted in Redis for all processes together; by each alone while Redis is away."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from starlette.requests import Request

from api import pace
from api.config import Limits
from api.pace import WINDOW_S, Local
from api.problems import Problem
from api.stores import Away, Stores
from api.tokens import Who

log = logging.getLogger(__name__)

_SCRIPT = (Path(__file__).parent / "pace.lua").read_text(encoding="utf-8")


class Pacer:
    """Asked before anything is done for a request."""

    def __init__(self, stores: Stores, limits: Limits, *, behind_proxies: bool) -> None:
        self._stores, self._limits, self._behind_proxies = stores, limits, behind_proxies
        self._told = False
        self._take = stores.script(_SCRIPT)
        self._local = Local()

    async def take(self, who: Who, what: str, cost: int = 1) -> dict[str, str]:
        """Count `cost` of `what` (requests or events) for a sender; returns the headers to answer with. Raises Problem
        429. Admins are not counted, nor is what has no limit."""
        limit = self._limits.pace(who.role, what)
        if limit == 0:
            return {}
        found = await self._judged(f"{who.role}:{what}:{who.subject}", limit, cost)
        said = pace.headers(what, limit, found)
        if found.allowed:
            return said
        if cost > limit:
            raise Problem(413, f"{cost} {what} are more than {limit} a minute: send fewer at a time", said)
        raise Problem(429, f"at most {limit} {what} a minute: send the same again later", said)

    async def stranger(self, request: Request, *, count: bool) -> None:
        """A request without a token that is known to count; `count` it, once it is known not to. Raises Problem 429, in
        the same words whatever it brought: so that no guess beyond the limit is answered."""
        limit = self._limits.stranger_requests
        if limit == 0:
            return
        if not self._behind_proxies and not self._told and "x-forwarded-for" in request.headers:
            self._told = True
            log.warning("requests come through a proxy that DAYBOOK_API_PROXIES does not name: one address for all")
        address = pace.counted(request.client.host if request.client else None)
        found = await self._judged(f"stranger:requests:{address}", limit, 1, count=count)
        if not found.allowed:
            said = pace.headers("requests", limit, found)
            raise Problem(429, "too many requests without a token that counts come from this address", said)

    async def _judged(self, sender: str, limit: int, cost: int, *, count: bool = True) -> pace.Verdict:
        now_s = time.time()
        try:
            return await self._in_redis(sender, limit, cost, now_s, count)
        except Away:
            return self._local.take(sender, limit, cost, now_s, count=count)

    async def _in_redis(self, sender: str, limit: int, cost: int, now_s: float, count: bool) -> pace.Verdict:
        window = int(now_s // WINDOW_S)
        keys = [f"daybook:pace:{{{sender}}}:{window - n}" for n in (0, 1)]  # braces: one slot of a cluster
        share = 1 - now_s % WINDOW_S / WINDOW_S
        before, current = await self._stores.run(self._take, keys, [limit, cost, repr(share), 2 * WINDOW_S, int(count)])
        return pace.judge(limit, before, current, cost, now_s)
