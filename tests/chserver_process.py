"""A ClickHouse front as a process of its own, on a free port, for the tests of stack/chserver."""

import base64
import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import clickhouse_connect
import pytest
from clickhouse_connect.driver.httputil import get_pool_manager

USER, PASSWORD, DATABASE = "tester", "a secret:with@signs", "daybook"


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer by plain HTTP."""

    status: int
    body: bytes
    headers: dict[str, str]


@dataclass(slots=True)
class Server:
    """One running front."""

    process: subprocess.Popen[bytes]
    port: int
    data: Path
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def address(self) -> dict[str, Any]:
        """What clickhouse-connect needs to reach it."""
        host = {"host": "127.0.0.1", "port": self.port}
        return {**host, "username": USER, "password": PASSWORD, "database": DATABASE}

    @property
    def authorization(self) -> str:
        """The Authorization header of its user."""
        return "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

    def connect(self, **options: Any) -> Any:
        """A clickhouse-connect client with its own pool of connections."""
        return clickhouse_connect.get_client(**{**self.address, "pool_mgr": get_pool_manager(maxsize=4), **options})

    def ask(self, sql: str | bytes, method: str = "POST", headers: dict[str, str] | None = None, **url: str) -> Reply:
        """Send one statement by plain HTTP, as curl does: in the body, or in the URL when it is a GET."""
        given = {"Authorization": self.authorization, **(headers or {})}
        body = sql if method == "POST" else None
        if method != "POST":
            url["query"] = str(sql)
        path = "/?" + urllib.parse.urlencode({"database": DATABASE, **url})
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            connection.request(method, path, body, given)
            response = connection.getresponse()
            return Reply(response.status, response.read(), dict(response.getheaders()))

    def send(self, *pieces: str | bytes, wait: bool = True) -> bytes:
        """Send bytes as they are; return all that comes back, or hang up at once."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as raw:
            for piece in pieces:
                raw.sendall(piece.encode() if isinstance(piece, str) else piece)
            out = b""
            while wait and (got := raw.recv(1 << 16)):
                out += got
            return out

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def begin(data: Path, port: int, log: Path | None = None, grace: float = 20) -> Server:
    """Start a front on ``data``, whatever becomes of it."""
    log = log or data.parent / f"{data.name}-{port}.log"
    command = [sys.executable, "-m", "stack.chserver", "--data", str(data), "--port", str(port), "--user", USER]
    command += ["--grace", str(grace)]
    with log.open("ab") as out:
        environment = {**os.environ, "DAYBOOK_CHSERVER_PASSWORD": PASSWORD, "TZ": "America/New_York"}
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
    return Server(process, port, data, log)


def start(data: Path, grace: float = 20) -> Server:
    """Start a front on ``data`` and return once it answers."""
    server = begin(data, free_port(), grace=grace)
    process, log = server.process, server.log
    until = time.monotonic() + 30
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{server.url}/ping", timeout=1):
                return server
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.02)
    if process.poll() is None:
        process.kill()
    raise AssertionError(f"the front did not start: {log.read_text()}")


@pytest.fixture
def launch() -> Iterator[Callable[..., Server]]:
    """Starts fronts of the test's own, waiting until they answer unless told otherwise; none outlives the test."""
    started: list[Server] = []

    def make(
        data: Path, port: int | None = None, log: Path | None = None, answers: bool = True, grace: float = 20
    ) -> Server:
        started.append(start(data, grace) if answers else begin(data, port or free_port(), log, grace))
        return started[-1]

    yield make
    for server in started:
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait()


@pytest.fixture(scope="session")
def running_front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = start(tmp_path_factory.mktemp("chserver") / "data")
    yield server
    try:
        assert server.stop() == 0
    finally:
        server.process.kill()  # nothing to do for one that stopped


@pytest.fixture
def front(running_front: Server) -> Server:
    """The shared front with an empty database."""
    client = running_front.connect(autogenerate_session_id=False, database="default")
    client.command(f"DROP DATABASE {DATABASE} SYNC")
    client.command(f"CREATE DATABASE {DATABASE}")
    client.close()
    return running_front


@pytest.fixture
def connect(front: Server) -> Iterator[Callable[..., Any]]:
    """Makes clients, and closes them."""
    clients: list[Any] = []

    def make(**options: Any) -> Any:
        clients.append(front.connect(**options))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def client(connect: Callable[..., Any]) -> Any:
    return connect()
