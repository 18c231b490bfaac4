"""A ClickHouse front as a process of its own, on a free port, for the tests of stack/chserver."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import clickhouse_connect
import pytest

USER, PASSWORD, DATABASE = "tester", "a secret:with@signs", "daybook"


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

    def connect(self, **options: Any) -> Any:
        """A clickhouse-connect client with its own pool of connections."""
        options = {"username": USER, "password": PASSWORD, "database": DATABASE, **options}
        pool = clickhouse_connect.driver.httputil.get_pool_manager(maxsize=4)
        return clickhouse_connect.get_client(host="127.0.0.1", port=self.port, pool_mgr=pool, **options)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start(data: Path, port: int | None = None) -> Server:
    """Start a front on ``data`` and return once it answers."""
    port = port or free_port()
    data.mkdir(parents=True, exist_ok=True)
    log = data.with_suffix(".log")
    command = [sys.executable, "-m", "stack.chserver", "--data", str(data), "--port", str(port), "--user", USER]
    with log.open("ab") as out:
        process = subprocess.Popen(
            command, env={**os.environ, "DAYBOOK_CHSERVER_PASSWORD": PASSWORD}, stdout=out, stderr=out
        )
    server = Server(process, port, data, log)
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


@pytest.fixture(scope="session")
def running_front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = start(tmp_path_factory.mktemp("chserver") / "data")
    yield server
    assert server.stop() == 0


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
