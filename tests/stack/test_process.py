"""Background processes: what is started is found again, and nothing else is."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from stack import ports, process
from stack.errors import StackError
from stack.process import Process, Spec


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Process]:
    (tmp_path / "here").mkdir()
    one = Process(tmp_path / "here", "worker")
    yield one
    one.stop()


def python(script: str, folder: Path, **more: object) -> Spec:
    ready: Callable[[], bool] = (folder / "ready").exists
    return Spec(**{"name": "worker", "argv": [sys.executable, "-c", script], "cwd": folder, "ready": ready} | more)


READY = "import pathlib, signal, sys, time; pathlib.Path('ready').touch(); "
SERVE = "print('serving', flush=True); " + READY + "time.sleep(600)"


def test_start_returns_when_ready_and_starts_only_once(worker: Process) -> None:
    spec = python("import time; time.sleep(0.3); " + SERVE, worker.folder)
    assert worker.state() == "stopped"
    assert worker.start(spec)
    assert (worker.folder / "ready").exists()
    pid = worker.pid()
    assert not worker.start(spec)
    assert (worker.pid(), worker.state()) == (pid, "running")
    assert process.names(worker.folder) == ["worker"]
    assert worker.log_tail() == "serving"
    assert worker.stop()
    assert (worker.pid(), worker.state()) == (None, "stopped")
    assert process.names(worker.folder) == []
    assert not worker.stop()


def test_one_that_died_unasked_is_stale_and_can_be_started_again(worker: Process) -> None:
    worker.start(python(SERVE, worker.folder))
    before = worker.pid()
    worker.signal(signal.SIGKILL)
    assert (worker.state(), worker.pid()) == ("stale", None)
    with pytest.raises(StackError, match="worker does not run in"):
        worker.signal(signal.SIGKILL)
    assert worker.start(python(SERVE, worker.folder))
    assert worker.pid() not in (None, before)


def test_one_that_ends_while_starting_is_an_error_with_what_it_said(worker: Process) -> None:
    worker.log.parent.mkdir()
    worker.log.write_text("from an earlier life\n")
    with pytest.raises(StackError) as caught:
        worker.start(python("import sys; print('no disk'); sys.exit(3)", worker.folder))
    assert str(caught.value) == f"worker ended while starting; the end of {worker.log}:\nno disk"
    assert worker.state() == "stopped"


def test_one_that_is_not_ready_in_time_is_stopped(worker: Process) -> None:
    with pytest.raises(StackError, match=r"(?s)worker was not ready in 1 s; .*waiting"):
        worker.start(
            python("import time; print('waiting', flush=True); time.sleep(60)", worker.folder, ready_timeout_s=1.0)
        )
    assert worker.state() == "stopped"


def test_a_program_that_is_missing_is_one_clear_line(worker: Process) -> None:
    with pytest.raises(StackError, match=r"^worker cannot be started: /nowhere/program: No such file or directory$"):
        worker.start(python("", worker.folder, argv=["/nowhere/program"]))


def test_one_that_will_not_stop_is_killed_with_its_children(worker: Process) -> None:
    child = "import subprocess; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
    deaf = "import sys; " + child + "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    worker.start(python(deaf + SERVE, worker.folder, stop_timeout_s=0.2))
    family = [psutil.Process(worker.pid()), *psutil.Process(worker.pid()).children(recursive=True)]
    assert len(family) == 2
    assert worker.stop()
    gone, alive = psutil.wait_procs(family, timeout=5)
    assert (len(gone), alive) == (2, [])


def test_a_frozen_one_can_be_stopped_in_the_orderly_way(worker: Process) -> None:
    handle = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(print('goodbye'))); "
    orderly = handle + READY + "exec('while True: time.sleep(0.01)')"
    worker.start(python(orderly, worker.folder))
    worker.signal(signal.SIGSTOP)
    assert worker.stop()
    assert "goodbye" in worker.log_tail()


def test_it_holds_none_of_the_descriptors_of_whoever_started_it(worker: Process) -> None:
    listener = socket.create_server((ports.HOST, 0))
    listener.set_inheritable(True)
    port = listener.getsockname()[1]
    worker.start(python(SERVE, worker.folder))
    listener.close()
    assert ports.is_free(port)
    assert os.getsid(worker.pid()) == worker.pid() != os.getsid(0)


def test_variables_that_would_mislead_it_are_not_passed_on(worker: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "elsewhere")
    script = "import os; print(sorted(k for k in os.environ if k.startswith('PG')), os.environ['OWN'], flush=True); "
    worker.start(python(script + SERVE, worker.folder, unset=("PG",), env={"OWN": "value"}))
    assert worker.log_tail().splitlines()[0] == "[] value"


def test_a_log_that_has_grown_large_is_put_aside_at_a_start(worker: Process) -> None:
    worker.log.parent.mkdir()
    worker.log.write_bytes(b"x" * (9 << 20))
    worker.start(python(SERVE, worker.folder))
    assert worker.log_tail() == "serving"
    assert worker.log.with_suffix(".log.1").stat().st_size == 9 << 20


def test_strays_are_found_by_their_mark_and_nobody_else_is_touched(worker: Process) -> None:
    worker.start(python(SERVE, worker.folder, argv=[sys.executable, "-X", "stack=mark-a", "-c", SERVE]))
    bystander = Process(worker.folder, "bystander")
    bystander.start(python(SERVE, worker.folder, argv=[sys.executable, "-X", "stack=mark-b", "-c", SERVE]))
    try:
        process.end_strays(["mark-a"])
        assert worker.state() == "stale"
        assert bystander.state() == "running"
    finally:
        bystander.stop()


def test_the_birth_of_a_process_tells_it_from_a_later_one_with_its_number() -> None:
    assert process.born(os.getpid()) == process.born(os.getpid()) is not None
    assert process.born(2**22 + 1) is None
    child = subprocess.Popen([sys.executable, "-c", ""])
    assert process.born(child.pid) != process.born(os.getpid())
    deadline = time.monotonic() + 10
    while process.born(child.pid) is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert process.born(child.pid) is None, "a zombie is gone"
    assert child.wait() == 0


def test_a_connection_to_nobody_is_no_answer() -> None:
    port = ports.choose()
    assert ports.is_free(port)
    assert ports.ask(port, b"hello") is None
    with socket.create_server((ports.HOST, port)):
        assert not ports.is_free(port)
        assert ports.choose([port]) != port
