"""`make bench-daily`: N meals are in Kafka already; one worker, pinned to one core, folds them; the result is checked.

The rate is taken from Kafka itself: append times of the first and last position record in the ledger's changelog, and
the events in between. Start-up and the first transaction are not in it, every later transaction is.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import confluent_kafka
import psutil

from bench.daily.truth import check, load, read_all
from bench.daily.worker import PARTITIONS
from daybook import topics
from schemas.positions import decode_position, is_position
from schemas.topics import DAILY, DAILY_APP, LEDGER
from stack.stack import Stack


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def folded(kafka: str, partitions: int = PARTITIONS) -> int:
    """How many source events the stream has committed."""
    consumer = confluent_kafka.Consumer({"bootstrap.servers": kafka, "group.id": DAILY_APP})
    try:
        asked = [confluent_kafka.TopicPartition("meals", p) for p in range(partitions)]
        return sum(max(tp.offset, 0) for tp in consumer.committed(asked, timeout=10))
    finally:
        consumer.close()


class Cost(NamedTuple):
    """What folding everything took."""

    events_per_second: float
    cpu_s_per_million: float
    """Of all workers, start-up included."""
    memory_mib: float
    """Resident, of all workers, after the last event."""


def run(kafka: str, events: int, cores: list[int | None], partitions: int = PARTITIONS) -> Cost:
    """Fold everything, with a worker on each of `cores`."""
    workers = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "bench.daily.worker", kafka, "" if core is None else str(core)),
                *(f"bench-{number}", str(partitions)),
            ]
        )
        for number, core in enumerate(cores)
    ]
    try:
        processes = [psutil.Process(worker.pid) for worker in workers]
        began = time.monotonic()
        while (done := folded(kafka, partitions)) < events:
            for worker in workers:
                if worker.poll() is not None:
                    raise SystemExit(f"bench: a worker ended with {worker.returncode}")
            if time.monotonic() - began > 300:
                raise SystemExit(f"bench: {done} of {events} events after 300 s")
            time.sleep(1)
        cpu = sum(times.user + times.system for times in (process.cpu_times() for process in processes))
        memory = sum(process.memory_info().rss for process in processes) / 2**20
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait(20)
    flushes: list[tuple[int, int, int]] = []
    before: dict[int, int] = defaultdict(int)
    for message in read_all(kafka, LEDGER.name):
        if is_position(message.key):
            topic, position = decode_position(message.key, message.value)
            if topic == "meals":
                fresh = position.received - before[message.partition]
                before[message.partition] = position.received
                flushes.append((message.ms, fresh, position.applied))
    if sum(before.values()) != events:
        raise SystemExit(f"bench: {sum(before.values())} events were counted, {events} were sent")
    flushes.sort()
    seconds = (flushes[-1][0] - flushes[0][0]) / 1000
    say(f"{len(flushes)} transactions, {events / len(flushes):.0f} events each")
    return Cost((events - flushes[0][1]) / seconds, cpu * 1e6 / events, memory)


def kafka_bytes(folder: Path, topic: str) -> int:
    """What the broker of a stack's folder holds of a topic, as it lies on its disk, before any compaction."""
    logs = (folder / "kafka" / "log").glob(f"{topic}-*/*.log")
    return sum(file.stat().st_size for file in logs if file.parent.name.rpartition("-")[0] == topic)


def main() -> None:
    ask = argparse.ArgumentParser(prog="make bench-daily", description=__doc__)
    ask.add_argument("--events", type=int, default=1_000_000)
    ask.add_argument("--users", type=int, default=20_000)
    ask.add_argument("--seed", type=int, default=1)
    ask.add_argument("--workers", type=int, default=1, help="each on a core; the broker has the others")
    ask.add_argument("--partitions", type=int, default=PARTITIONS)
    ask.add_argument("--loaders", type=int, default=1, help="processes that fill Kafka and check the rows")
    args = ask.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers and workers are stopped
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    with tempfile.TemporaryDirectory(prefix="daybook-bench-") as folder:
        stack = Stack(Path(folder), say=say)
        try:
            kafka = stack.up(["kafka"]).kafka
            topics.migrate(kafka, args.partitions, say)
            energy = load(kafka, args.events, args.users, args.seed, args.loaders)
            say(f"{args.events:,} meals of {args.users:,} users are in Kafka")
            pinned = len(cores) > 1
            free = set(cores[: -args.workers] or cores[:1])
            if pinned:
                os.sched_setaffinity(0, free)  # looking at the workers must not cost them anything
                for status in stack.status():
                    if status.name == "kafka" and status.pid:
                        pin_tree(status.pid, *free)
            of_workers = [cores[-1 - n % len(cores)] if pinned else None for n in range(args.workers)]
            took = run(kafka, args.events, of_workers, args.partitions)
            if pinned:
                os.sched_setaffinity(0, cores)
            rows = check(kafka, args.events, energy, args.loaders)
            on_disk = {topic: kafka_bytes(Path(folder), topic) for topic in ("meals", LEDGER.name, DAILY.name)}
        finally:
            stack.down()
    result = {
        "events": args.events,
        "users": args.users,
        "workers": args.workers,
        "events_per_second": round(took.events_per_second),
        "worker_cpu_s_per_million": round(took.cpu_s_per_million, 2),
        "worker_memory_mib": round(took.memory_mib),
        "rows_written": rows,
        "kafka_bytes_per_row": round(on_disk[DAILY.name] / rows),
        "kafka_bytes_per_event": {topic: round(size / args.events) for topic, size in on_disk.items()},
        "partitions": args.partitions,
        "broker_cores": len(free),
        "pinned": pinned,
        "python": platform.python_version(),
        "machine": machine(),
    }
    print(json.dumps(result))


def pin_tree(pid: int, *cores: int) -> None:
    """Pin a process, its threads and its children to these cores."""
    for process in itertools.chain([psutil.Process(pid)], psutil.Process(pid).children(recursive=True)):
        for thread in process.threads():
            os.sched_setaffinity(thread.id, cores)


def machine() -> str:
    """The processor's name and how many of them there are."""
    info = Path("/proc/cpuinfo")
    names = (
        [line.partition(": ")[2] for line in info.read_text().splitlines() if line.startswith("model name")]
        if info.exists()
        else []
    )
    return f"{names[0] if names else platform.processor() or platform.machine()}, {os.cpu_count()} cores"


if __name__ == "__main__":
    main()
