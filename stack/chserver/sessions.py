"""Named sessions: `session_id` keeps settings, temporary tables and the current database from request to request.

A request's own settings and database hold for that request only, in a session too, so they are taken back after it.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from stack.chserver.engine import Connection, quote
from stack.chserver.errors import Code, ServerError

# The literal that a SET takes to put a setting back: toString of a String within an array quotes it.
_SETTINGS = """
SELECT name, if(changed, trim(BOTH '[]' FROM toString([value])), 'DEFAULT')
FROM system.settings WHERE name IN {names:Array(String)}
"""
LONGEST_S = 3600
"""The longest time a session may be kept unused (ClickHouse's max_session_timeout)."""


@dataclass(slots=True)
class Session:
    """One named session; ``home`` is the database that its own USE chose."""

    name: str
    home: str
    timeout_s: float
    connection: Connection | None = None
    busy: bool = False
    expires_at: float = 0.0

    def open(self, connect: Callable[[], Connection]) -> Connection:
        """The session's connection, made by the first request that needs it."""
        if self.connection is None:
            self.connection = connect()
        return self.connection


class Sessions:
    """All named sessions; used from the event loop's thread only."""

    def __init__(self, database: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._known: dict[str, Session] = {}

    def lease(self, name: str, timeout_s: float, must_exist: bool) -> Session:
        """Lock a session for one request, making it unless ``must_exist``; raises ServerError when it is in use."""
        session = self._known.get(name)
        if session is None:
            if must_exist:
                raise ServerError(Code.SESSION_NOT_FOUND, f"Session {name} not found")
            session = self._known[name] = Session(name, self._database, timeout_s)
        if session.busy:
            raise ServerError(Code.SESSION_IS_LOCKED, f"Session {name} is locked by a concurrent client")
        session.busy = True
        session.timeout_s = timeout_s
        return session

    def give_back(self, session: Session) -> None:
        """Unlock it; its time begins anew."""
        session.busy = False
        session.expires_at = self._clock() + session.timeout_s

    def close(self, name: str) -> None:
        """Forget a session that is not in use."""
        session = self._known.get(name)
        if session is not None and not session.busy:
            del self._known[name]
            _close(session)

    def sweep(self) -> None:
        """Forget what has been unused for longer than it asked to be kept."""
        now = self._clock()
        for name in [name for name, s in self._known.items() if not s.busy and s.expires_at <= now]:
            self.close(name)

    def close_all(self) -> None:
        """Forget every session, also those in use."""
        for session in self._known.values():
            _close(session)
        self._known.clear()


def timeout_of(text: str | None) -> float:
    """The `session_timeout` parameter, in seconds; raises ServerError as ClickHouse does."""
    if text is None:
        return 60.0
    if not text.isascii() or not text.isdigit():
        raise ServerError(Code.INVALID_SESSION_TIMEOUT, f"Invalid session timeout: '{text}'")
    if int(text) > LONGEST_S:
        message = f"Session timeout '{text}' is larger than max_session_timeout: {LONGEST_S}"
        raise ServerError(Code.INVALID_SESSION_TIMEOUT, message)
    return float(text)


@contextmanager
def borrowed(connection: Connection, settings: Mapping[str, str]) -> Iterator[None]:
    """Hold these settings while one statement runs, then put back what the session had."""
    if not settings:
        yield
        return
    before = connection.run(_SETTINGS, "TSVRaw", {"names": "[" + ",".join(map(quote, settings)) + "]"}).output.decode()
    connection.set(settings)
    try:
        yield
    finally:
        for line in before.splitlines():
            name, _, value = line.partition("\t")
            connection.run(f"SET {name} = {value}")


def _close(session: Session) -> None:
    if session.connection is not None:
        session.connection.close()
        session.connection = None
