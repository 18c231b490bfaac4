"""chdb, ClickHouse's engine in this process: every request runs on a connection of its own.

A connection of chdb is a client session: its settings, query parameters, temporary tables and current database belong
to it alone, and opening one costs 0.1 ms, so nothing of one client reaches another. Calls release the interpreter's
lock: requests run side by side, each in a thread. The engine lives while one connection is open; `Engine` keeps one.
"""

import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from stack.chserver.errors import Code, ServerError, from_engine
from stack.chserver.sql import read_from_file

DEFAULT_DATABASE = "default"
"""The database that is current when nobody names one, as on a ClickHouse server."""
_PIECE = 1 << 20


class Result(Protocol):
    """What a finished statement of chdb tells."""

    def bytes(self) -> bytes: ...
    def storage_rows_read(self) -> int: ...
    def storage_bytes_read(self) -> int: ...
    def rows_read(self) -> int: ...
    def rows_written(self) -> int: ...
    def bytes_written(self) -> int: ...
    def elapsed(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Done:
    """A finished statement: its output where it has one in memory, and its counts (X-ClickHouse-Summary)."""

    output: bytes
    read_rows: int
    read_bytes: int
    written_rows: int
    written_bytes: int
    result_rows: int
    elapsed_s: float


def quote(value: str) -> str:
    """A string literal."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def quote_name(name: str) -> str:
    """An identifier."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


class Connection:
    """One client's session with the engine; used by one thread at a time."""

    def __init__(self, raw: Any, scratch: Path) -> None:
        self._raw = raw
        self._scratch = scratch
        self.database = DEFAULT_DATABASE

    def run(self, sql: bytes | str, format: str = "TabSeparated", params: Mapping[str, str] | None = None) -> Done:
        """Run one statement; raises ServerError as ClickHouse would say it."""
        try:
            return _done(self._raw.query(sql, format, params=dict(params or {})))
        except RuntimeError as error:
            raise from_engine(error) from None

    def set(self, settings: Mapping[str, str]) -> None:
        """Set settings, and query parameters under ``param_`` names, for what runs next."""
        if settings:
            self.run("SET " + ", ".join(f"{quote_name(name)} = {quote(value)}" for name, value in settings.items()))

    def use(self, database: str) -> None:
        """Make ``database`` the current one."""
        if database != self.database:
            self.run(f"USE {quote_name(database)}")
            self.database = database

    def insert(self, sql: bytes, format: str, data: IO[bytes], params: Mapping[str, str]) -> Done:
        """Insert the data, which are in ``format``; ``sql`` is the INSERT without its FORMAT clause.

        By way of a file, because chdb's streaming insert (send_insert) says that all is written also where nothing is,
        such as on a full disk (chdb-core 26.9.0); a statement that reads its data from a file says what went wrong.
        """
        try:
            with tempfile.NamedTemporaryFile(dir=self._scratch) as file:
                shutil.copyfileobj(data, file, _PIECE)
                file.flush()
                if not file.tell():
                    return Done(b"", 0, 0, 0, 0, 0, 0.0)
                return self.run(read_from_file(sql, file.name, format), params=params)
        except OSError as why:
            raise ServerError(Code.NOT_ENOUGH_SPACE, f"The data cannot be kept for the insert: {why}") from why

    def is_read_only(self, sql: bytes) -> bool:
        """Whether the statement only reads, as ClickHouse's parser sees it; raises ServerError if it does not parse."""
        report = self._raw.classify_query(sql)
        if report["statement_count"] == 0:  # also told of a few statements that do parse, such as GRANT
            self.run("SELECT formatQuery(" + quote(sql.decode()) + ")")
        return bool(report["query_class"].name == "READ_ONLY")

    def current_database(self) -> str:
        """The database that the engine holds for current."""
        self.database = self.run("SELECT currentDatabase()", "TSVRaw").output.decode().removesuffix("\n")
        return self.database

    def close(self) -> None:
        """End the session; its temporary tables go with it."""
        self._raw.close()


class Engine:
    """The data folder's one owner."""

    def __init__(self, folder: Path, database: str, scratch: Path) -> None:
        """Open (or make) the data in ``folder`` and the database in it; raises ServerError when that fails.

        ``scratch`` is a folder for the data of inserts while they are read.
        """
        os.environ["TZ"] = "UTC"  # a server's zone is its own, not that of whoever starts it
        from chdb import _chdb  # here: loading the engine takes half a second and reads TZ

        self._open: Callable[[str], Any] = _chdb.connect  # type: ignore[attr-defined]
        self._folder = str(folder)
        self._scratch = scratch
        self._lock = threading.Lock()
        try:
            self._keep = self.connect()
        except RuntimeError as error:
            raise from_engine(error) from None
        self._keep.run(f"CREATE DATABASE IF NOT EXISTS {quote_name(database)} ENGINE = Atomic")
        self.version = self._keep.run("SELECT version()").output.decode().strip()
        self.timezone = self._keep.run("SELECT timezone()").output.decode().strip()

    def connect(self, settings: Mapping[str, str] | None = None) -> Connection:
        """A fresh session, with the defaults of a ClickHouse server where those of chdb differ."""
        connection = Connection(self._open(self._folder), self._scratch)
        try:
            connection.set({"implicit_select": "0", **(settings or {})})
        except BaseException:
            connection.close()
            raise
        return connection

    def kill(self, mark: str) -> None:
        """Stop the running statements whose text holds ``mark``; an empty one stops them all."""
        connection = self.connect()
        connection.run(f"KILL QUERY WHERE position(query, {quote(mark)}) > 0 AND query NOT LIKE 'KILL%' ASYNC")
        connection.close()

    def close(self) -> None:
        """Stop the engine; waits for its background work."""
        self._keep.close()


def _done(result: Result) -> Done:
    return Done(
        output=result.bytes(),
        read_rows=result.storage_rows_read(),
        read_bytes=result.storage_bytes_read(),
        written_rows=result.rows_written(),
        written_bytes=result.bytes_written(),
        result_rows=result.rows_read(),
        elapsed_s=result.elapsed(),
    )
