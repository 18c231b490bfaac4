"""A peer's process: pinned to a core, watched for CPU time and memory, killed with all that it started."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import psutil

from bench.peers.install import Say
from bench.peers.peers import GROUP, Peer

ROOT = Path(__file__).parents[2]


def pin(pid: int, core: int | None) -> None:
    """Pin a process with all its threads to one core, where the system can."""
    if core is not None and hasattr(os, "sched_setaffinity"):
        for thread in psutil.Process(pid).threads():
            with suppress(ProcessLookupError):
                os.sched_setaffinity(thread.id, {core})


class Running:
    """A peer, and what its processes have used so far; those of it that were killed count too."""

    def __init__(self, peer: Peer, kafka: str, topic: str, work: Path, core: int | None, say: Say) -> None:
        self.log = work / f"{peer.name}.log"
        self.samples: list[tuple[float, float]] = []
        """(Time, CPU seconds so far)."""
        self.peak_mib = 0.0
        self._cpu: dict[int, float] = {}
        state, scratch = work / "state", work / "tmp"
        for folder in (state, scratch):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        self._command = peer.command(kafka, topic, GROUP, state, scratch, say)
        if core is not None and shutil.which("taskset"):
            self._command = ["taskset", "-c", str(core), *self._command]
        self._environment = {**os.environ, **peer.environment(), "TMPDIR": str(scratch)}
        self.log.unlink(missing_ok=True)
        self.start()

    def start(self) -> None:
        """Start it, or start it again on the state that it left."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, start_new_session=True, cwd=ROOT, env=self._environment
            )
        self._root = psutil.Process(self._process.pid)

    def sample(self) -> None:
        """Look at CPU time and memory of it and its children."""
        memory = 0
        with suppress(psutil.Error):
            for process in [self._root, *self._root.children(recursive=True)]:
                with suppress(psutil.Error):
                    times = process.cpu_times()
                    self._cpu[process.pid] = times.user + times.system
                    memory += process.memory_info().rss
        self.peak_mib = max(self.peak_mib, memory / 2**20)
        self.samples.append((time.time(), sum(self._cpu.values())))

    def ended(self) -> int | None:
        """The exit status, if it ended by itself."""
        return self._process.poll()

    def kill(self) -> None:
        """kill -9, for it and all its children: nothing is flushed, nothing said to the group."""
        with suppress(psutil.Error):
            for child in self._root.children(recursive=True):
                with suppress(psutil.Error):
                    child.kill()
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def last_words(self, lines: int = 6) -> str:
        """The end of what it printed."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
