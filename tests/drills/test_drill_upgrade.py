"""Workers of two versions side by side while the state changes its format, and back: docs/how-to/upgrade.md."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import pytest
from command_line import CLEAN, DAYBOOK, started
from confluent_kafka import Consumer, TopicPartition
from drilling import drill

from daybook import kafka, running, settings, waiting, workers
from producers import generate, truth
from producers.publish import publish
from schemas.positions import is_position
from schemas.topics import LEDGER

pytestmark = pytest.mark.slow  # seconds a command, and many commands: make test-drills

EVENTS = [event.replace(b'"subject":"u_', b'"subject":"r_') for event in generate.events(users=8, days=20, seed=53)]
PARTS = 6
BEFORE = (
    "from schemas import positions; positions.READABLE, positions.NEWEST = (1,), 1; "
    "from daybook.cli import main; main()"
)
"""Today's program as the version before it was: all it knows of formats is 1."""
OLD, NEW = (sys.executable, "-c", BEFORE), DAYBOOK
_PATIENCE_S = 120.0


@contextmanager
def asked(argv: Sequence[str], log: IO[str], env: Mapping[str, str]) -> Iterator[None]:
    """A worker that is asked to stop at the end, as who replaces it does."""
    with started(argv, log, env) as process:
        yield
        process.terminate()
        process.wait(_PATIENCE_S)


def logs(folder: Path) -> str:
    return "\n".join(f"{path.name}: {path.read_text()[-3_000:]}" for path in sorted(folder.glob("*.log")))


def formats(bootstrap: str, partitions: int) -> set[int]:
    """Which formats the newest positions in the ledger's changelog are written in."""
    reader = Consumer({"bootstrap.servers": bootstrap, "group.id": "drill", "isolation.level": "read_committed"})
    found: dict[tuple[int, bytes], int] = {}
    try:
        for number in range(partitions):
            at = TopicPartition(LEDGER.name, number, 0)
            end = reader.get_watermark_offsets(at, timeout=10)[1]
            reader.assign([at])
            deadline = time.monotonic() + _PATIENCE_S
            while reader.position([at])[0].offset < end:
                assert time.monotonic() < deadline
                for message in reader.consume(500, 0.5):
                    key, value = message.key(), message.value()
                    if value and is_position(key):
                        found[number, key] = 1 if value[:1] == b"{" else value[0]
    finally:
        reader.close()
    return set(found.values())


def test_workers_are_replaced_one_by_one_while_the_state_changes_its_format(ground: Path, tmp_path: Path) -> None:
    with drill("A rolling upgrade with a new format of the state, and a rollback", ground) as on, ExitStack() as held:
        bootstrap, client = on.kafka, kafka.admin(on.kafka)
        at = settings.read(data=ground)
        environment = {
            "DAYBOOK_DATA": str(ground),
            **{f"DAYBOOK_{name.upper()}": at.address(name) for name in settings.SERVERS},
        }
        running_now: dict[str, ExitStack] = {}
        published = 0

        def begin(name: str, program: tuple[str, ...]) -> None:
            """Start a streams worker of this name, instead of the one that has it."""
            if name in running_now:
                running_now.pop(name).close()
            own = held.enter_context(ExitStack())
            log = own.enter_context((tmp_path / f"{name}.log").open("a"))
            own.enter_context(asked([*program, "worker", "--role", "streams", "--name", name], log, environment))
            running_now[name] = own

        def live(members: int) -> None:
            """Some more events come, and all is visible with so many workers at it."""
            nonlocal published
            part = len(EVENTS) // PARTS
            publish(bootstrap, EVENTS[published : published + part])
            published += part
            on.run("wait", "--timeout", int(_PATIENCE_S))
            deadline = time.monotonic() + _PATIENCE_S
            while kafka.members(client, waiting.DAILY_STREAM.id) != members:
                assert time.monotonic() < deadline, f"not {members} workers: {logs(tmp_path)}"
                time.sleep(0.2)

        on.step("an installation of the version before: all state in format 1")
        on.run("migrate", "--state-format", 1)
        on.run("rebuild")
        on.step("two workers of that version, which knows no other format")
        workers.stop(ground, ["streams"])
        begin("a", OLD)
        begin("b", OLD)
        live(2)
        on.step("the first is replaced: old and new side by side")
        begin("a", NEW)
        live(2)
        on.step("the second too; then back, to the version before")
        begin("b", NEW)
        live(2)
        assert formats(bootstrap, 2) == {1}, "whoever is new writes what the old ones read"
        begin("a", OLD)
        live(2)
        on.step("forward again, and all are new: daybook migrate --state-format 2, and start one after the other anew")
        begin("a", NEW)
        assert "start them anew" in on.run("migrate", "--state-format", 2)
        begin("b", NEW)
        live(2)
        begin("a", NEW)
        live(2)
        assert 2 in formats(bootstrap, 2)
        on.step("a worker of the version before refuses, and says what to do")
        running_now.pop("a").close()
        argv = [*OLD, "worker", "--role", "streams", "--name", "a"]
        done = subprocess.run(argv, env={**CLEAN, **environment}, capture_output=True, text=True, timeout=_PATIENCE_S)
        assert done.returncode == 78, done.stderr
        assert "the state is written in format 2, and this version reads 1 to 1: deploy a version" in done.stderr
        running_now.pop("b").close()
        on.step("daybook verify")
        running.up(ground, None, lambda line: None)
        publish(bootstrap, EVENTS[published:])
        on.run("wait", "--timeout", int(_PATIENCE_S))
        assert " 0 differences" in on.run("verify")
        rows = {key: row for key, row in on.rows().items() if key[0].startswith("r_")}
        assert rows == truth.daily_rows(iter(EVENTS))
