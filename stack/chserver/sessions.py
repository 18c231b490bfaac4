"""Named sessions: `session_id` keeps settings, temporary tables and the current database from request to request.

A request's own settings and database hold for that request only, in a session too, so they are taken back after it.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from stack.chserver.engine import DEFAULT_DATABASE, Connection, quote, quote_name
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
    busy: bool = False
    expires_at: float = 0.0
    _connection: Connection | None = None
    _held: "_Held | None" = None

    def open(self, connect: Callable[[], Connection], settings: Mapping[str, str]) -> Connection:
        """The session's connection, made by the first request that needs it, with these settings held."""
        if self._connection is None or self._held is None:
            self._connection = connect()
            self._held = _Held(self._connection)
        self._held.hold(settings)
        return self._connection

    def close(self) -> None:
        """End it in the engine; its temporary tables go with it."""
        if self._connection is not None:
            self._connection.close()


class Sessions:
    """All named sessions; used from the event loop's thread only."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[str, Session] = {}

    def lease(self, name: str, timeout_s: float, must_exist: bool) -> Session:
        """Lock a session for one request, making it unless ``must_exist``; raises ServerError when it is in use."""
        session = self._known.get(name)
        if session is None:
            if must_exist:
                raise ServerError(Code.SESSION_NOT_FOUND, f"Session {name} not found")
            session = self._known[name] = Session(name, DEFAULT_DATABASE, timeout_s)
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
            session.close()

    def sweep(self) -> None:
        """Forget what has been unused for longer than it asked to be kept."""
        now = self._clock()
        for name in [name for name, s in self._known.items() if not s.busy and s.expires_at <= now]:
            self.close(name)

    def close_all(self) -> None:
        """Forget every session, also those in use."""
        for session in self._known.values():
            session.close()
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


class _Held:
    """The settings that requests brought along, and how the session had them.

    They stay set between requests, because clients send the same ones with every request; the next request that
    brings others, and every SET of the session's own, first puts back what it does not bring.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._now: dict[str, str] = {}
        self._before: dict[str, str] = {}

    def hold(self, settings: Mapping[str, str]) -> None:
        """Make exactly these settings hold over the session's own."""
        if settings == self._now:
            return
        gone = [name for name in self._now if name not in settings]
        for name in gone:
            self._connection.run(f"SET {quote_name(name)} = {self._before[name]}")
            del self._now[name]
        new = [name for name in settings if name not in self._now]
        if new:
            names = "[" + ",".join(map(quote, new)) + "]"
            rows = self._connection.run(_SETTINGS, "TSVRaw", {"names": names}).output.decode().splitlines()
            literals = dict(row.split("\t", 1) for row in rows)
            self._before.update(literals)
            self._now.update(dict.fromkeys(literals, ""))  # put back also when the SET fails halfway
        self._connection.set({name: value for name, value in settings.items() if self._now.get(name) != value})
        self._now = dict(settings)
