"""The requests: which path, who may ask, what is asked, and what is done for it.

A read is answered as its rows come; an insert's body is spooled whole before the engine sees its first row.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from aiohttp import web
from aiohttp.client_exceptions import ClientError

from stack.chserver import sql
from stack.chserver.answer import Pipe
from stack.chserver.asked import Account, Asked, authenticate, understand
from stack.chserver.body import Body
from stack.chserver.engine import Engine
from stack.chserver.errors import Code, ServerError
from stack.chserver.reply import Replies
from stack.chserver.runner import Runner

IDLE_TIMEOUT_S = 300.0
"""How long a client may stop sending, or reading, in the middle of a request."""
_LONGEST_STATEMENT = 64 << 20
_NO_HANDLER = """There is no handle {path}

Use / or /ping for health checks.
Or /replicas_status for more sophisticated health checks.

Send queries from your program with POST method or GET /?query=...
"""
_log = logging.getLogger("chserver")


class Front:
    """ClickHouse's HTTP interface over one engine."""

    def __init__(self, engine: Engine, account: Account, scratch: Path) -> None:
        """``scratch`` is an empty folder for bodies and pipes."""
        self._account = account
        self._scratch = scratch
        self._runner = Runner(engine, account.user, account.database)
        self._replies = Replies(engine.version, engine.timezone, scratch, IDLE_TIMEOUT_S)
        self._coders = ThreadPoolExecutor(2, "coder")

    def app(self) -> web.Application:
        """The aiohttp application; its clean-up waits for what still runs."""
        app = web.Application(client_max_size=0)
        app.router.add_route("*", "/{path:.*}", self._answer)
        app.cleanup_ctx.append(self._life)
        return app

    async def _life(self, app: web.Application) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(self._sweep())
        yield
        sweeping.cancel()
        self._runner.close()
        self._coders.shutdown(wait=True)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(1)
            self._runner.sessions.sweep()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path, reads_only = request.path, request.method in ("GET", "HEAD")
        if reads_only and (path in ("/ping", "/replicas_status") or (path == "/" and not request.query_string)):
            return web.Response(text="Ok.\n")
        if request.method == "OPTIONS":
            return web.Response(status=204)
        if path not in ("/", "/query") or not (reads_only or request.method == "POST"):
            return web.Response(status=404, text=_NO_HANDLER.format(path=path))
        query_id = ""
        try:
            authenticate(self._account, request.query, request.headers)
            asked = understand(request.query, request.headers)
            query_id = asked.query_id
            return await self._query(request, asked, reads_only)
        except ServerError as error:
            return self._replies.failure(error, query_id)
        except (ConnectionError, ClientError, TimeoutError) as error:
            _log.info("client lost: query %s: %s", query_id or "-", error or type(error).__name__)
            raise

    async def _query(self, request: web.Request, asked: Asked, reads_only: bool) -> web.StreamResponse:
        if request.method == "POST" and "Content-Length" not in request.headers and not request.can_read_body:
            message = "The Transfer-Encoding is not chunked and there is no Content-Length header for POST request"
            raise ServerError(Code.HTTP_LENGTH_REQUIRED, message)
        body = Body(request.content, request.headers.get("Content-Encoding", "").lower(), IDLE_TIMEOUT_S)
        head, complete = await body.head()
        source = asked.query.encode() + b"\n" + head if asked.query else head
        statement = sql.read(source, asked.format)
        if statement.kind is sql.Kind.INSERT:
            return await self._insert(asked, statement, source[statement.data_at :], body, reads_only)
        if not complete:
            source += await body.rest(_LONGEST_STATEMENT)
            statement = sql.read(source, asked.format)
        if statement.kind is sql.Kind.READ:
            return await self._read(request, asked, statement)
        text = statement.whole()
        done = await self._runner.start(
            asked, statement, lambda c: c.run(text, asked.format, asked.params), reads_only=reads_only
        )
        return self._replies.whole(
            asked, done, (statement.format or asked.format) if done.output else None, done.output
        )

    async def _insert(
        self, asked: Asked, statement: sql.Statement, first: bytes, body: Body, reads_only: bool
    ) -> web.StreamResponse:
        data = await body.spool(first, self._scratch, self._coders)
        done = await self._runner.start(
            asked,
            statement,
            lambda c: c.insert(statement.text, statement.format or "Values", data, asked.params),
            reads_only=reads_only,
            ended=data.close,
        )
        return self._replies.whole(asked, done, None)

    async def _read(self, request: web.Request, asked: Asked, statement: sql.Statement) -> web.StreamResponse:
        pipe = Pipe(self._scratch)
        try:
            text = statement.into(pipe.path, asked.format)
            running = self._runner.start(
                asked, statement, lambda c: c.run(text, params=asked.params), reads_only=True, ended=pipe.end
            )
            format = statement.format or asked.format
            return await self._replies.rows(request, asked, pipe, running, format, lambda: self._runner.kill(pipe.path))
        finally:
            pipe.close()
