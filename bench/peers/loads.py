"""Broker folders with a load in their topic, made once a run and copied for every peer, and the offline answers."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource

from bench.peers import job
from bench.peers.install import Say
from bench.peers.process import pin
from daybook import topics
from producers.publish import Record, publish_records
from stack.errors import StackError
from stack.stack import Stack


class Loads:
    """One load's users; a folder for every number of events that is asked for. No events: empty topics."""

    def __init__(self, folder: Path, users: int, seed: int, say: Say) -> None:
        self.folder, self.users, self.seed, self.say = folder, users, seed, say
        self._answers: dict[int, dict[job.Day, job.Totals]] = {}

    def get(self, n: int) -> tuple[Path, dict[job.Day, job.Totals]]:
        """The folder with n events, and what their rows shall be."""
        home = self.folder / f"load-{self.users}-{n}"
        if n not in self._answers:
            began = time.monotonic()
            log = list(job.events(n, self.users, self.seed))
            stack = Stack(home, say=lambda _: None)
            try:
                kafka = stack.up(["kafka"]).kafka
                topics.migrate(kafka, job.PARTITIONS, lambda _: None)
                stamp_by_broker(kafka, job.OUTPUT)
                if log:
                    publish_records(kafka, (Record(job.INPUT, key, value) for key, value in log))
            finally:
                stack.down()
            self._answers[n] = job.answer(log)
            if n:
                self.say(f"{n:,} events of {self.users:,} users are in a topic ({time.monotonic() - began:.0f} s)")
        return home, self._answers[n]


def stamp_by_broker(kafka: str, topic: str) -> None:
    """Have the broker's clock stamp what is appended: whatever times the peers write, the end is read on one clock."""
    entry = ConfigEntry("message.timestamp.type", "LogAppendTime", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": kafka, "log_level": 0})
    admin.incremental_alter_configs([resource])[resource].result()


@contextmanager
def broker(load: Path, work: Path, core: int | None) -> Iterator[str]:
    """A broker on a copy of the load's folder, pinned away from the peer; thrown away afterwards."""
    home = work / "broker"
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(load, home)
    stack = Stack(home, say=lambda _: None)
    try:
        kafka = stack.up(["kafka"]).kafka
        for status in stack.status():
            if status.name == "kafka" and status.pid:
                pin(status.pid, core)
        yield kafka
    finally:
        with suppress(StackError):  # it may not have started at all
            stack.kill("kafka", signal.SIGKILL)
        stack.down()
        shutil.rmtree(home, ignore_errors=True)
