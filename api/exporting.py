"""GET /v1/users/{id}/data: a person takes everything with them, as JSON lines, streamed as the stores give it.

An answer has no length beforehand: one that is cut off (a store went away in the middle) ends without the last chunk of
HTTP, which every client reports, and is asked for again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from api.config import Config, NotToBeHad
from api.problems import Problem, unavailable
from api.reading import may_read

log = logging.getLogger(__name__)

AT_ONCE = 4
_STEP = 256 << 10
"""Bytes that are read before they are sent."""


class Exporting:
    """What requests share."""

    def __init__(self, config: Config) -> None:
        self.rows, self.running = config.export, 0
        self._closing: set[asyncio.Task[None]] = set()

    def close(self, found: Iterator[bytes], step: asyncio.Task[bytes] | None) -> None:
        """Let go of its connections, once the step that is under way has ended."""

        async def end() -> None:
            try:
                if step is not None:
                    await asyncio.wait([step])
                await asyncio.to_thread(getattr(found, "close", bool))
            finally:
                self.running -= 1

        task = asyncio.create_task(end())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


async def export(request: Request) -> Response:
    """For the person, and for who may read theirs."""
    user = await may_read(request, request.path_params["user"])
    shared: Exporting = request.state.exporting
    if shared.rows is None:
        raise Problem(404, "there is nothing here")
    if shared.running >= AT_ONCE:
        raise unavailable("too much is being exported", 5)
    found = _Lines(shared, shared.rows(user))
    try:
        first = await found.some()
    except NotToBeHad as why:
        found.close()
        log.warning("nothing was exported: %s", why)
        raise unavailable("not all stores answer", 5) from None
    except BaseException:
        found.close()
        raise

    async def pieces() -> AsyncIterator[bytes]:
        piece = first
        while piece:
            yield piece
            piece = await found.some()

    return _Answer(found, pieces())


class _Lines:
    """One export, read step by step in threads."""

    def __init__(self, shared: Exporting, lines: Iterator[bytes]) -> None:
        self._shared, self._lines = shared, lines
        self._step: asyncio.Task[bytes] | None = None
        shared.running += 1

    async def some(self) -> bytes:
        self._step = asyncio.create_task(asyncio.to_thread(_some, self._lines))
        return await asyncio.shield(self._step)

    def close(self) -> None:
        self._shared.close(self._lines, self._step)


class _Answer(StreamingResponse):
    """Lets go of the connections however it ends, also before its first byte is sent."""

    def __init__(self, found: _Lines, pieces: AsyncIterator[bytes]) -> None:
        headers = {"Cache-Control": "no-store", "Content-Disposition": 'attachment; filename="daybook.jsonl"'}
        super().__init__(pieces, media_type="application/x-ndjson", headers=headers)
        self._found = found

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._found.close()


def _some(found: Iterator[bytes]) -> bytes:
    """The next lines; nothing when there are no more."""
    piece = bytearray()
    for line in found:
        piece += line
        piece += b"\n"
        if len(piece) >= _STEP:
            break
    return bytes(piece)
