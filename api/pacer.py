"""How fast senders go, counted in Redis for all processes together; by each alone while Redis is away."""

from __future__ import annotations

import time
from pathlib import Path

from api import pace
from api.config import Limits
from api.pace import WINDOW_S, Local
from api.problems import Problem
from api.stores import Away, Stores
from api.tokens import Who

_SCRIPT = (Path(__file__).parent / "pace.lua").read_text(encoding="utf-8")


class Pacer:
    """Asked before anything is done for a request."""

    def __init__(self, stores: Stores, limits: Limits) -> None:
        self._stores, self._limits = stores, limits
        self._take = stores.script(_SCRIPT)
        self._local = Local()

    async def take(self, who: Who, what: str, cost: int = 1) -> dict[str, str]:
        """Count `cost` of `what` (requests or events) for a sender; returns the headers to answer with. Raises Problem
        429. Admins are not counted, nor is what has no limit."""
        limit = self._limits.pace(who.role, what)
        if limit == 0:
            return {}
        now_s = time.time()
        sender = f"{who.role}:{what}:{who.subject}"
        try:
            found = await self._in_redis(sender, limit, cost, now_s)
        except Away:
            found = self._local.take(sender, limit, cost, now_s)
        said = pace.headers(what, limit, found)
        if found.allowed:
            return said
        if cost > limit:
            raise Problem(413, f"{cost} {what} are more than {limit} a minute: send fewer at a time", said)
        raise Problem(429, f"at most {limit} {what} a minute: send the same again later", said)

    async def _in_redis(self, sender: str, limit: int, cost: int, now_s: float) -> pace.Verdict:
        window = int(now_s // WINDOW_S)
        keys = [f"daybook:pace:{{{sender}}}:{window - n}" for n in (0, 1)]  # braces: one slot of a cluster
        share = 1 - now_s % WINDOW_S / WINDOW_S
        before, current = await self._stores.run(self._take, keys, [limit, cost, repr(share), 2 * WINDOW_S])
        return pace.judge(limit, before, current, cost, now_s)
