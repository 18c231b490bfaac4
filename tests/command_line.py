"""The command line as tests use it: run a command to its end, or beside the test, and look what it left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import psutil

from stack.kafka import JVM_VARIABLE

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("DAYBOOK_") or name == JVM_VARIABLE}
DAYBOOK = (sys.executable, "-m", "daybook")


def daybook(
    *arguments: object,
    timeout_s: float = 180,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str = "",
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end, without the caller's own settings. What `up --detach` leaves running ends with us."""
    if arguments[0] == "up" and "--data" in arguments:
        guard(Path(str(arguments[arguments.index("--data") + 1])))
    return subprocess.run(
        [*DAYBOOK, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env={**CLEAN, **(env or {})},
        cwd=cwd,
    )


def ran(*words: object, data: Path) -> str:
    """What a command printed that must succeed, on a folder whose workers nobody starts again."""
    done = daybook(*words, "--data", data, timeout_s=120, env={"DAYBOOK_SUPERVISE": "false"})
    assert done.returncode == 0, f"{words}: {done.stdout}\n{done.stderr}"
    return done.stdout


_guards: dict[Path, subprocess.Popen[bytes]] = {}


def guard(folder: Path) -> None:
    """Have a folder's stack stopped when this process is gone, however it ends: a guard's input ends with it."""
    if folder not in _guards:
        script = "import subprocess, sys; sys.stdin.read(); subprocess.run(sys.argv[1:], capture_output=True)"
        env = {**CLEAN, "DAYBOOK_DATA": str(folder)}  # not in its command line: it is none of the folder's processes
        argv = [sys.executable, "-c", script, *DAYBOOK, "down"]
        _guards[folder] = subprocess.Popen(argv, stdin=subprocess.PIPE, start_new_session=True, env=env)


@contextmanager
def started(
    command: Sequence[object], out: IO[str], env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command beside the test; it is gone at the end, whatever it does. Ctrl-C reaches it as in a terminal."""
    process = subprocess.Popen(
        [str(word) for word in command],
        stdout=out,
        stderr=out,
        env={**CLEAN, **(env or {})},
        # A shell that runs the tests in the background has it ignored for all that comes of them.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def processes_of(folder: Path) -> list[str]:
    """Command lines of what runs in a folder or was told its name, except this process."""
    found = []
    for process in psutil.process_iter():
        try:
            line, cwd = " ".join(process.cmdline()), process.cwd()
        except psutil.Error:
            continue
        if process.pid != os.getpid() and (str(folder) in line or cwd.startswith(str(folder))):
            found.append(line)
    return found
