"""From an event's time to be sent until a reader of committed rows has the row that counts it, at a steady pace.

The pace is held whatever the peer does, and a time counts from when the event was to be sent (Tene, "How NOT to Measure
Latency": coordinated omission). The load has no edits, so the row with k meals is the first that counts the k-th.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import confluent_kafka

from bench.peers.install import Say
from bench.peers.job import INPUT, OUTPUT, PARTITIONS, Day, day_of, events, row_of
from bench.peers.loads import broker
from bench.peers.peers import Peer
from bench.peers.process import Running
from bench.peers.rates import quantile
from bench.peers.rows import consumer

PACE = 5_000
"""Events a second."""
WARM_S, SECONDS = 20, 15
"""Not counted, and counted. A broker on one core that has just started is busy with compiling itself at first."""
LINGER_MS = 5
"""How long the sender gathers: the default of Kafka's own producer since 4.0 (KIP-1030). With 1 ms the broker gets a
thousand requests a second, and its core, not the peer's, is what everybody waits for."""
LATE_S = 5.0
"""How long rows may take after the last event; what is not told of by then is behind."""
READY_S = 90.0
HELLOS = 64


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds; None where more than one event in a hundred got no row in time."""

    p50_ms: float | None
    p99_ms: float | None
    behind: int
    """Events that no row told of, of those that count."""


class Told:
    """Which meal of a user-day was to be sent when, and when a row told of it."""

    def __init__(self, log: list[tuple[bytes, bytes]]) -> None:
        self.meals: dict[Day, list[int]] = defaultdict(list)
        for i, (_, value) in enumerate(log):
            self.meals[day_of(value)].append(i)
        self.at: list[float | None] = [None] * len(log)
        self.left = len(log)
        self._told: dict[Day, int] = defaultdict(int)

    def row(self, day: Day, meals: int, now: float) -> None:
        """A row was read."""
        for i in self.meals.get(day, [])[self._told[day] : meals]:
            self.at[i] = now
            self.left -= 1
        self._told[day] = max(self._told[day], meals)

    def latency(self, due: list[float], begin: int) -> Latency:
        """Of the events from number `begin` on; `due`: when each was to be sent."""
        waits = sorted(at - due[i] for i, at in enumerate(self.at) if at is not None and i >= begin)
        behind = len(due) - begin - len(waits)
        if behind > (len(due) - begin) / 100 or not waits:
            return Latency(None, None, behind)
        return Latency(1000 * quantile(waits, 0.5), 1000 * quantile(waits, 0.99), behind)


def measure(
    peer: Peer, empty: Path, users: int, seed: int, work: Path, cores: tuple[int | None, int | None], say: Say
) -> Latency:
    """Run it on empty topics until it answers, then at the pace."""
    log = list(events(PACE * (WARM_S + SECONDS), users, seed, edited=0.0))
    told, hello = Told(log), Told(_hellos(users))
    with broker(empty, work, cores[0]) as (kafka, _):
        runs = Running(peer, kafka, INPUT, work, cores[1], say)
        reader = consumer(kafka)
        reader.assign([confluent_kafka.TopicPartition(OUTPUT, p, 0) for p in range(PARTITIONS)])
        done = threading.Event()
        thread = threading.Thread(target=_read, args=(reader, (hello, told), done))
        thread.start()
        try:
            producer = confluent_kafka.Producer({"bootstrap.servers": kafka, "linger.ms": LINGER_MS, "log_level": 0})
            for key, value in _hellos(users):
                producer.produce(INPUT, value, key)
            producer.flush()
            _wait(hello, READY_S, runs)
            due = _send(producer, log) if not hello.left else [0.0] * len(log)
            _wait(told, LATE_S if not hello.left else 0, runs)
        finally:
            runs.kill()
            done.set()
            thread.join()
            reader.close()
    return told.latency(due, PACE * WARM_S)


def _hellos(users: int) -> list[tuple[bytes, bytes]]:
    """Meals of people who are not in the load, in every partition: a peer that answers them has begun."""
    return [
        (key.replace(b"u_", b"w_"), value.replace(b'"subject":"u_', b'"subject":"w_'))
        for key, value in events(HELLOS, users, seed=0, edited=0.0)
    ]


def _wait(told: Told, seconds: float, runs: Running) -> None:
    deadline = time.monotonic() + seconds
    while told.left and time.monotonic() < deadline and runs.ended() is None:
        time.sleep(0.05)


def _send(producer: confluent_kafka.Producer, log: list[tuple[bytes, bytes]]) -> list[float]:
    began = time.perf_counter() + 0.1
    due = [began + i / PACE for i in range(len(log))]
    for at, (key, value) in zip(due, log, strict=True):
        while (early := at - time.perf_counter()) > 0:
            time.sleep(min(early, 0.002))
        while True:
            try:
                producer.produce(INPUT, value, key)
                break
            except BufferError:  # the broker takes it no faster: the events behind it are late, and count so
                producer.poll(0.1)
        producer.poll(0)
    producer.flush()
    return due


def _read(reader: confluent_kafka.Consumer, all_told: tuple[Told, ...], done: threading.Event) -> None:
    while not done.is_set():
        message = reader.poll(0.05)  # one by one: consume() would wait until it has many
        if message is not None and not message.error() and (value := message.value()) is not None:
            now = time.perf_counter()
            day, totals = row_of(value)
            for told in all_told:
                told.row(day, totals.meals, now)
