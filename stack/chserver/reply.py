"""What goes back: ClickHouse's headers, the rows as they come, and failures before and in the middle of them."""

import asyncio
import json
import logging
import secrets
import socket
import string
import tempfile
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path

from aiohttp import web

from stack.chserver.answer import Encoder, Pipe, content_type, exception_block
from stack.chserver.asked import Asked
from stack.chserver.body import KEEP_IN_MEMORY, OFFLOAD
from stack.chserver.engine import Done
from stack.chserver.errors import ServerError

_PIECE = 1 << 20
_log = logging.getLogger("chserver")


class Replies:
    """Makes responses for one server."""

    def __init__(self, version: str, timezone: str, scratch: Path, send_timeout_s: float, coders: Executor) -> None:
        self._version = version
        self._scratch = scratch
        self._coders = coders
        self._send_timeout_s = send_timeout_s
        self._always = {"X-ClickHouse-Server-Display-Name": socket.gethostname(), "X-ClickHouse-Timezone": timezone}

    def failure(self, error: ServerError, query_id: str) -> web.Response:
        """An error before anything was sent."""
        headers = {**self._always, "X-ClickHouse-Exception-Code": str(error.code), "X-ClickHouse-Query-Id": query_id}
        if error.status == 401:
            headers["WWW-Authenticate"] = 'Basic realm="ClickHouse server HTTP API"'
        text = error.text(self._version)
        _log.info("refused: %d, query %s: %s", error.status, query_id, text[:500].replace("\n", " "))
        return web.Response(status=error.status, text=text + "\n", headers=headers)

    def hang_up(self, request: web.Request) -> web.Response:
        """For a client that is gone, or as good as gone: nothing more on this connection."""
        if request.transport is not None:
            request.transport.close()
        return web.Response(status=400)

    async def whole(self, asked: Asked, done: Done, format: str | None, output: bytes = b"") -> web.Response:
        """A response that is there in one piece."""
        headers = self._headers(asked, format, done)
        if asked.coding and output:
            encoder = Encoder(asked.coding)
            output = await self._encoded(encoder, output) + encoder.finish()
            headers["Content-Encoding"] = asked.coding
        return web.Response(body=output, headers=headers)

    async def rows(
        self,
        request: web.Request,
        asked: Asked,
        pipe: Pipe,
        running: asyncio.Future[Done],
        format: str,
        give_up: Callable[[], None],
    ) -> web.StreamResponse:
        """The rows that the engine writes into ``pipe``; ``give_up`` is called when the client goes away."""
        held = bytearray()
        watch = asyncio.create_task(_watch(request, give_up)) if asked.cancel_on_close else None
        try:
            with tempfile.SpooledTemporaryFile(KEEP_IN_MEMORY, dir=str(self._scratch)) as file:
                while piece := await pipe.read():
                    held += piece
                    if len(held) < asked.buffer_bytes:
                        continue
                    if not asked.wait:
                        return await self._stream(request, asked, held, pipe, running, format)
                    file.write(held)
                    held.clear()
                done = await running
                if file.tell() == 0:
                    return await self.whole(asked, done, format, bytes(held))
                file.write(held)
                file.seek(0)
                response = await self._begin(request, asked, format, done)
                encoder = Encoder(asked.coding)
                while piece := file.read(_PIECE):
                    await self._send(response, await self._encoded(encoder, piece))
                await self._send(response, encoder.finish())
                await response.write_eof()
                return response
        finally:
            if watch is not None:
                watch.cancel()

    async def _stream(
        self,
        request: web.Request,
        asked: Asked,
        held: bytearray,
        pipe: Pipe,
        running: asyncio.Future[Done],
        format: str,
    ) -> web.StreamResponse:
        tag = "".join(secrets.choice(string.ascii_lowercase) for _ in range(16))
        response = await self._begin(request, asked, format, None, tag)
        encoder = Encoder(asked.coding)
        await self._send(response, await self._encoded(encoder, held))
        while piece := await pipe.read():
            await self._send(response, await self._encoded(encoder, piece))
        try:
            await running
        except ServerError as error:
            text = error.text(self._version)
            _log.info("failed midway: query %s: %s", asked.query_id, text[:500].replace("\n", " "))
            await self._send(response, encoder.encode(exception_block(tag, text)) + encoder.finish())
            if request.transport is not None:
                request.transport.close()  # no last chunk: whoever ignores the block sees a broken body
            return response
        await self._send(response, encoder.finish())
        await response.write_eof()
        return response

    async def _begin(
        self, request: web.Request, asked: Asked, format: str, done: Done | None, tag: str | None = None
    ) -> web.StreamResponse:
        headers = self._headers(asked, format, done)
        if tag is not None:
            headers["X-ClickHouse-Exception-Tag"] = tag
        if asked.coding:
            headers["Content-Encoding"] = asked.coding
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        return response

    async def _encoded(self, encoder: Encoder, data: bytes | bytearray) -> bytes:
        if encoder.coding is None or len(data) < OFFLOAD:
            return encoder.encode(data)
        return await asyncio.get_running_loop().run_in_executor(self._coders, encoder.encode, data)

    async def _send(self, response: web.StreamResponse, data: bytes) -> None:
        if data:
            async with asyncio.timeout(self._send_timeout_s):
                await response.write(data)

    def _headers(self, asked: Asked, format: str | None, done: Done | None) -> dict[str, str]:
        headers = {**self._always, "X-ClickHouse-Query-Id": asked.query_id, "X-ClickHouse-Summary": _summary(done)}
        headers["Content-Type"] = content_type(format or "")
        if format is not None:
            headers["X-ClickHouse-Format"] = format
        return headers


def _summary(done: Done | None) -> str:
    counts = {"read_rows": 0, "read_bytes": 0, "written_rows": 0, "written_bytes": 0, "result_rows": 0, "elapsed_ns": 0}
    if done is not None:
        counts = {
            "read_rows": done.read_rows,
            "read_bytes": done.read_bytes,
            "written_rows": done.written_rows,
            "written_bytes": done.written_bytes,
            "result_rows": done.result_rows,
            "elapsed_ns": round(done.elapsed_s * 1e9),
        }
    return json.dumps({name: str(count) for name, count in counts.items()}, separators=(",", ":"))


async def _watch(request: web.Request, give_up: Callable[[], None]) -> None:
    while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110  no event tells
        await asyncio.sleep(0.5)
    give_up()
