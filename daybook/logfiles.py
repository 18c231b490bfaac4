"""The logs of a data folder: one file a server or worker, read from their ends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from daybook.errors import Problem

_POLL_S = 0.2
_BLOCK_BYTES = 65_536


def read(folder: Path, role: str | None, lines: int, *, follow: bool = False) -> Iterator[str]:
    """The last lines of one log, or of all with their names in front; with ``follow`` it never ends.

    ``role`` is a server (kafka, postgres, redis, clickhouse) or a worker (worker-streams …). Raises Problem where it
    has no log.
    """
    files = {file.stem: file for file in sorted((folder / "logs").glob("*.log"))}
    if not files:
        raise Problem(f"there are no logs in {folder}: nothing was ever started there")
    if role is not None and role not in files:
        role = f"worker-{role}" if f"worker-{role}" in files else role
        if role not in files:
            raise Problem(f"there is no log of {role} in {folder}; there are: {', '.join(files)}")
    if role is not None:
        files = {role: files[role]}
    width = max(map(len, files))
    prefix = {name: "" if role is not None else f"{name:<{width}} | " for name in files}
    ends: dict[str, int] = {}
    for name, file in files.items():
        ends[name] = file.stat().st_size
        yield from (prefix[name] + line for line in tail(file, lines))
    while follow:
        time.sleep(_POLL_S)
        for name, file in files.items():
            new, ends[name] = _since(file, ends[name])
            yield from (prefix[name] + line for line in new)


def tail(file: Path, lines: int) -> list[str]:
    """The last lines of a file; reads no more of it than that takes."""
    if lines == 0:
        return []
    with file.open("rb") as log:
        at = log.seek(0, 2)
        found = b""
        while at > 0 and found.count(b"\n") <= lines:
            size = min(at, _BLOCK_BYTES)
            at = log.seek(at - size)
            found = log.read(size) + found
    return found.decode(errors="replace").splitlines()[-lines:]


def _since(file: Path, start: int) -> tuple[list[str], int]:
    """Whole lines after byte ``start``, and where they end; a file that was begun anew is read from its start."""
    try:
        with file.open("rb") as log:
            if log.seek(0, 2) < start:
                start = 0
            log.seek(start)
            new = log.read()
    except FileNotFoundError:
        return [], 0
    whole = new[: new.rfind(b"\n") + 1]
    return whole.decode(errors="replace").splitlines(), start + len(whole)
