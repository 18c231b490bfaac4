"""One background process that outlives whoever started it, known by a file in FOLDER/run.

A pid alone is never trusted: the file also holds when that process was born, so a number that the system has
given to somebody else since is not taken for ours, and a file left by a crash never blocks a start.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import psutil

from .errors import StackError

State = Literal["running", "stopped", "stale"]  # stale: it was started, and died without being asked to

_LOG_LIMIT_BYTES = 8 << 20
_POLL_S = 0.02


@dataclass(frozen=True, kw_only=True)
class Spec:
    """How to start one process, how to know that it is ready, and how to ask it to stop."""

    name: str
    argv: Sequence[str | os.PathLike[str]]
    cwd: Path
    ready: Callable[[], bool]
    env: Mapping[str, str] = field(default_factory=dict)  # on top of the caller's environment
    unset: tuple[str, ...] = ()  # variables of the caller, by prefix, that must not reach it
    ready_timeout_s: float = 60.0
    stop_signal: int = signal.SIGTERM
    stop_timeout_s: float = 30.0


def born(pid: int) -> str | None:
    """When the process with this pid began, exact whatever is done to the clock; None if it is gone (or a zombie)."""
    try:
        # Linux counts ticks since boot: unlike a wall-clock time, that does not move when the clock is set.
        stat = Path(f"/proc/{pid}/stat").read_text()
        state, threads, start = (stat.rpartition(")")[2].split()[i] for i in (0, 17, 19))
        # A zombie is gone once its last thread is: until then its ports and files are still held.
        return None if state in "ZX" and int(threads) <= 1 else f"{_boot()}/{start}"
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self/stat").exists():
            return None
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE:
            return f"{process.create_time():.3f}"
    return None


def _boot() -> str:
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ""


class Process:
    """The process called ``name`` of a data folder: start, stop, signal and ask after it, from any other process."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.folder = folder
        self.log = folder / "logs" / f"{name}.log"
        self._file = folder / "run" / f"{name}.json"
        self._log_start = 0  # where in the log the present start began

    def pid(self) -> int | None:
        """The pid while it runs, else None."""
        record = self._record()
        return record["pid"] if record and self._is_ours(record) else None

    def state(self) -> State:
        record = self._record()
        if record is None:
            return "stopped"
        return "running" if self._is_ours(record) else "stale"

    def uptime_s(self) -> float | None:
        record = self._record()
        return max(0.0, time.time() - record["started"]) if record and self._is_ours(record) else None

    def start(self, spec: Spec) -> bool:
        """Start it unless it runs, and return once it is ready: True if it was started, False if it ran already.

        Raises StackError, with the end of the log, if it ends or is not ready in time; nothing is left running then.
        """
        started = self.pid() is None
        if started:
            self._launch(spec)
        self._await_ready(spec, stop_on_failure=started)
        return started

    def stop(self) -> bool:
        """Ask it to stop; after its time-out kill its whole group. True if it ran. Returns when it is gone."""
        record = self._record()
        ran = record is not None and self._is_ours(record)
        if record is not None and ran:
            pid = record["pid"]
            for member in _family(pid):
                _send(member, signal.SIGCONT)  # what is frozen hears nothing else
            _send(pid, record["stop_signal"])
            if not _wait_gone(pid, record["born"], record["stop_timeout_s"]):
                self.signal(signal.SIGKILL)
        self._file.unlink(missing_ok=True)
        return ran

    def signal(self, number: int) -> None:
        """Send a signal to the process and all its children; after SIGKILL wait until they are gone."""
        record = self._record()
        if record is None or not self._is_ours(record):
            raise StackError(f"{self.name} does not run in {self.folder}")
        births = {member: born(member) for member in _family(record["pid"])}
        for member in births:
            _send(member, number)
        if number == signal.SIGKILL:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(record["pid"], signal.SIGKILL)
            for member, birth in births.items():
                _wait_gone(member, birth, 10.0)

    def log_tail(self, lines: int = 15, since: int = 0) -> str:
        """The last lines of the log, from byte ``since`` on."""
        with suppress(OSError), self.log.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(since, end - 16_384))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
        return ""

    def _launch(self, spec: Spec) -> None:
        for folder in (self._file.parent, self.log.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > _LOG_LIMIT_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        env = {k: v for k, v in os.environ.items() if not (spec.unset and k.startswith(spec.unset))} | dict(spec.env)
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            try:
                # A session of its own and none of our descriptors: it survives us and our terminal, and whoever
                # reads our output to its end does not wait for it.
                popen = subprocess.Popen(
                    [os.fspath(part) for part in spec.argv],
                    cwd=spec.cwd,
                    env=env,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    umask=0o077,
                )
            except OSError as why:
                raise StackError(f"{spec.name} cannot be started: {spec.argv[0]}: {why.strerror}") from why
        popen.returncode = 0  # it is not Popen's to wait for or to warn about: _reap does it
        record = {
            "pid": popen.pid,
            "born": born(popen.pid),
            "folder": str(self.folder),
            "started": time.time(),
            "stop_signal": int(spec.stop_signal),
            "stop_timeout_s": spec.stop_timeout_s,
        }
        write_private(self._file, json.dumps(record))

    def _await_ready(self, spec: Spec, *, stop_on_failure: bool) -> None:
        deadline = time.monotonic() + spec.ready_timeout_s
        pause_s = _POLL_S
        while not spec.ready():
            if self.pid() is None:
                self._file.unlink(missing_ok=True)
                raise StackError(f"{self.name} ended while starting; the end of {self.log}:\n{self._own_tail()}")
            if time.monotonic() > deadline:
                if stop_on_failure:
                    self.stop()
                late = f"{self.name} was not ready in {spec.ready_timeout_s:.0f} s"
                raise StackError(f"{late}; the end of {self.log}:\n{self._own_tail()}")
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.05, 0.5)  # a long recovery is not asked fifty times a second

    def _own_tail(self) -> str:
        return self.log_tail(since=self._log_start)

    def _record(self) -> dict[str, Any] | None:
        with suppress(OSError, ValueError):
            record = json.loads(self._file.read_text())
            if isinstance(record, dict) and {"pid", "born", "folder", "started"} <= record.keys():
                return record
        return None

    def _is_ours(self, record: dict[str, Any]) -> bool:
        _reap(record["pid"])
        # A copied folder brings the other folder's pid files along: its processes are not ours.
        birth = born(record["pid"])
        return birth is not None and birth == record["born"] and record["folder"] == str(self.folder)


def names(folder: Path) -> list[str]:
    """Names of all processes that were started in this folder and not stopped."""
    return sorted(file.stem for file in (folder / "run").glob("*.json"))


def end_strays(marks: Collection[str]) -> None:
    """End every process with one of these words in its command line, and return when they are gone.

    For what runs though no pid file knows it: children of a server killed with -9, or all of it after somebody
    removed the folder. They must not touch the folder's files beside a new server.
    """
    strays = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # gone meanwhile, or another user's
            if any(mark in part for part in process.cmdline() for mark in marks):
                process.terminate()
                strays.append(process)
    for process in psutil.wait_procs(strays, timeout=5.0)[1]:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(strays, timeout=5.0)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    part = path.with_suffix(f".{os.getpid()}.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    part.replace(path)


def _family(pid: int) -> list[int]:
    """The process and all its descendants. (No process group has them all: PostgreSQL gives each its own session.)"""
    with suppress(psutil.Error):
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    return [pid]


def _send(pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _reap(pid: int) -> None:
    with suppress(ChildProcessError, OSError):
        os.waitpid(pid, os.WNOHANG)


def _wait_gone(pid: int, birth: str | None, timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while True:
        _reap(pid)
        if birth is None or born(pid) != birth:
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
