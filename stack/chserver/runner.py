"""Runs statements in threads, each on its own connection or on the session that it names."""

import asyncio
import concurrent.futures as futures
import time
from collections.abc import Callable
from contextlib import ExitStack

from stack.chserver import analyst
from stack.chserver.asked import Asked
from stack.chserver.engine import DEFAULT_DATABASE, Connection, Done, Engine
from stack.chserver.errors import Code, ServerError
from stack.chserver.sessions import Session, Sessions
from stack.chserver.sql import Kind, Statement

_THREADS = 32
_KEEPS = ("SET", "USE")  # what a session remembers, and a GET may do


class Runner:
    """The engine's threads and the named sessions."""

    def __init__(self, engine: Engine, user: str, database: str = "") -> None:
        """``database``: the only one that an analyst may ask."""
        self.sessions = Sessions()
        self._database, self._quota = database, analyst.Quota()
        self._engine = engine
        self._user = user
        self._threads = futures.ThreadPoolExecutor(_THREADS, "statement")
        self._killer = futures.ThreadPoolExecutor(1, "killer")  # its own: a kill must not wait for what it ends

    def start(
        self,
        asked: Asked,
        statement: Statement,
        work: Callable[[Connection], Done],
        *,
        reads_only: bool,
        ended: Callable[[], None] = lambda: None,
    ) -> asyncio.Future[Done]:
        """Run ``work`` on a connection set up as ``asked``; ``ended`` is called in its thread, whatever happens.

        Cancelling the future does not stop the statement: it keeps its session until it is done.
        """
        loop = asyncio.get_running_loop()
        try:
            session = self._lease(asked)
        except ServerError:
            ended()
            raise
        running = self._threads.submit(self._job, session, asked, statement, work, reads_only, ended)
        if session is not None:
            running.add_done_callback(lambda _: loop.call_soon_threadsafe(self._return, session, asked))
        future = asyncio.wrap_future(running)
        future.add_done_callback(lambda f: f.cancelled() or f.exception())  # nobody may be left to hear of a failure
        return future

    def kill(self, mark: str) -> None:
        """Stop the statement whose text holds ``mark``, if it runs."""
        self._killer.submit(self._engine.kill, mark)

    def close(self) -> None:
        """Stop what still runs, then end every session; not for the event loop's thread, it has pipes to drain."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self.kill("")
        self._killer.shutdown(wait=True)
        self._threads.shutdown(wait=True)
        self.sessions.close_all()

    def _lease(self, asked: Asked) -> Session | None:
        if asked.session_id is None or "readonly" in asked.settings:  # what is readonly cannot be made writable again
            return None
        return self.sessions.lease(asked.session_id, asked.session_timeout_s, asked.session_check)

    def _return(self, session: Session, asked: Asked) -> None:
        self.sessions.give_back(session)
        if asked.close_session:
            self.sessions.close(session.name)

    def _job(
        self,
        session: Session | None,
        asked: Asked,
        statement: Statement,
        work: Callable[[Connection], Done],
        reads_only: bool,
        ended: Callable[[], None],
    ) -> Done:
        with ExitStack() as stack:
            stack.callback(ended)
            if asked.is_analyst:
                return self._ask_as_analyst(asked, statement, work, stack)
            if session is None:
                connection = self._engine.connect(asked.settings)
                stack.callback(connection.close)
                connection.use(asked.database or DEFAULT_DATABASE)
            else:
                connection = session.open(self._engine.connect, {} if statement.verb == "SET" else asked.settings)
                connection.use(asked.database or session.home)
            if reads_only:
                self._check_reads(connection, statement)
            done = work(connection)
            if statement.verb == "USE" and session is not None:
                session.home = connection.current_database()
            return done

    def _ask_as_analyst(
        self, asked: Asked, statement: Statement, work: Callable[[Connection], Done], stack: ExitStack
    ) -> Done:
        analyst.refuse_statement(statement)
        if asked.database not in ("", self._database):
            raise ServerError(Code.ACCESS_DENIED, f"{analyst.USER}: Not enough privileges. {asked.database} is not its")
        self._quota.begin()
        connection = self._engine.connect()
        stack.callback(connection.close)
        connection.use(self._database)
        if statement.kind is Kind.READ:
            tree = connection.run(b"EXPLAIN AST " + statement.text, "TSVRaw", asked.params).output.decode()
            analyst.refuse_tree(tree, self._database)
        connection.set(analyst.settings())
        connection.set(asked.settings)  # the engine refuses, in its own words
        began = time.monotonic()
        try:
            return work(connection)
        finally:
            self._quota.end(time.monotonic() - began)

    def _check_reads(self, connection: Connection, statement: Statement) -> None:
        if statement.kind is Kind.READ or statement.verb in _KEEPS:
            return
        if statement.kind is Kind.INSERT or not connection.is_read_only(statement.whole()):
            message = (
                f"{self._user}: Cannot execute query in readonly mode. For queries over HTTP, method GET implies "
                "readonly. You should use method POST for modifying queries"
            )
            raise ServerError(Code.READONLY, message)
