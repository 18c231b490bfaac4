"""A person leaves: DELETE /v1/users/{id}/data begins it, GET /v1/users/{id}/erasure says how far it is. For admins.

202 says that nothing of the person is taken any more, now and for good. What is left to do takes as long as workers and
stores take, so it goes on in a thread of its own, one at a time, that ends with the process: it may be cut short at any
moment, and DELETE goes on with it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api.config import Busy, Config, NotToBeHad
from api.problems import Problem, unavailable
from api.who import who

log = logging.getLogger(__name__)
_json = msgspec.json.Encoder().encode

WITHIN_S = 20.0
"""So long a request waits for the first step."""
AGAIN_S = 2
"""When to ask how far it is."""
MOST = 200
"""Characters of a subject (daybook/erasing/run.py)."""


@dataclass
class Run:
    """One erasure of this process."""

    user: str
    began: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    """Done once nothing of the person is taken any more; or why that did not come to be."""
    step: str = ""
    """The last one that is done."""
    is_over: bool = False


class Erasing:
    """What requests share."""

    def __init__(self, config: Config) -> None:
        self._erase, self._erasure = config.erase, config.erasure
        self._run: Run | None = None

    async def begin(self, user: str) -> None:
        """Return once nothing of the person is taken any more. Raises Problem."""
        if self._erase is None:
            raise _no_key()
        run = self._run
        if run is None or run.is_over:
            run = self._run = Run(user)
            threading.Thread(target=self._do, args=(run, asyncio.get_running_loop()), daemon=True).start()
        elif run.user != user:
            raise _busy()
        try:
            await asyncio.wait_for(asyncio.shield(run.began), WITHIN_S)
        except Busy:
            raise _busy() from None
        except (NotToBeHad, TimeoutError):
            raise unavailable("not all servers answer: ask again, and it goes on", AGAIN_S) from None

    async def told(self, user: str) -> dict[str, object]:
        """How far it is. Raises Problem."""
        if self._erasure is None:
            raise _no_key()
        try:
            found = await asyncio.to_thread(self._erasure, user)
        except NotToBeHad as why:
            log.warning("nobody knows how far an erasure is: %s", why)
            raise unavailable("not all servers answer", AGAIN_S) from None
        run = self._run
        if run is not None and run.user == user and not run.is_over:
            return {"status": "under way", "step": run.step}
        if found is None:
            raise Problem(404, "there is nothing here")
        return {"status": "done" if "receipt" in found else "begun", **found}

    def _do(self, run: Run, loop: asyncio.AbstractEventLoop) -> None:
        def tell(why: Exception | None = None) -> None:
            with suppress(RuntimeError):  # the service has ended meanwhile
                loop.call_soon_threadsafe(_settle, run.began, why)

        def say(step: str) -> None:
            run.step = step
            tell()

        assert self._erase is not None
        try:
            self._erase(run.user, say)
            log.info("an erasure is finished")
        except Exception as why:
            log.warning("an erasure was cut short: %s", why)
            tell(why if isinstance(why, Busy | NotToBeHad) else NotToBeHad(str(why)))
        finally:
            run.is_over = True


def _settle(began: asyncio.Future[None], why: Exception | None) -> None:
    if began.done():
        return
    if why is None:
        began.set_result(None)
    else:
        began.set_exception(why)
        began.exception()  # whoever asked may be gone


async def erase(request: Request) -> Response:
    """Begin, or go on."""
    user = await _for_admins(request)
    await request.state.erasing.begin(user)
    headers = {"Retry-After": str(AGAIN_S), "Location": f"/v1/users/{quote(user, safe='')}/erasure"}
    return Response(_json({"status": "under way"}), 202, headers, "application/json")


async def erasure(request: Request) -> Response:
    """How far it is; the signed receipt when it is done."""
    user = await _for_admins(request)
    return Response(_json(await request.state.erasing.told(user)), media_type="application/json")


async def _for_admins(request: Request) -> str:
    """Whose. Raises Problem 401, 403 alike whomever it is about, or 404 for what is no subject."""
    if (await who(request)).role != "admin":
        raise Problem(403, "this is for admins")
    user: str = request.path_params["user"]
    if not 0 < len(user) <= MOST or "\0" in user:
        raise Problem(404, "there is nothing here")
    return user


def _no_key() -> Problem:
    return Problem(501, "names of erased subjects have no key here: DAYBOOK_ERASURE_KEY")


def _busy() -> Problem:
    return Problem(409, "another erasure is under way: ask again when it is done", {"Retry-After": "10"})
