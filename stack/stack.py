"""The servers of one data folder together: up, down, status, and what to connect to."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from . import ports
from .clickhouse import ClickHouse
from .config import Config, mark_of
from .errors import StackError
from .kafka import Kafka, prepare_once
from .lock import locked
from .postgres import Postgres
from .process import Process, Spec, State, end_strays
from .valkey import Valkey

Say = Callable[[str], None]

SERVERS = ("kafka", "postgres", "redis", "clickhouse")
_LOCK_TIMEOUT_S = 300.0  # the first start downloads


class Server(Protocol):
    """What one kind of server must be able to do; each is a module beside this one."""

    @property
    def name(self) -> str: ...

    @property
    def port_names(self) -> tuple[str, ...]: ...

    @property
    def password_names(self) -> tuple[str, ...]: ...

    def prepare(self) -> Spec:
        """Make its folder ready, whatever a crash left there, and say how to start it."""

    def finish(self) -> None:
        """Do what needs the running server, such as making a database. Doing it again changes nothing."""

    def healthy(self) -> bool:
        """Whether it serves a client with our password, now."""

    def url(self) -> str:
        """What a client connects to."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the servers are."""

    kafka: str  # host:port
    postgres: str  # postgresql://user:password@host:port/database, the owner, who sees all rows
    clickhouse: str  # http://user:password@host:port/database
    redis: str  # redis://:password@host:port/0


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """One server, now."""

    name: str
    state: State
    healthy: bool
    pid: int | None
    port: int | None
    uptime_s: float | None
    log: Path


def _say_to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class Stack:
    """The servers of one data folder. Any process of the same user may make one and start, stop or ask.

    `kafka`: broker settings for the starts of this object, beside or instead of stack.kafka.SETTINGS.
    """

    def __init__(
        self, data: Path | str, *, say: Say = _say_to_stderr, kafka: Mapping[str, object] | None = None
    ) -> None:
        self.folder = Path(data).expanduser().resolve()
        self._say = say
        self._kafka = dict(kafka or {})

    def up(self, only: Collection[str] | None = None) -> Endpoints:
        """Start what does not run yet, all of it or the servers named, and return when these are healthy.

        What it started is stopped again if any of them fails (StackError) or the user interrupts.
        """
        try:
            return self._up(_known(only))
        except OSError as why:  # a full disk, a folder that another user owns
            raise StackError(f"{why.filename or self.folder}: {why.strerror or why}") from why

    def _up(self, names: list[str]) -> Endpoints:
        self._make_folder()
        if "kafka" in names:
            prepare_once(self._say)  # before anything runs: it may download, or be interrupted
        with self._locked():
            config = Config.load(self.folder) or Config(self.folder / "stack.json")
            away = [name for name in SERVERS if Process(self.folder, name).pid() is None]
            end_strays([mark_of(self.folder, name) for name in away])
            for name in away:  # those not wanted now too: all endpoints are given out
                self._settle_ports(self._server(name, config), config)
            config.save()
            servers = [self._server(name, config) for name in names]
            started: list[str] = []
            try:
                with ThreadPoolExecutor(len(SERVERS)) as pool:
                    for done in [pool.submit(self._start, server, started) for server in servers]:
                        done.result()
            except BaseException:
                for name in started:
                    Process(self.folder, name).stop()
                raise
        return self._endpoints(config)

    def down(self) -> None:
        """Stop the folder's servers, each in the way it wants to be stopped. Nothing happens to those of others."""
        if os.path.isdir(self.folder / "run"):  # noqa: PTH112 (Path's raises where a folder above is closed to us)
            with self._locked(), ThreadPoolExecutor(len(SERVERS)) as pool:
                list(pool.map(self._stop, SERVERS))
        end_strays([mark_of(self.folder, name) for name in SERVERS])

    def status(self) -> list[ServerStatus]:
        """All servers of the folder, running or not; empty if nothing was ever started here."""
        config = Config.load(self.folder)
        if config is None:
            return []
        with ThreadPoolExecutor(len(SERVERS)) as pool:
            return list(pool.map(lambda name: self._status(name, config), SERVERS))

    def endpoints(self) -> Endpoints:
        """Where the folder's servers are; StackError if none of them runs."""
        config = Config.load(self.folder)
        if config is None or not any(Process(self.folder, name).pid() for name in SERVERS):
            raise StackError(f"no servers run in {self.folder}")
        return self._endpoints(config)

    def analyst_url(self) -> str:
        """Where ClickHouse is for who may only ask; StackError if it does not run."""
        config = self._known_config()
        if Process(self.folder, "clickhouse").pid() is None:
            raise StackError(f"no ClickHouse runs in {self.folder}")
        return ClickHouse(self.folder, config, self._say).analyst_url()

    def secret(self, name: str) -> str:
        """A secret for something of ours beside the servers: drawn once, kept with their passwords. StackError if
        nothing was ever started here."""
        self._known_config()  # or the lock would be made there
        with self._locked():
            config = self._known_config()
            found = config.password(name)
            config.save()
        return found

    def port(self, name: str) -> int:
        """A free port for something that does not run now: its old one, unless somebody has taken it since."""
        self._known_config()
        with self._locked():
            config = self._known_config()
            if not ports.is_free(config.port(name)):
                del config.ports[name]
            found = config.port(name)
            config.save()
        return found

    def _known_config(self) -> Config:
        config = Config.load(self.folder)
        if config is None:
            raise StackError(f"no servers were ever started in {self.folder}")
        return config

    def start(self, name: str) -> None:
        """Start one server, if it does not run, and wait until it is healthy."""
        self.up([name])

    def stop(self, name: str) -> None:
        """Stop one server in the way it wants to be stopped."""
        with self._locked():
            self._stop(*_known([name]))

    def restart(self, name: str) -> None:
        """Stop one server and start it again, on the same port."""
        self.stop(name)
        self.start(name)

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to one server and all its children: SIGKILL, or SIGSTOP and SIGCONT to freeze and thaw it."""
        Process(self.folder, *_known([name])).signal(number)

    def _server(self, name: str, config: Config) -> Server:
        if name == "kafka":
            return Kafka(self.folder, config, self._say, self._kafka)
        kinds: dict[str, type[Postgres | Valkey | ClickHouse]] = {
            "postgres": Postgres,
            "redis": Valkey,
            "clickhouse": ClickHouse,
        }
        return kinds[name](self.folder, config, self._say)

    def _start(self, server: Server, started: list[str]) -> None:
        process = Process(self.folder, server.name)
        began = time.monotonic()
        if process.pid() is not None:
            if not _within(15.0, server.healthy):
                raise StackError(f"{server.name} runs (pid {process.pid()}) but does not answer; see {process.log}")
            self._say(f"{server.name}: already running, {_address(server)}")
            return
        spec = server.prepare()
        started.append(server.name)
        process.start(spec)
        server.finish()
        self._say(f"{server.name}: ready on {_address(server)} after {time.monotonic() - began:.1f} s")

    def _stop(self, name: str) -> None:
        if Process(self.folder, name).stop():
            self._say(f"{name}: stopped")

    def _status(self, name: str, config: Config) -> ServerStatus:
        process, server = Process(self.folder, name), self._server(name, config)
        state = process.state()
        return ServerStatus(
            name=name,
            state=state,
            healthy=state == "running" and server.healthy(),
            pid=process.pid(),
            port=config.ports.get(name),
            uptime_s=process.uptime_s(),
            log=process.log,
        )

    def _endpoints(self, config: Config) -> Endpoints:
        return Endpoints(**{name: self._server(name, config).url() for name in SERVERS})

    def _settle_ports(self, server: Server, config: Config) -> None:
        """Give a server that does not run ports that are free: its old ones unless somebody has taken them since."""
        for name in server.port_names:
            if not ports.is_free(config.port(name)):
                taken = config.ports.pop(name)
                self._say(f"{server.name}: port {taken} was taken by another program; now {config.port(name)}")
        for name in server.password_names:
            config.password(name)

    def _make_folder(self) -> None:
        try:
            # To be passed by, not read: where root has to run PostgreSQL as nobody. All inside is for its owner only.
            self.folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        except OSError as why:
            raise StackError(f"the data folder {self.folder} cannot be made: {why.strerror}") from why
        if not os.access(self.folder, os.W_OK | os.X_OK):
            raise StackError(f"the data folder {self.folder} is not writable for you")
        owner = self.folder.stat().st_uid
        if os.geteuid() == 0 != owner and (self.folder / "stack.json").exists():
            raise StackError(f"the data folder {self.folder} belongs to user {owner}: run as that user, not as root")

    def _locked(self) -> AbstractContextManager[None]:
        return locked(self.folder / "stack.lock", self._say, timeout_s=_LOCK_TIMEOUT_S)


def _known(names: Collection[str] | None) -> list[str]:
    for name in names or ():
        if name not in SERVERS:
            raise StackError(f"there is no server called {name!r}; there are {', '.join(SERVERS)}")
    return [name for name in SERVERS if names is None or name in names]


def _address(server: Server) -> str:
    return server.url().rpartition("@")[2]


def _within(seconds: float, true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
