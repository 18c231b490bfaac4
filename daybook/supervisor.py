"""The supervisor of a data folder: starts workers again that were killed or stopped to stay exact.

One background process beside the workers, started by `up` and stopped first by `down`. What it did is in
FOLDER/run/supervisor.state, which `status` reads, and in its log. It starts nothing that was never started, and nothing
that was stopped on purpose: a worker that ended without being told has left its pid file behind.
"""

from __future__ import annotations

import json
import logging
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from daybook import restarts, running, scrub, workers
from daybook.errors import Problem
from daybook.restarts import Again
from stack.config import mark_of
from stack.errors import StackError
from stack.lock import locked
from stack.process import Process, Spec, end_strays, write_private

log = logging.getLogger(__name__)

NAME = "supervisor"
LOOK_EVERY_S = 1.0
_LOCK_TIMEOUT_S = 180.0


class Told(NamedTuple):
    """What the supervisor says of one role."""

    restarts: int = 0
    """Since the supervisor began."""
    left: str = ""
    """Why it is not started again; empty if it is, or runs."""


def process(folder: Path) -> Process:
    """The background process."""
    return Process(folder, NAME)


def start(folder: Path) -> bool:
    """Start it unless it runs; True if it was started."""
    if process(folder).pid() is None:
        end_strays([mark_of(folder, NAME)])
    argv = (sys.executable, "-X", f"daybook={mark_of(folder, NAME)}", "-m", "daybook", NAME, "--data", str(folder))
    return process(folder).start(
        Spec(name=NAME, argv=argv, cwd=folder, ready=lambda: True, env={"PYTHONUNBUFFERED": "1"}, stop_timeout_s=10.0)
    )


def stop(folder: Path) -> bool:
    """Stop it; True if it ran."""
    ran = process(folder).stop()
    end_strays([mark_of(folder, NAME)])
    _file(folder).unlink(missing_ok=True)
    return ran


def told(folder: Path) -> dict[str, Told]:
    """Role → what the supervisor says of it; empty where it never ran."""
    with suppress(OSError, ValueError, TypeError):
        return {role: Told(*said) for role, said in json.loads(_file(folder).read_text()).items()}
    return {}


def _file(folder: Path) -> Path:
    return folder / "run" / f"{NAME}.state"


def run(folder: Path) -> None:
    """Be the supervisor, until SIGTERM or Ctrl-C."""
    scrub.log_to_stderr()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    log.info("supervising the workers of %s", folder)
    supervisor = Supervisor(folder)
    while True:
        supervisor.look()
        time.sleep(LOOK_EVERY_S)


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


class Supervisor:
    """Looks after the roles of one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._starts: dict[str, list[float]] = {}
        self._due: dict[str, float] = {}
        """Roles that ended, and when they are started again; infinity: not at all."""
        self._left: dict[str, str] = {}
        self._said: dict[str, Told] | None = None

    def look(self) -> None:
        """Look at every role once; starts those that are due."""
        for role in workers.KNOWN:
            state = workers.process(self._folder, role).state()
            if state == "running":
                self._due.pop(role, None)
                self._left.pop(role, None)
            elif role in self._due:
                if time.monotonic() >= self._due[role]:
                    self._start(role)
            elif state == "stale":
                self._ended(role)
        self._say()

    def _ended(self, role: str) -> None:
        code, why = workers.ending(self._folder, role)
        how = "was killed" if code is None else f"ended with code {code}: {why}"
        said = restarts.verdict(code, self._starts.get(role, ()), time.monotonic())
        if isinstance(said, Again):
            log.warning("worker %s %s; starting it again in %.1f s", role, how, said.after_s)
            self._due[role] = time.monotonic() + said.after_s
        else:
            log.error("worker %s %s; leaving it: %s. Then: daybook up", role, how, said.why)
            self._due[role], self._left[role] = float("inf"), f"{said.why}: {why}" if why else said.why

    def _start(self, role: str) -> None:
        self._starts.setdefault(role, []).append(time.monotonic())
        self._say()  # now: whoever sees the new process in `daybook status` also sees that it is a restart
        try:
            with locked(self._folder / "workers.lock", log.info, timeout_s=_LOCK_TIMEOUT_S):
                begun = workers.start(self._folder, running.of_folder(self._folder), [role])
            log.info("worker %s %s", role, "works again" if begun[role] else "was started by somebody else")
            del self._due[role]
        except (StackError, Problem) as why:
            log.error("worker %s did not start: %s", role, why)
            self._ended(role)

    def _say(self) -> None:
        said = {
            role: Told(len(self._starts.get(role, ())), self._left.get(role, ""))
            for role in {*self._starts, *self._left}
        }
        if said != self._said:
            self._said = said
            write_private(_file(self._folder), json.dumps(said))
