"""`daybook up` without --detach: one line says how things are, what ends is told, Ctrl-C stops all."""

from __future__ import annotations

import signal
import time
from collections.abc import Collection
from pathlib import Path
from types import FrameType

from daybook import running, state
from daybook.errors import Problem
from daybook.say import console, say

_LOOK_EVERY_S = 2.0


def stay(folder: Path, partitions: int | None, *, extra: Collection[str] = ()) -> None:
    """Start all, stay until Ctrl-C or SIGTERM, stop all. Raises Problem if something did not run at the end."""
    died: set[str] = set()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        settings = running.up(folder, partitions, say, extra=extra)
        say("all is ready; Ctrl-C stops it")
        with console().status("all is running") as line:
            while True:
                rows = state.look(settings)
                for row in rows:
                    if row.state != "running" and row.role not in died:
                        why = row.why or f"daybook logs {row.role}"
                        say(f"{row.role}: {row.state}; why: {why}; again: daybook up --detach")
                        died.add(row.role)
                    elif row.state == "running" and row.role in died:
                        say(f"{row.role} is running again")
                        died.remove(row.role)
                behind = sum(row.lag or 0 for row in rows)
                bad = ", ".join(sorted(died))
                line.update(
                    f"{f'not running: {bad}' if died else 'all is running'}; {behind} records behind; Ctrl-C stops it"
                )
                time.sleep(_LOOK_EVERY_S)
    except KeyboardInterrupt:
        say("stopping")
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        running.down(folder, say)
    if died:
        raise Problem(f"not running at the end: {', '.join(sorted(died))}")


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
