"""The requests: which path, who may ask, what is asked, and what is done for it.

A read is answered as its rows come; an insert's body is spooled whole before the engine sees its first row.
"""

import asyncio
import io
import logging
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import IO

from aiohttp import web
from aiohttp.client_exceptions import ClientError

from stack.chserver import sql
from stack.chserver.answer import Pipe
from stack.chserver.asked import Account, Asked, authenticate, query_id_of, understand
from stack.chserver.body import Body
from stack.chserver.engine import Connection, Done, Engine
from stack.chserver.errors import Code, ServerError
from stack.chserver.external import Table, loaded, read_form
from stack.chserver.reply import Replies
from stack.chserver.runner import Runner

IDLE_TIMEOUT_S = 300.0
"""How long a client may stop sending, or reading, in the middle of a request."""
_NO_LIMIT = 1 << 62
_LONGEST_STATEMENT = 64 << 20
_NO_HANDLER = """There is no handle {path}

Use / or /ping for health checks.
Or /replicas_status for more sophisticated health checks.

Send queries from your program with POST method or GET /?query=...
"""
_log = logging.getLogger("chserver")


class Front:
    """ClickHouse's HTTP interface over one engine."""

    def __init__(
        self, engine: Engine, account: Account, scratch: Path, analyst: Account | None = None, database: str = ""
    ) -> None:
        """``scratch`` is an empty folder for bodies and pipes; ``analyst`` may ask, in ``database`` alone."""
        self._accounts = [account] if analyst is None else [account, analyst]
        self._analyst, self._database = analyst, database
        self._scratch = scratch
        self._runner = Runner(engine, account.user, database)
        self._coders = ThreadPoolExecutor(2, "coder")
        self._replies = Replies(engine.version, engine.timezone, scratch, IDLE_TIMEOUT_S, self._coders)
        self._draining: set[asyncio.Task[None]] = set()

    def app(self) -> web.Application:
        """The aiohttp application; its clean-up waits for what still runs."""
        app = web.Application(client_max_size=_NO_LIMIT)
        app.router.add_route("*", "/{path:.*}", self._answer)
        app.cleanup_ctx.append(self._life)
        return app

    async def _life(self, app: web.Application) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(self._sweep())
        yield
        sweeping.cancel()
        await asyncio.get_running_loop().run_in_executor(None, self._runner.close)
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
        query_id = query_id_of(request.query, request.headers)
        try:
            who = authenticate(self._accounts, request.query, request.headers)
            if who is self._analyst:
                if request.content_type == "multipart/form-data":
                    raise ServerError(Code.ACCESS_DENIED, f"{who.user}: Not enough privileges. It may bring no tables")
                return await self._plain(request, query_id, True, is_analyst=True)
            if request.content_type == "multipart/form-data":
                return await self._form(request, query_id)
            return await self._plain(request, query_id, reads_only)
        except ServerError as error:
            return self._replies.failure(error, query_id)
        except (ConnectionError, ClientError, TimeoutError) as error:
            _log.info("client lost: query %s: %s", query_id, str(error) or type(error).__name__)
            return self._replies.hang_up(request)
        except Exception as error:
            _log.exception("failed: query %s", query_id)
            return self._replies.failure(ServerError(Code.LOGICAL_ERROR, f"{type(error).__name__}: {error}"), query_id)

    async def _plain(
        self, request: web.Request, query_id: str, reads_only: bool, *, is_analyst: bool = False
    ) -> web.StreamResponse:
        if request.method == "POST" and "Content-Length" not in request.headers and not request.can_read_body:
            message = "The Transfer-Encoding is not chunked and there is no Content-Length header for POST request"
            raise ServerError(Code.HTTP_LENGTH_REQUIRED, message)
        asked = understand(request.query, request.headers, query_id)
        if is_analyst:  # a session may be somebody else's, and there is nothing to keep in one
            asked = replace(asked, is_analyst=True, session_id=None)
        body = Body(request.content, request.headers.get("Content-Encoding", "").lower(), IDLE_TIMEOUT_S)
        head, complete = await body.head()
        source = asked.query.encode() + b"\n" + head if asked.query else head
        if complete or (statement := sql.read_insert(source, asked.format)) is None:
            source += b"" if complete else await body.rest(_LONGEST_STATEMENT)
            statement = sql.read(source, asked.format)
        if statement.kind is sql.Kind.INSERT:
            data = await body.spool(source[statement.data_at :], self._scratch, self._coders)
            return await self._insert(asked, statement, data, reads_only)
        return await self._ask(request, asked, statement, [], reads_only)

    async def _form(self, request: web.Request, query_id: str) -> web.StreamResponse:
        form = await read_form(request, self._scratch)
        with closing(form):
            url = {**request.query, **form.fields}
            asked = understand(url, request.headers, query_id, has_files=True)
            source = asked.query.encode()
            statement = sql.read(source, asked.format)
            if statement.kind is sql.Kind.INSERT:
                return await self._insert(asked, statement, io.BytesIO(source[statement.data_at :]), False)
            return await self._ask(request, asked, statement, form.tables(url), False)

    async def _insert(
        self, asked: Asked, statement: sql.Statement, data: IO[bytes], reads_only: bool
    ) -> web.StreamResponse:
        def insert(connection: Connection) -> Done:
            format = statement.format or "Values"
            if statement.structure is None:
                return connection.insert(statement.text, format, data, asked.params)
            with loaded(connection, [Table(sql.INPUT, statement.structure, format, data)]):
                return connection.run(statement.text, params=asked.params)

        done = await self._runner.start(asked, statement, insert, reads_only=reads_only, ended=data.close)
        return await self._replies.whole(asked, done, None)

    async def _ask(
        self, request: web.Request, asked: Asked, statement: sql.Statement, tables: list[Table], reads_only: bool
    ) -> web.StreamResponse:
        if statement.kind is sql.Kind.READ:
            return await self._read(request, asked, statement, tables)

        def run(connection: Connection) -> Done:
            with loaded(connection, tables):
                return connection.run(statement.whole(), asked.format, asked.params)

        done = await self._runner.start(asked, statement, run, reads_only=reads_only)
        format = statement.format or asked.format
        return await self._replies.whole(asked, done, format if done.output else None, done.output)

    async def _read(
        self, request: web.Request, asked: Asked, statement: sql.Statement, tables: list[Table]
    ) -> web.StreamResponse:
        pipe = Pipe(self._scratch)
        format = statement.format or asked.format
        running: asyncio.Future[Done] | None = None

        def read(connection: Connection) -> Done:
            if pipe.abandoned:
                raise ServerError(Code.ABORTED, "The client closed the connection before its statement began")
            with loaded(connection, tables):
                return connection.run(statement.into(pipe.path, format), params=asked.params)

        def give_up() -> None:
            self._runner.kill(pipe.name)

        try:
            running = self._runner.start(asked, statement, read, reads_only=True, ended=pipe.end)
            return await self._replies.rows(request, asked, pipe, running, format, give_up)
        finally:
            if running is not None and not running.done():
                give_up()  # the client is gone in the middle of its rows
            draining = asyncio.create_task(pipe.drain())
            self._draining.add(draining)
            draining.add_done_callback(self._draining.discard)
