"""Broker folders with a load in their topics, made once and copied for every run, and the offline answers.

All sizes of a load lie in one folder, each in a topic of its own, and a smaller one is the beginning of the largest:
one start of a broker makes them all.
"""

from __future__ import annotations

import pickle
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import psutil
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic

from bench.peers import job
from bench.peers.install import Say
from bench.peers.process import pin
from daybook import topics
from producers.publish import Record, publish_records
from stack.errors import StackError
from stack.kafka import STEADY
from stack.stack import Stack


@dataclass(frozen=True, slots=True)
class Load:
    """Events that lie in a topic of a broker's folder, and what the rows of them shall be."""

    folder: Path
    topic: str
    events: int
    answer: dict[job.Day, job.Totals]


class Loads:
    """One load's users in as many sizes as are asked for.

    `sizes`: numbers of events; `ours`: the one of them that lies in the topic `meals`, the only one that Daybook reads.
    What an earlier call left in `folder` is taken as it is.
    """

    def __init__(self, folder: Path, users: int, seed: int, sizes: set[int], ours: int, say: Say) -> None:
        self.users, self.seed, self.sizes, self.ours, self.say = users, seed, sorted(sizes), ours, say
        self._home = folder / f"load-{users}-{seed}-{'-'.join(map(str, self.sizes))}-{ours}"
        self._empty = folder / "empty"
        self._answers: dict[int, dict[job.Day, job.Totals]] = {}

    def get(self, events: int) -> Load:
        """The first `events` of this load."""
        if not self._answers:
            kept = self._home.with_name(f"{self._home.name}.answers")
            if kept.exists():
                self._answers = pickle.loads(kept.read_bytes())
            else:
                shutil.rmtree(self._home, ignore_errors=True)
                self._make()
                kept.write_bytes(pickle.dumps(self._answers))
        return Load(self._home, self._topic(events), events, self._answers[events])

    def empty(self) -> Path:
        """A folder with the topics and nothing in them."""
        if not (self._empty / "made").exists():
            shutil.rmtree(self._empty, ignore_errors=True)
            with _filling(self._empty):
                pass
            (self._empty / "made").touch()
        return self._empty

    def _topic(self, events: int) -> str:
        return job.INPUT if events == self.ours else f"{job.INPUT}-{events}"

    def _make(self) -> None:
        began = time.monotonic()
        with _filling(self._home) as kafka:
            admin = AdminClient({"bootstrap.servers": kafka, "log_level": 0})
            more = [NewTopic(self._topic(n), job.PARTITIONS, 1) for n in self.sizes if n != self.ours]
            for made in admin.create_topics(more).values() if more else ():
                made.result(30)
            for n in self.sizes:
                offline = job.Offline()
                publish_records(kafka, self._records(n, offline))
                self._answers[n] = offline.days()
        told = ", ".join(f"{n:,}" for n in self.sizes)
        self.say(f"{told} events of {self.users:,} users are in topics ({time.monotonic() - began:.0f} s)")

    def _records(self, n: int, offline: job.Offline) -> Iterator[Record]:
        for key, value in islice(job.events(self.sizes[-1], self.users, self.seed), n):
            offline.add(value)
            yield Record(self._topic(n), key, value)


@contextmanager
def _filling(folder: Path) -> Iterator[str]:
    """A broker of a new folder, with Daybook's topics; stopped properly, so that copies of the folder start quickly."""
    stack = Stack(folder, say=lambda _: None, kafka=STEADY)
    try:
        kafka = stack.up(["kafka"]).kafka
        topics.migrate(kafka, job.PARTITIONS, lambda _: None)
        stamp_by_broker(kafka, job.OUTPUT)
        yield kafka
    finally:
        stack.down()


def stamp_by_broker(kafka: str, topic: str) -> None:
    """Have the broker's clock stamp what is appended: whatever times the peers write, the end is read on one clock."""
    entry = ConfigEntry("message.timestamp.type", "LogAppendTime", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": kafka, "log_level": 0})
    admin.incremental_alter_configs([resource])[resource].result()


class Broker(NamedTuple):
    """Where it is, and its process."""

    kafka: str
    pid: int

    def cpu_s(self) -> float:
        """CPU seconds that it has used so far."""
        times = psutil.Process(self.pid).cpu_times()
        return float(times.user + times.system)


@contextmanager
def broker(load: Path, work: Path, core: int | None) -> Iterator[Broker]:
    """A broker on a copy of the load's folder, pinned away from the peer; thrown away afterwards."""
    home = work / "broker"
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(load, home)
    stack = Stack(home, say=lambda _: None, kafka=STEADY)
    try:
        kafka = stack.up(["kafka"]).kafka
        pid = next(status.pid or 0 for status in stack.status() if status.name == "kafka")
        pin(pid, core)
        yield Broker(kafka, pid)
    finally:
        with suppress(StackError):  # it may not have started at all
            stack.kill("kafka", signal.SIGKILL)
        stack.down()
        shutil.rmtree(home, ignore_errors=True)
