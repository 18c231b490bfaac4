"""The worker roles as processes of a data folder, beside its servers: start what is missing, stop, ask.

Each is `daybook worker --role R --data FOLDER` in the background (stack.process). It says that it works (partitions
assigned, state recovered) by writing its pid into the file that DAYBOOK_READY_FILE names.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from daybook.scrub import scrub
from daybook.settings import SERVERS, Settings
from stack.config import mark_of
from stack.process import Process, Spec, end_strays, write_private
from streams import stop as stopping

ROLES = ("streams", "progress", "trending", "lists", "affinity", "postgres", "clickhouse", "redis", "loader")
EXTRA = ("audit", "api")
"""What `up` starts only when told to."""
KNOWN = (*ROLES, *EXTRA)
"""All that may run here."""
READY_FILE = "DAYBOOK_READY_FILE"
EXIT_FILE = "DAYBOOK_EXIT_FILE"
STOP_TIMEOUT_S = 30.0


def process(folder: Path, role: str) -> Process:
    """The background process of one role."""
    return Process(folder, f"worker-{role}")


def start(folder: Path, servers: Settings, roles: Sequence[str] = ROLES) -> dict[str, bool]:
    """Start the roles that do not run and return when all are ready: role → whether it was started now.

    Raises StackError with the end of the log of the first that fails; what was started is stopped again then.
    """
    before = {role for role in roles if process(folder, role).pid() is not None}
    for role in set(roles) - before:
        _exit_file(folder, role).unlink(missing_ok=True)
    end_strays([_mark(folder, role) for role in roles if role not in before])
    with ThreadPoolExecutor(len(KNOWN)) as pool:
        begun = {role: pool.submit(process(folder, role).start, spec(folder, role, servers)) for role in roles}
        try:
            return {role: future.result() for role, future in begun.items()}
        except BaseException:
            stop(folder, [role for role in roles if role not in before], forget=False)
            raise


def stop(folder: Path, roles: Sequence[str] = KNOWN, *, forget: bool = True) -> list[str]:
    """Stop them all at once, each draining first; returns those that ran. ``forget``: also how those ended that had."""
    with ThreadPoolExecutor(len(KNOWN)) as pool:
        ran = list(pool.map(lambda role: process(folder, role).stop(), roles))
    end_strays([_mark(folder, role) for role in roles])
    for role in roles:
        _ready_file(folder, role).unlink(missing_ok=True)
        if forget:
            _exit_file(folder, role).unlink(missing_ok=True)
    return [role for role, was in zip(roles, ran, strict=True) if was]


def spec(folder: Path, role: str, servers: Settings) -> Spec:
    """How one role is started: on these servers, whatever the caller's variables say."""
    file = _ready_file(folder, role)
    return Spec(
        name=f"worker-{role}",
        argv=[
            *(sys.executable, "-X", f"daybook={_mark(folder, role)}", "-m", "daybook"),
            *("worker", "--role", role, "--data", str(folder)),
        ],
        cwd=folder,
        env={
            READY_FILE: str(file),
            EXIT_FILE: str(_exit_file(folder, role)),
            "PYTHONUNBUFFERED": "1",
            **_addresses(servers),
        },
        ready=lambda: is_ready(folder, role),
        ready_timeout_s=120.0,
        stop_timeout_s=STOP_TIMEOUT_S,
    )


def runs_elsewhere(folder: Path, role: str, servers: Settings) -> bool:
    """Whether the role runs, and does so on other addresses than these."""
    told = _said(folder, role).get("servers", _digest(servers))
    return process(folder, role).pid() is not None and told != _digest(servers)


def is_ready(folder: Path, role: str) -> bool:
    """Whether the process that runs now has said that it works."""
    pid = process(folder, role).pid()
    return pid is not None and _said(folder, role).get("pid") == pid


def metrics_of(folder: Path, role: str) -> str | None:
    """Where the process that runs now serves its metrics; None before it is ready."""
    return _said(folder, role).get("metrics") if is_ready(folder, role) else None


def is_frozen(folder: Path, role: str) -> bool:
    """Whether the process runs, and has been stopped by a signal (state T): it does nothing until it is continued."""
    pid = process(folder, role).pid()
    with suppress(psutil.Error):
        return pid is not None and psutil.Process(pid).status() == psutil.STATUS_STOPPED
    return False


def ending(folder: Path, role: str) -> tuple[int | None, str]:
    """How the last process of this role ended: its exit code and why; None if it was killed before it could say."""
    with suppress(OSError, ValueError, KeyError):
        said = json.loads(_exit_file(folder, role).read_text())
        return int(said["code"]), str(said["why"])
    return None, ""


@contextmanager
def last_words() -> Iterator[None]:
    """Inside a worker: whoever supervises it finds out how it ended, unless it is killed."""
    name = os.environ.get(EXIT_FILE)
    if not name:
        yield
        return
    file = Path(name)

    def tell(code: int, why: str) -> None:
        write_private(file, json.dumps({"code": code, "why": scrub(why)}))

    stopping.last_words.append(tell)
    try:
        yield
    except Exception as why:
        tell(int(getattr(why, "exit_code", 1)), str(why))
        raise
    finally:
        stopping.last_words.remove(tell)


def _said(folder: Path, role: str) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        return dict(json.loads(_ready_file(folder, role).read_text()))
    return {}


def _mark(folder: Path, role: str) -> str:
    """What stands in the command line of this role's process here, so that it is found though its pid file is lost."""
    return mark_of(folder, f"worker-{role}")


def _ready_file(folder: Path, role: str) -> Path:
    return folder / "run" / f"worker-{role}.ready"


def _exit_file(folder: Path, role: str) -> Path:
    return folder / "run" / f"worker-{role}.exit"


def _addresses(servers: Settings) -> dict[str, str]:
    told = {f"DAYBOOK_{server.upper()}": servers.address(server) for server in SERVERS}
    return {**told, "DAYBOOK_KAFKA_SECURITY": servers.kafka_security}


def _digest(servers: Settings) -> str:
    return hashlib.sha256(repr(_addresses(servers)).encode()).hexdigest()[:16]


@contextmanager
def readiness(servers: Settings) -> Iterator[Callable[[str], None]]:
    """Inside a worker: what to call, with the metrics' address, once it works. The file goes when the worker leaves."""
    name = os.environ.get(READY_FILE)
    file = Path(name) if name else None

    def ready(metrics: str) -> None:
        if file is not None:
            write_private(file, json.dumps({"pid": os.getpid(), "servers": _digest(servers), "metrics": metrics}))

    try:
        yield ready
    finally:
        if file is not None:
            file.unlink(missing_ok=True)
