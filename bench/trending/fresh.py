"""How long from a view to the list that shows it: a whole Daybook on this machine, views flowing beside.

Again and again three users of a region of their own see a new video; Redis is asked for that region's list until the
video is on it. That is one fetch, stage one's flush, stage two's flush, the sink's batch and the write to Redis.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import confluent_kafka
import psutil
import redis

from api.publisher import IN_FLIGHT, LINGER_MS
from bench.trending.load import views
from daybook import running
from sinks.redis.trending import keys

PROBE_REGION = "IS"
PATIENCE_S = 30.0
LATE = 5.0
_TOPICS = ("trending-counts", "trending")
_PROBE = re.compile(rb"probe(\d+)")


class Freshness(NamedTuple):
    """What was measured."""

    per_second: float
    """Views that were taken beside."""
    seconds: list[float]
    """Of each probe, ascending; LATE of those that had not come."""
    cores: list[tuple[str, float]]
    """What each process took meanwhile, the hungriest first; the load's generator is one of them."""
    steps: list[tuple[str, list[float]]]
    """Per step of the way, how long it took [s], ascending; of the probes that came."""

    def at(self, share: float) -> float:
        """A quantile."""
        return self.seconds[min(len(self.seconds) - 1, int(share * len(self.seconds)))]


def measure(rate: int, probes: int, users: int) -> Freshness:
    """Start everything in a folder that goes again, and watch; stops it also when told to end (SIGTERM)."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(f"ended by signal {number}"))
    with tempfile.TemporaryDirectory(prefix="daybook-bench-") as folder:
        settings = running.up(Path(folder), None, lambda line: print(line, file=sys.stderr, flush=True))
        try:
            return _watched(Path(folder), settings.address("kafka"), settings.address("redis"), rate, probes, users)
        finally:
            running.down(Path(folder), lambda line: None)


def _producer(kafka: str) -> confluent_kafka.Producer:
    """As the HTTP service's (api/publisher.py)."""
    return confluent_kafka.Producer(
        {
            "bootstrap.servers": kafka,
            "linger.ms": LINGER_MS,
            "partitioner": "murmur2_random",
            "compression.type": "lz4",
            "max.in.flight.requests.per.connection": IN_FLIGHT,
        }
    )


def _spent(folder: Path) -> dict[str, float]:
    """CPU seconds that each process of this folder, and this one, has had."""
    found = {"load": sum(psutil.Process().cpu_times()[:2])}
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = process.cmdline()
            if process.pid != os.getpid() and any(str(folder) in word for word in words):
                role = words[words.index("--role") + 1] if "--role" in words else process.name()
                found[role] = found.get(role, 0.0) + sum(process.cpu_times()[:2])
    return found


def _watched(folder: Path, kafka: str, url: str, rate: int, probes: int, users: int) -> Freshness:
    stop, sent = threading.Event(), [0]
    feeding = threading.Thread(target=_feed, args=(kafka, rate, users, stop, sent), daemon=True)
    producer, seconds = _producer(kafka), []
    name = keys("videos", PROBE_REGION, "1h")[0]
    watch = _Watch(kafka)
    with redis.Redis.from_url(url, decode_responses=True) as store:
        _probe(producer, store, name, -1, PATIENCE_S)  # everything is under way
        feeding.start()
        time.sleep(5.0)
        began, before, spent = time.monotonic(), sent[0], _spent(folder)
        sent_at = []
        for number in range(probes):
            sent_at.append(time.time())
            seconds.append(_probe(producer, store, name, number, LATE))
            time.sleep(0.05 + 0.3 * (number % 7) / 7)  # at no fixed place of any interval
        took = time.monotonic() - began
        per_second = (sent[0] - before) / took
        cores = [(name, (now - spent.get(name, 0.0)) / took) for name, now in _spent(folder).items()]
    stop.set()
    feeding.join()
    watch.end()
    steps = watch.steps(sent_at, seconds)
    return Freshness(per_second, sorted(seconds), sorted(cores, key=lambda one: -one[1]), steps)


class _Watch:
    """Reads two topics as any reader of committed records does, and notes when it is told of a probe."""

    def __init__(self, kafka: str) -> None:
        self.begun: dict[str, dict[int, list[float]]] = {topic: {} for topic in _TOPICS}
        """Topic → probe → when the transactions began that tell of it [s since 1970], in the order of their coming."""
        self.seen: dict[str, dict[int, list[float]]] = {topic: {} for topic in _TOPICS}
        """When they could be read."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, args=(kafka,), daemon=True)
        self._thread.start()

    def _read(self, kafka: str) -> None:
        reader = confluent_kafka.Consumer(
            {"bootstrap.servers": kafka, "group.id": "bench", "isolation.level": "read_committed"}
        )
        known = reader.list_topics().topics
        reader.assign(
            [
                confluent_kafka.TopicPartition(topic, number, confluent_kafka.OFFSET_END)
                for topic in _TOPICS
                for number in known[topic].partitions
            ]
        )
        while not self._stop.is_set():
            for record in reader.consume(1_000, 0.02):
                now, topic = time.time(), record.topic() or ""
                if not record.error():
                    for name in set(_PROBE.findall(record.value() or b"")):
                        self.begun[topic].setdefault(int(name), []).append(record.timestamp()[1] / 1000)
                        self.seen[topic].setdefault(int(name), []).append(now)
        reader.close()

    def end(self) -> None:
        self._stop.set()
        self._thread.join()

    def steps(self, sent_at: list[float], seconds: list[float]) -> list[tuple[str, list[float]]]:
        """Where the time of each probe went that came: each step's times, ascending."""
        counts, lists = self.seen["trending-counts"], self.seen["trending"]
        came = [n for n, took in enumerate(seconds) if took < LATE and len(counts.get(n, ())) > 2 and lists.get(n)]
        begun = {topic: {n: told[n] for n in came} for topic, told in self.begun.items()}
        way = {
            "views to the last of their counts": [begun["trending-counts"][n][2] - sent_at[n] for n in came],
            "until it can be read": [counts[n][2] - begun["trending-counts"][n][2] for n in came],
            "to the list": [begun["trending"][n][0] - counts[n][2] for n in came],
            "until that can be read": [lists[n][0] - begun["trending"][n][0] for n in came],
            "to Redis": [sent_at[n] + seconds[n] - lists[n][0] for n in came],
        }
        return [(name, sorted(took)) for name, took in way.items()]


def _feed(kafka: str, rate: int, users: int, stop: threading.Event, sent: list[int]) -> None:
    """Views at this rate, until told to stop."""
    producer, began = _producer(kafka), time.monotonic()
    for key, value in views(10**9, users, int(time.time() * 1000), rate, hot=0.0):
        while True:
            try:
                producer.produce("views", value, key)
                break
            except BufferError:
                producer.poll(0.05)
        sent[0] += 1
        if sent[0] % 100 == 0:
            producer.poll(0)
            ahead = sent[0] / rate - (time.monotonic() - began)
            if ahead > 0:
                time.sleep(ahead)
            if stop.is_set():
                break
    producer.flush(10)


def _probe(producer: confluent_kafka.Producer, store: redis.Redis, name: str, number: int, patience_s: float) -> float:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    video = f"probe{number}"
    for user in range(3):
        head = f'"specversion":"1.0","id":"{video}-{user}","source":"bench/1","type":"view.recorded"'
        shown = f'"content":"{video}","region":"{PROBE_REGION}","watched_s":60'
        who = f"prober{number}-{user}"
        event = f'{{{head},"subject":"{who}","time":"{at}","data":{{{shown}}}}}'
        producer.produce("views", event.encode(), who.encode())
    producer.flush(5)
    began = time.monotonic()
    while (took := time.monotonic() - began) < patience_s:
        if store.zscore(name, video) is not None:
            return took
        time.sleep(0.01)
    return patience_s
