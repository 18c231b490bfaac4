"""One process at a time: a lock on a file, which goes with the process that holds it, however that ends."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import StackError


@contextmanager
def locked(file: Path, say: Callable[[str], None], *, timeout_s: float) -> Iterator[None]:
    """Hold the lock on ``file``. If another process holds it, say so and wait; StackError after ``timeout_s``."""
    deadline = time.monotonic() + timeout_s
    waits = False
    try:
        handle = file.open("w")
    except OSError as why:
        raise StackError(f"{file} cannot be opened: {why.strerror}") from why
    with handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not waits:
                    say(f"another process is at work here and holds {file}; waiting for it")
                waits = True
            if time.monotonic() > deadline:
                raise StackError(f"another process still holds {file} after {timeout_s:.0f} s")
            time.sleep(0.05)
        yield
