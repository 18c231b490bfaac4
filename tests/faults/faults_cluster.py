"""A whole Daybook under attack: real servers behind proxies, several workers, and what restarts them when they die.

The supervisor does what a process manager does: a worker that ends without being asked to is started again under the
same name, at once, and later if it keeps dying. Only exit code 78 (refused) is taken for a failure of the run.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from faults_proxy import Proxy

from daybook import migrating, settings, sinking, waiting
from daybook.settings import SERVERS, Settings
from daybook.workers import READY_FILE
from schemas.faultpoints import VARIABLE
from stack.stack import Stack

ROOT = Path(__file__).parents[2]
STORES = ("postgres", "clickhouse", "redis")
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("DAYBOOK_")}
REFUSED = 78


@dataclass
class Worker:
    """One worker under supervision; `process` is its present life."""

    role: str
    name: str
    folder: Path
    environment: dict[str, str]
    wanted: bool = True
    """Whether the supervisor starts it again."""
    process: subprocess.Popen[bytes] | None = None
    began: float = 0.0
    lives: int = 0
    armed: str = ""
    """A fault point for its next life only."""
    hold_until: float = 0.0
    """Not started again before."""
    start_at: float | None = None
    """When its next life begins; None while it lives."""
    died_young: int = 0
    frozen: bool = False

    @property
    def log(self) -> Path:
        return self.folder / "logs" / f"{self.role}-{self.name}.log"

    @property
    def ready_file(self) -> Path:
        return self.folder / "run" / f"{self.role}-{self.name}.ready"

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def ready(self) -> bool:
        """Whether this life has said that it works."""
        with suppress(OSError, ValueError):
            return self.alive and json.loads(self.ready_file.read_text())["pid"] == self.process.pid  # type: ignore[union-attr]
        return False

    def start(self) -> None:
        armed, self.armed = self.armed, ""
        own = {READY_FILE: str(self.ready_file)} | ({VARIABLE: armed} if armed else {})
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as out:
            out.write(f"--- life {self.lives + 1} {armed}\n".encode())
            out.flush()
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "daybook", "worker", "--role", self.role),
                    *("--name", self.name, "--data", str(self.folder)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env={**CLEAN, **self.environment, **own},
            )
        self.lives += 1
        self.frozen = False
        self.began = time.monotonic()

    def send(self, number: int) -> None:
        """A signal, if it lives."""
        if self.alive:
            self.process.send_signal(number)  # type: ignore[union-attr]

    def __str__(self) -> str:
        return f"{self.role}-{self.name}"


@dataclass
class Cluster:
    """Servers, proxies, workers."""

    folder: Path
    stack: Stack
    servers: Settings
    """The servers themselves, for the judge."""
    proxies: dict[str, Proxy]
    workers: list[Worker] = field(default_factory=list)
    exits: Counter[str] = field(default_factory=Counter)
    """How workers ended that were not asked to."""
    refusals: list[str] = field(default_factory=list)
    """Workers that refused to work (exit code 78): nobody started them again."""
    unused_names: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _closed: threading.Event = field(default_factory=threading.Event)

    # -- workers

    def add(self, role: str, name: str | None = None) -> Worker:
        """One more worker, started at once."""
        addresses = {f"DAYBOOK_{server.upper()}": self._address(server) for server in SERVERS}
        environment = {"PYTHONUNBUFFERED": "1", **addresses}
        worker = Worker(role, name or f"x{next(self.unused_names)}", self.folder, environment)
        (self.folder / "run").mkdir(exist_ok=True)
        with self._lock:
            worker.start()
            self.workers.append(worker)
        return worker

    def _address(self, server: str) -> str:
        """A server's address; that of its proxy if it has one."""
        own = self.servers.address(server)
        if server not in self.proxies:
            return own
        parts = urlsplit(own)
        where = f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{self.proxies[server].port}"
        return urlunsplit(parts._replace(netloc=where))

    def of(self, role: str) -> list[Worker]:
        """The workers of a role that are wanted."""
        return [worker for worker in self.workers if worker.role == role and worker.wanted]

    @property
    def folders(self) -> list[Worker]:
        """The workers of all streams."""
        return [*self.of("streams"), *self.of("progress")]

    @property
    def sinks(self) -> list[Worker]:
        return [worker for store in STORES for worker in self.of(store)]

    def kill(self, worker: Worker, *, again_after_s: float = 0.0, armed: str = "") -> None:
        """kill -9; the supervisor starts it again after so long."""
        with self._lock:
            worker.hold_until = time.monotonic() + again_after_s
            worker.armed = armed
            worker.send(signal.SIGKILL)

    def freeze(self, worker: Worker) -> None:
        worker.frozen = True
        worker.send(signal.SIGSTOP)

    def thaw(self, worker: Worker) -> None:
        worker.frozen = False
        worker.send(signal.SIGCONT)

    def remove(self, worker: Worker, timeout_s: float = 45.0) -> int:
        """SIGTERM, and no new life; its exit code."""
        self._ask(worker)
        process = worker.process
        assert process is not None
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            raise AssertionError(f"{worker} did not stop within {timeout_s:g} s:\n{tail(worker.log)}") from None
        with self._lock:
            self.workers.remove(worker)
        return code

    def _ask(self, worker: Worker) -> None:
        with self._lock:
            if worker.wanted:  # once: a second one would kill it on its way out
                worker.wanted = False
                worker.send(signal.SIGCONT)
                worker.send(signal.SIGTERM)

    def wait_ready(self, timeout_s: float = 240.0) -> None:
        """Until every wanted worker works."""
        deadline = time.monotonic() + timeout_s
        while late := [worker for worker in self.workers if worker.wanted and not worker.ready]:
            if time.monotonic() > deadline:
                ends = "\n".join(f"{worker}:\n{tail(worker.log)}" for worker in late)
                raise AssertionError(f"not ready after {timeout_s:g} s: {', '.join(map(str, late))}\n{ends}")
            time.sleep(0.1)

    def _supervise(self) -> None:
        while not self._closed.wait(0.05):
            with self._lock:
                for worker in self.workers:
                    if worker.wanted and worker.process is not None and worker.process.poll() is not None:
                        self._ended(worker)

    def _ended(self, worker: Worker) -> None:
        assert worker.process is not None
        now, code = time.monotonic(), worker.process.returncode
        if worker.start_at is None:
            self.exits[f"{worker.role} {signal.Signals(-code).name if code < 0 else code}"] += 1
            if code == REFUSED:
                self.refusals.append(f"{worker}: {tail(worker.log, 3)}")
                worker.wanted = False
                return
            worker.died_young = worker.died_young + 1 if code > 0 and now - worker.began < 10 else 0
            pause = min(5.0, 0.2 * 2**worker.died_young) if code >= 0 else 0.0
            worker.start_at = max(worker.hold_until, now + pause)
        if now >= worker.start_at:
            worker.start_at, worker.hold_until = None, 0.0
            worker.start()

    # -- all of it

    def heal(self, timeout_s: float = 240.0) -> None:
        """Everything runs again that was ever to run."""
        for proxy in self.proxies.values():
            proxy.delay_s = 0.0
        for status in self.stack.status():
            if status.state == "running":
                self.stack.kill(status.name, signal.SIGCONT)
        self.stack.up()
        for worker in list(self.workers):
            self.thaw(worker)
        self.wait_ready(timeout_s)

    def drain(self, timeout_s: float) -> None:
        """Until everything that was sent is visible in every store."""
        waiting.until_visible(self.servers.address("kafka"), list(sinking.groups().values()), timeout_s)

    def stop_workers(self) -> dict[str, int]:
        """SIGTERM to all; their exit codes."""
        workers = list(self.workers)
        for worker in workers:
            self._ask(worker)
        return {str(worker): self.remove(worker) for worker in workers}

    def close(self) -> None:
        self._closed.set()
        with self._lock:
            for worker in self.workers:
                worker.wanted = False
                worker.send(signal.SIGKILL)
        for worker in self.workers:
            if worker.process is not None:
                worker.process.wait(10)
        for proxy in self.proxies.values():
            proxy.close()
        self.stack.down()


def tail(log: Path, lines: int = 12) -> str:
    """The end of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""


_GUARD = """
import sys
from contextlib import suppress
import psutil
from stack.stack import Stack
home = sys.stdin.readline().strip()
sys.stdin.read()
Stack(home, say=len).down()
for process in psutil.process_iter():
    with suppress(psutil.Error):
        if process.cmdline()[-2:] == ["--data", home]:
            process.kill()
"""
"""Its input ends when our process does, however that ends: a run that is killed leaves nothing behind."""


@contextmanager
def cluster(streams: int = 3, partitions: int = 8, folder: Path | None = None) -> Iterator[Cluster]:
    """Servers in a temporary folder, `streams` streams workers and one of every other role; all of it gone afterwards.

    `folder`: another place, which stays.
    """
    with tempfile.TemporaryDirectory(prefix="daybook-faults-", ignore_cleanup_errors=True) as temporary:
        home = folder or Path(temporary) / "data"
        stack = Stack(home, say=lambda line: None)
        guard = subprocess.Popen(
            [sys.executable, "-c", _GUARD], stdin=subprocess.PIPE, start_new_session=True, cwd=ROOT
        )
        assert guard.stdin is not None
        guard.stdin.write(f"{home}\n".encode())
        guard.stdin.flush()
        made: Cluster | None = None
        try:
            where = stack.up()
            own = {name: getattr(where, name) for name in SERVERS}
            servers = settings.read(data=home, partitions=partitions, **own)
            migrating.migrate(servers, lambda line: None)
            proxies = {store: Proxy(int(urlsplit(own[store]).port or 0)) for store in STORES}
            made = Cluster(home, stack, servers, proxies)
            for number in range(1, streams + 1):
                made.add("streams", str(number))
            for role in ("progress", *STORES, "loader"):
                made.add(role, "1")
            threading.Thread(target=made._supervise, daemon=True).start()
            made.wait_ready()
            yield made
        finally:
            if made is not None:
                made.close()
            stack.down()
            guard.stdin.close()
            guard.wait(60)
