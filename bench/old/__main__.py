"""`python -m bench.old`: freshness of live events without and with an import of three-year-old events beside them.

A whole Daybook on this machine. The importing users have a history that has left the worker, so their import waits for
the loader. Freshness is the time from sending a live event to its day's row on the topic `daily`, read committed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import confluent_kafka

from daybook import running, sinking, waiting
from daybook.settings import Settings
from schemas.loads import FLOOR
from schemas.rows import decode_daily
from schemas.topics import DAILY, LEDGER, LOADS

PARTITIONS = 4


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def water(user: str, at: str, entity: str) -> bytes:
    event = {"specversion": "1.0", "id": entity, "source": "ios/5.2.0", "type": "water.logged", "subject": user}
    return json.dumps(event | {"time": at, "data": {"ml": 250}}).encode()


def noon(day: date, minute: int = 0) -> str:
    return f"{day}T{12 + minute // 60 % 12:02}:{minute % 60:02}:00+00:00"


class Feed:
    """A producer that keeps a rate."""

    def __init__(self, kafka: str) -> None:
        self._producer = confluent_kafka.Producer(
            {"bootstrap.servers": kafka, "linger.ms": 1, "partitioner": "murmur2_random", "acks": "all"}
        )

    def send(self, events: Iterator[tuple[str, bytes]], per_s: float | None = None) -> int:
        began, n = time.monotonic(), 0
        for n, (user, event) in enumerate(events, 1):
            while True:
                try:
                    self._producer.produce("body", event, user.encode())
                    break
                except BufferError:
                    self._producer.poll(0.1)
            self._producer.poll(0)
            if per_s is not None and (early := began + n / per_s - time.monotonic()) > 0:
                time.sleep(early)
        self._producer.flush(60)
        return n


class Watch:
    """Reads daily rows as they come and notes how old the live ones are."""

    def __init__(self, kafka: str) -> None:
        self.ages_ms: list[float] = []
        self._stop = threading.Event()
        self._consumer = consumer(kafka)
        ends = [
            confluent_kafka.TopicPartition(
                DAILY.name,
                p,
                self._consumer.get_watermark_offsets(confluent_kafka.TopicPartition(DAILY.name, p), timeout=10)[1],
            )
            for p in range(PARTITIONS)
        ]
        self._consumer.assign(ends)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            message = self._consumer.poll(0.1)
            if message is not None and message.error() is None and (message.key() or b"").startswith(b"live"):
                row = decode_daily(message.value() or b"")
                if row.last_event_ms is not None:
                    self.ages_ms.append(time.time() * 1000 - row.last_event_ms)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._consumer.close()


def consumer(kafka: str) -> confluent_kafka.Consumer:
    return confluent_kafka.Consumer(
        {
            "bootstrap.servers": kafka,
            "group.id": "bench",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 5,
        }
    )


def keys(kafka: str, topic: str) -> list[bytes]:
    """Keys of all committed records."""
    reader = consumer(kafka)
    reader.assign([confluent_kafka.TopicPartition(topic, p, 0) for p in range(PARTITIONS)])
    ends = {
        p: reader.get_watermark_offsets(confluent_kafka.TopicPartition(topic, p), timeout=10)[1]
        for p in range(PARTITIONS)
    }
    found, left = [], {p for p, end in ends.items() if end}
    while left:
        for message in reader.consume(10_000, 0.1):
            if not message.error():
                found.append(message.key() or b"")
        for tp in reader.position([confluent_kafka.TopicPartition(topic, p) for p in left]):
            if tp.offset >= ends[tp.partition]:
                left.discard(tp.partition)
    reader.close()
    return found


def evict(settings: Settings, feed: Feed, users: set[str], today: date) -> None:
    """Wait until something of each of these users has left the worker."""
    kafka, deadline = settings.address("kafka"), time.monotonic() + 300
    while True:
        floored = {key.split(b"\0")[2].decode() for key in keys(kafka, LEDGER.name) if key.startswith(FLOOR)}
        if users <= floored:
            return
        if time.monotonic() > deadline:
            raise SystemExit(f"bench: nothing has left the worker of {len(users - floored)} users after 300 s")
        stamp = time.time_ns()
        feed.send((f"walker {n}", water(f"walker {n}", noon(today), f"{stamp} {n}")) for n in range(200))
        time.sleep(1)


def live(users: int, seconds: float, per_s: float) -> Iterator[tuple[str, bytes]]:
    """Each to another user in turn, timed when it is sent."""
    for n in range(int(seconds * per_s)):
        user = f"live {n % users}"
        yield user, water(user, datetime.now(UTC).isoformat(timespec="milliseconds"), f"live {time.time_ns()}")


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def phase(kafka: str, args: argparse.Namespace, seconds: float) -> dict[str, float]:
    watch = Watch(kafka)
    time.sleep(1)
    sent = Feed(kafka).send(live(args.live_users, seconds, args.live_per_s), args.live_per_s)
    time.sleep(3)
    watch.close()
    ages = watch.ages_ms
    shares = {"p50_ms": 0.5, "p99_ms": 0.99, "max_ms": 1.0}
    return {"sent": sent, "rows": len(ages)} | {name: round(percentile(ages, s), 1) for name, s in shares.items()}


def main() -> None:
    ask = argparse.ArgumentParser(prog="python -m bench.old", description=__doc__)
    ask.add_argument("--import-events", type=int, default=100_000)
    ask.add_argument("--import-users", type=int, default=50)
    ask.add_argument("--import-per-s", type=float, default=2_000)
    ask.add_argument("--history", type=int, default=400, help="old entities of an importing user")
    ask.add_argument("--live-users", type=int, default=1_000)
    ask.add_argument("--live-per-s", type=float, default=100)
    args = ask.parse_args()
    os.environ["DAYBOOK_QUIET_S"] = "10"  # of the workers that are started here
    today = datetime.now(UTC).date()
    seconds = args.import_events / args.import_per_s
    with tempfile.TemporaryDirectory(prefix="daybook-bench-") as name:
        folder = Path(name) / "data"
        try:
            settings = running.up(folder, PARTITIONS, say)
            kafka = settings.address("kafka")
            feed = Feed(kafka)
            importing = [f"importing {n}" for n in range(args.import_users)]
            old = today - timedelta(days=100)
            feed.send((u, water(u, noon(old, n), f"old {n}")) for u in importing for n in range(args.history))
            feed.send((f"live {n}", water(f"live {n}", noon(old), "old")) for n in range(args.live_users))
            waiting.until_visible(kafka, list(sinking.groups().values()), 120)
            evict(settings, feed, {*importing, *(f"live {n}" for n in range(args.live_users))}, today)
            say(f"the history of {args.import_users + args.live_users:,} users has left the worker")
            phase(kafka, args, 10)  # everything is warm after it
            without = phase(kafka, args, seconds)
            say(f"without: {without}")
            began = time.monotonic()
            long_ago = today - timedelta(days=3 * 365)
            imported = (
                (u, water(u, noon(long_ago + timedelta(days=n // 24), n), f"imported {n}"))
                for n in range(args.import_events // args.import_users)
                for u in importing
            )
            importer = threading.Thread(target=Feed(kafka).send, args=(imported, args.import_per_s))
            importer.start()
            beside = phase(kafka, args, seconds)
            importer.join()
            waiting.until_visible(kafka, list(sinking.groups().values()), 300)
            took = time.monotonic() - began
            say(f"with: {beside}")
            asked = len([key for key in keys(kafka, LOADS.name) if key])
        finally:
            running.down(folder, say)
    result = {
        "import_events": args.import_events,
        "import_users": args.import_users,
        "import_per_s": args.import_per_s,
        "live_per_s": args.live_per_s,
        "without": without,
        "with": beside,
        "loads": asked,
        "import_visible_everywhere_s": round(took, 1),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
