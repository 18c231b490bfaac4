"""What the runtime's integration tests share: topics, a feed, worker processes, and what came out of Kafka."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from schemas.positions import Position, decode_position, is_position

COUNTING = Path(__file__).with_name("runtime_counting.py")
KEYS = 997


class Came(NamedTuple):
    """What a read-committed reader finds."""

    state: dict[bytes, bytes]
    rows: dict[bytes, bytes]
    positions: dict[tuple[str, int], Position]


class Job:
    """One counting stream with topics of its own on a shared broker."""

    def __init__(self, kafka: str, folder: Path, *, partitions: int = 4, sources: int = 1, **settings: Any) -> None:
        tag = uuid.uuid4().hex[:8]
        self.kafka, self.folder, self.partitions = kafka, folder, partitions
        self.app = f"count-{tag}"
        self.sources = [f"in{n}-{tag}" for n in range(sources)]
        self.out = f"out-{tag}"
        self.settings = {"session_timeout_s": 6.0, "heartbeat_interval_s": 1.0, "retry_pause_s": 0.05, **settings}
        self.truth: Counter[bytes] = Counter()
        self.workers: list[Worker] = []
        self.admin = AdminClient({"bootstrap.servers": kafka, "log_level": 0})
        self.make(*self.sources, self.out)

    @property
    def changelog(self) -> str:
        return f"{self.app}-counts-changelog"

    def make(self, *topics: str, partitions: int | None = None, **config: str) -> None:
        new = [NewTopic(topic, partitions or self.partitions, 1, config=config) for topic in topics]
        for future in self.admin.create_topics(new).values():
            future.result(10)

    def remake(self, topic: str) -> None:
        self.admin.delete_topics([topic])[topic].result(10)
        for _ in range(100):
            try:
                return self.make(topic)
            except Exception:
                time.sleep(0.1)
        raise AssertionError(f"{topic} cannot be made again")

    def feed(self, count: int, *, seconds: float = 0.0, values: bytes = b"x" * 100) -> None:
        """Send ``count`` records, spread over ``seconds``, the same key always to the same partition."""
        producer = Producer({"bootstrap.servers": self.kafka, "linger.ms": 5, "queue.buffering.max.messages": 10**6})
        began, first = time.monotonic(), self.truth.total()
        for i in range(first, first + count):
            number = i * 7919 % KEYS
            key = b"user%d" % number
            topic = self.sources[i % len(self.sources)]
            producer.produce(topic, values, key, partition=number % self.partitions)
            self.truth[key] += 1
            if i % 1000 == 0:
                producer.poll(0)
                time.sleep(max(0.0, began + seconds * (i - first) / count - time.monotonic()))
        assert producer.flush(30) == 0

    @contextmanager
    def feeding(self, count: int, seconds: float) -> Iterator[None]:
        """Feed in the background, and wait for the end of it."""
        thread = threading.Thread(target=self.feed, args=(count,), kwargs={"seconds": seconds})
        thread.start()
        try:
            yield
        finally:
            thread.join()

    def worker(self, name: str | None = None, **config: Any) -> Worker:
        given = {
            "app": self.app,
            "kafka": self.kafka,
            "partitions": self.partitions,
            "sources": self.sources,
            "out": self.out,
            "name": name,
            "settings": self.settings,
        }
        worker = Worker(given | config, self.folder / f"worker-{len(self.workers)}.log")
        self.workers.append(worker)
        return worker

    def close(self) -> None:
        for worker in self.workers:
            worker.kill()

    # -- what came out

    def lag(self) -> int:
        """Records that no committed position covers yet."""
        positions = self.came(rows=False).positions
        missing = 0
        for topic in self.sources:
            for number, end in self.ends(topic).items():
                position = positions.get((topic, number))
                missing += end - (position.next_offset if position else 0)
        return missing

    def wait_folded(self, timeout_s: float = 60.0) -> None:
        deadline = time.monotonic() + timeout_s
        while (lag := self.lag()) > 0:
            assert time.monotonic() < deadline, f"{lag} records are not folded after {timeout_s} s\n{self.logs()}"
            time.sleep(0.1)

    def ends(self, topic: str) -> dict[int, int]:
        reader = self._reader()
        try:
            return {
                number: reader.get_watermark_offsets(TopicPartition(topic, number), timeout=10)[1]
                for number in range(self.partitions)
            }
        finally:
            reader.close()

    def committed(self) -> dict[tuple[str, int], int]:
        """The group's offsets."""
        [asked] = self.admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(self.app)]).values()
        return {(tp.topic, tp.partition): tp.offset for tp in asked.result(10).topic_partitions if tp.offset >= 0}

    def came(self, *, rows: bool = True) -> Came:
        came = Came({}, {}, {})
        for number, key, value in self._read(self.changelog):
            if is_position(key):
                topic, position = decode_position(key, value)
                came.positions[topic, number] = position
            else:
                came.state[key] = value
        if rows:
            came.rows.update((key, value) for _, key, value in self._read(self.out))
        return came

    def assert_exact(self) -> None:
        """State, rows and positions say what was sent: nothing lost, nothing doubled, everything accounted for."""
        came = self.came()
        wrong = {
            key: (sent, int(came.state.get(key, b"0")))
            for key, sent in self.truth.items()
            if int(came.state.get(key, b"0")) != sent
        }
        assert not wrong, f"{len(wrong)} keys differ, (sent, counted): {dict(list(wrong.items())[:5])}"
        assert {key: int(row.split()[0]) for key, row in came.rows.items()} == dict(self.truth)
        total = self.truth.total()
        assert sum(position.received for position in came.positions.values()) == total
        assert sum(position.applied for position in came.positions.values()) == total

    def logs(self) -> str:
        return "\n".join(f"--- {worker.log.name}\n{worker.text()[-3000:]}" for worker in self.workers)

    def _reader(self) -> Consumer:
        return Consumer(
            {
                "bootstrap.servers": self.kafka,
                "group.id": "runtime-tests",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 10,
                "log_level": 0,
            }
        )

    def _read(self, topic: str) -> Iterator[tuple[int, bytes, bytes]]:
        reader = self._reader()
        try:
            numbers = reader.list_topics(topic, timeout=10).topics[topic].partitions
            reader.assign([TopicPartition(topic, number, 0) for number in numbers])
            left = set(numbers)
            while left:
                for message in reader.consume(1000, 0.05):
                    if message.error():
                        left.discard(message.partition())
                    else:
                        key, value = message.key(), message.value()
                        assert key is not None
                        assert value is not None
                        yield message.partition(), key, value
        finally:
            reader.close()


class Worker:
    """One worker process."""

    def __init__(self, config: dict[str, Any], log: Path) -> None:
        self.log = log
        command, environment = [str(COUNTING), json.dumps(config)], {}
        if config.get("by_faust"):
            command = ["-m", "faust", "-A", COUNTING.stem, "worker", "--loglevel", "info"]
            environment = {"RUNTIME_COUNTING": json.dumps(config), "F_DATADIR": str(log.parent)}
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, *command],
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=COUNTING.parent,
                env={**os.environ, **environment, "PYTHONPATH": f"{COUNTING.parent.parent}:{COUNTING.parent}"},
            )

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_line(self, part: str, count: int = 1, timeout_s: float = 30.0) -> None:
        deadline = time.monotonic() + timeout_s
        while self.text().count(part) < count:
            assert self.process.poll() is None, f"exited {self.process.returncode} before {part!r}\n{self.text()}"
            assert time.monotonic() < deadline, f"no line with {part!r}\n{self.text()}"
            time.sleep(0.05)

    def wait_ready(self, times: int = 1) -> None:
        self.wait_line("ready: partitions", times)

    def wait_exit(self, timeout_s: float = 30.0) -> int:
        return self.process.wait(timeout_s)

    def stop(self) -> int:
        self.process.terminate()
        return self.wait_exit()

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
