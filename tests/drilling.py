"""Drills on a live stack: what an operator does, said aloud with how long each step took, and what is compared."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from command_line import daybook
from stored_days import stored_days

from daybook import settings
from sinks.postgres.connect import as_writer
from stack.stack import Stack


def meal(user: str, name: str, at: str) -> bytes:
    """An event with one bowl of soup in it."""
    data = {"meal_type": "lunch", "items": [{"name": "soup", "energy_kcal": 300}]}
    told = {"specversion": "1.0", "id": name, "source": "drill/1.0", "type": "meal.logged", "subject": user, "time": at}
    return json.dumps(told | {"data": data}).encode()


class Drill:
    """One drill, on the data folder of a stack."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self._began = self._step = time.monotonic()
        self._doing = ""

    def step(self, what: str) -> None:
        """Say what is done next, and how long the last took."""
        now = time.monotonic()
        if self._doing:
            print(f"  {now - self._step:5.1f} s  {self._doing}", flush=True)
        self._doing, self._step = what, now

    def end(self) -> None:
        self.step("")
        print(f"  {time.monotonic() - self._began:5.1f} s  in all", flush=True)

    def run(self, *words: object, fails: int = 0, env: dict[str, str] | None = None) -> str:
        """A command of the operator's, which must end with this code; what it said."""
        done = daybook(*words, "--data", self.data, timeout_s=300, env=env)
        assert done.returncode == fails, f"daybook {words} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    @property
    def kafka(self) -> str:
        return settings.read(data=self.data).address("kafka")

    def back_up(self, server: str, into: Path) -> None:
        """Copy the folder of a server that stands still."""
        servers = Stack(self.data, say=lambda line: None)
        servers.stop(server)
        copy(self.data / server, into / server)
        servers.start(server)

    def restore(self, server: str, backup: Path) -> None:
        """Put a copy back in its place."""
        servers = Stack(self.data, say=lambda line: None)
        servers.stop(server)
        shutil.rmtree(self.data / server)
        copy(backup / server, self.data / server)
        servers.start(server)

    def empty(self, server: str) -> None:
        """A server that has never held anything."""
        servers = Stack(self.data, say=lambda line: None)
        servers.stop(server)
        shutil.rmtree(self.data / server)
        servers.start(server)

    def postgres(self) -> psycopg.Connection[tuple[Any, ...]]:
        """As who sees all rows."""
        return psycopg.connect(as_writer(settings.read(data=self.data).address("postgres")))

    def rows(self) -> dict[tuple[str, str], dict[str, object]]:
        """The days that PostgreSQL holds, in the words of producers/truth.py."""
        return stored_days(settings.read(data=self.data).address("postgres"))


@contextmanager
def drill(what: str, data: Path) -> Iterator[Drill]:
    """Say which drill it is, and at the end how long it took."""
    print(f"\n{what}", flush=True)
    found = Drill(data)
    yield found
    found.end()


def copy(source: Path, target: Path) -> None:
    """A folder with the owners and modes of its files: PostgreSQL refuses others."""
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)
