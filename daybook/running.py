"""A whole Daybook in one data folder: servers, topics, tables, workers; up again brings back only what is missing."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Collection
from pathlib import Path

from daybook import migrating, settings, workers
from daybook.settings import SERVERS, Settings
from stack.errors import StackError
from stack.lock import locked
from stack.stack import Stack

Say = Callable[[str], None]

_LOCK_TIMEOUT_S = 180.0


def up(folder: Path, partitions: int | None, say: Say, *, extra: Collection[str] = ()) -> Settings:
    """Start what does not run and return when all is ready, with the addresses.

    ``extra``: which of workers.EXTRA to start too.

    Raises StackError or Problem, one line; what was started before that stays for `down` and for a look at its logs.
    """
    Stack(folder, say=say).up()
    found = of_folder(folder, partitions)
    with locked(
        folder / "workers.lock", say, timeout_s=_LOCK_TIMEOUT_S
    ):  # two who call this at once do not start two of each
        migrating.migrate(found, say)
        moved = [role for role in workers.KNOWN if workers.runs_elsewhere(folder, role, found)]
        for role in workers.stop(folder, moved):
            say(f"worker {role}: stopped, because a server has moved to another port")
        wanted = (*workers.ROLES, *(role for role in workers.EXTRA if role in extra or role in moved))
        for role, started in workers.start(folder, found, wanted).items():
            say(f"worker {role}: {'ready' if started else 'already running'}")
        if found.supervise:
            from daybook import supervisor  # which starts workers on what this module finds

            supervisor.start(folder)
    for variable in foreign_variables(found):
        say(f"note: {variable} is set and names another server; commands other than up and down will use that one")
    return found


def stop_workers(folder: Path, say: Say) -> list[str]:
    """Stop the supervisor and the workers of a folder; returns those that ran."""
    from daybook import supervisor

    supervisor.stop(folder)
    ran = workers.stop(folder)
    for role in ran:
        say(f"worker {role}: stopped")
    return ran


def down(folder: Path, say: Say) -> None:
    """Stop the workers, each draining, then the servers. Nothing happens where nothing runs."""
    stop_workers(folder, say)
    Stack(folder, say=say).down()


def own(folder: Path) -> dict[str, str]:
    """Where the folder's own servers are; empty where none of them runs."""
    try:
        return dataclasses.asdict(Stack(folder).endpoints())
    except StackError:
        return {}


def of_folder(folder: Path, partitions: int | None = None) -> Settings:
    """The settings with the folder's own servers, whatever the variables say."""
    endpoints = dataclasses.asdict(Stack(folder).endpoints())
    return settings.read(data=folder, partitions=partitions, kafka_security="plaintext", **endpoints)


def foreign_variables(own: Settings) -> list[str]:
    """The variables that name servers other than the folder's own."""
    names = {f"DAYBOOK_{server.upper()}": own.address(server) for server in SERVERS}
    return [name for name, address in names.items() if os.environ.get(name, address) != address]
