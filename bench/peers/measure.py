"""One run of one peer: a fresh broker with the load in it, the peer pinned to one core, and what came of it.

Nothing is asked of the peer. The end is the append time of its last row, on the broker's clock; the rows themselves are
read afterwards and compared with the offline answer.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import confluent_kafka
import psutil
from confluent_kafka.admin import AdminClient

from bench.peers.job import OUTPUT, PARTITIONS, Day, Totals, row_of
from bench.peers.peers import Peer, Say
from stack.stack import Stack

QUIET_S = 4.0
"""No new row for so long: the peer is done, or stuck, and the rows say which."""
FIRST_ROW_S = 90.0
LONGEST_S = 300.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run came to."""

    seconds: float
    """From the start of the process to its last row."""
    cpu_s: float
    """Of all its processes, up to then."""
    peak_mib: float
    rows: int
    wrong: int
    """User-days that differ from the offline answer, are missing or should not be."""
    restart_s: float | None = None
    """From the restart after kill -9 to the next row."""


@contextmanager
def broker(load: Path, work: Path, cores: list[int]) -> Iterator[str]:
    """A broker on a copy of the load's folder, pinned away from the peer."""
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(load, work)
    stack = Stack(work, say=lambda _: None)
    try:
        kafka = stack.up(["kafka"]).kafka
        for status in stack.status():
            if status.name == "kafka" and status.pid and len(cores) > 1:
                pin(status.pid, cores[0])
        yield kafka
    finally:
        stack.down()
        shutil.rmtree(work, ignore_errors=True)


def pin(pid: int, core: int) -> None:
    """Pin a process with all its threads to one core."""
    if hasattr(os, "sched_setaffinity"):
        for thread in psutil.Process(pid).threads():
            os.sched_setaffinity(thread.id, {core})


class Watch:
    """The processes of a peer: their CPU time and memory, sampled."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self.peak = 0
        self._cpu: dict[int, float] = {}

    def sample(self) -> float:
        """CPU seconds so far, of ended children too."""
        memory = 0
        for process in [self._root, *self._root.children(recursive=True)]:
            try:
                times = process.cpu_times()
                self._cpu[process.pid] = times.user + times.system
                memory += process.memory_info().rss
            except psutil.Error:
                continue
        self.peak = max(self.peak, memory)
        return sum(self._cpu.values())


def start(peer: Peer, kafka: str, group: str, state: Path, core: int | None, say: Say) -> subprocess.Popen[bytes]:
    """The peer's process, a group of its own, its output in a file beside its state."""
    state.mkdir(parents=True, exist_ok=True)
    command = peer.command(kafka, group, state, say)
    if core is not None and shutil.which("taskset"):
        command = ["taskset", "-c", str(core), *command]
    log = (state.parent / f"{peer.name}.log").open("ab")
    return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, cwd=Path(__file__).parents[2])


def stop(process: subprocess.Popen[bytes]) -> None:
    """Whatever is left of it."""
    for sent in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sent)
            process.wait(10)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


class Rows:
    """The end of the output topic, asked of the broker."""

    def __init__(self, kafka: str) -> None:
        self.kafka = kafka
        self._admin = AdminClient({"bootstrap.servers": kafka, "log_level": 0})
        self._end = 0
        self._parts = [confluent_kafka.TopicPartition(OUTPUT, p) for p in range(PARTITIONS)]

    def end(self) -> int:
        """Records in the topic, markers of transactions included."""
        asked = self._admin.list_offsets({part: confluent_kafka.admin.OffsetSpec.latest() for part in self._parts})
        with suppress(confluent_kafka.KafkaException):  # a broker that has just started; asked again in a moment
            self._end = sum(future.result().offset for future in asked.values())
        return self._end

    def read(self) -> tuple[dict[Day, Totals], int, float]:
        """The last row of every user-day, how many there were, and when the last one was appended."""
        consumer = confluent_kafka.Consumer(
            {
                "bootstrap.servers": self.kafka,
                "group.id": "bench-reader",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
            }
        )
        consumer.assign([confluent_kafka.TopicPartition(OUTPUT, p, 0) for p in range(PARTITIONS)])
        found: dict[Day, Totals] = {}
        left, rows, last = PARTITIONS, 0, 0
        while left:
            for message in consumer.consume(10_000, 10):
                if message.error():
                    left -= 1
                elif message.value() is not None:
                    day, totals = row_of(message.value())
                    found[day] = totals
                    rows += 1
                    last = max(last, message.timestamp()[1])
        consumer.close()
        return found, rows, last / 1000


def differences(found: dict[Day, Totals], answer: dict[Day, Totals]) -> int:
    """User-days that are not as they should be; a row of zeros equals no row."""
    return sum(
        found.get(day, Totals(0, 0, 0, 0, 0)) != answer.get(day, Totals(0, 0, 0, 0, 0)) for day in {*found, *answer}
    )


def run(
    peer: Peer,
    load: Path,
    answer: dict[Day, Totals],
    work: Path,
    cores: list[int],
    say: Say,
    kill_after: float | None = None,
) -> Outcome:
    """One run. `kill_after`: share of the expected rows after which the peer is killed with -9 and started again."""
    core = cores[-1] if len(cores) > 1 else None
    with broker(load, work / "broker", cores) as kafka:
        rows, state = Rows(kafka), work / "state"
        shutil.rmtree(state, ignore_errors=True)
        began = time.time()
        process = start(peer, kafka, "bench", state, core, say)
        restart_s: float | None = None
        try:
            watch, end, changed, cpu, at_kill = Watch(process.pid), 0, began, 0.0, 0.0
            while True:
                time.sleep(0.25)
                now, used, found = time.time(), watch.sample(), rows.end()
                if found != end:
                    if at_kill and restart_s is None:
                        restart_s = now - at_kill
                    end, changed, cpu = found, now, used
                if kill_after is not None and not at_kill and end > kill_after * len(answer):
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
                    at_kill, end = time.time(), rows.end()
                    process = start(peer, kafka, "bench", state, core, say)
                    watch = Watch(process.pid)
                if process.poll() is not None:
                    break
                if now - began > LONGEST_S or now - changed > (
                    QUIET_S if end and not (at_kill and restart_s is None) else FIRST_ROW_S
                ):
                    break
        finally:
            stop(process)
        got, count, last = rows.read()
    return Outcome(last - began, cpu, watch.peak / 2**20, count, differences(got, answer), restart_s)
