"""`python -m bench.progress`: N daily rows are in Kafka already; one worker, pinned to one core, folds them.

The rate is taken from Kafka itself, as bench.daily does: append times of the first and last position record in the
changelog, and the rows in between. The last row of some users is compared with the plain pass of producers/progress.py.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import zlib
from collections import defaultdict
from pathlib import Path

import confluent_kafka
import msgspec
import psutil

from bench.daily.__main__ import machine, pin_tree, read_all, say
from bench.progress.days import daily_rows
from bench.progress.worker import PARTITIONS
from daybook import topics
from producers.progress import progress_rows
from schemas.positions import decode_position, is_position
from schemas.progress import decode_progress
from schemas.rows import decode_daily
from schemas.tables import DAILY_COLUMNS
from schemas.topics import CELLS, DAILY, PROGRESS, PROGRESS_APP
from stack.stack import Stack

CHECKED = 50
"""Users whose rows are compared."""


def load(kafka: str, rows: int, users: int) -> dict[tuple[str, str], dict[str, object]]:
    """Put the rows into Kafka, each in its user's partition; returns the last ones of the users that are checked."""
    producer = confluent_kafka.Producer({"bootstrap.servers": kafka, "linger.ms": 50, "batch.size": 1 << 20})
    last: dict[tuple[str, str], dict[str, object]] = {}
    for key, value in daily_rows(rows, users):
        user = key.rpartition(b"|")[0]
        while True:
            try:
                producer.produce(DAILY.name, value, key, partition=zlib.crc32(user) % PARTITIONS)
                break
            except BufferError:
                producer.poll(0.1)
        if int(user[2:]) < CHECKED:
            row = decode_daily(value)
            last[row.user_id, row.date] = {c.name: getattr(row, c.field) for c in DAILY_COLUMNS[3:]}
    producer.flush()
    return last


def folded(kafka: str) -> int:
    """How many rows the stream has committed."""
    consumer = confluent_kafka.Consumer({"bootstrap.servers": kafka, "group.id": PROGRESS_APP})
    try:
        asked = [confluent_kafka.TopicPartition(DAILY.name, p) for p in range(PARTITIONS)]
        return sum(max(tp.offset, 0) for tp in consumer.committed(asked, timeout=10))
    finally:
        consumer.close()


def run(kafka: str, rows: int, core: int | None) -> tuple[float, float, int]:
    """Fold everything; returns rows a second, CPU seconds of the worker per million rows, transactions."""
    worker = subprocess.Popen([sys.executable, "-m", "bench.progress.worker", kafka, "" if core is None else str(core)])
    try:
        process, began = psutil.Process(worker.pid), time.monotonic()
        while (done := folded(kafka)) < rows:
            if worker.poll() is not None:
                raise SystemExit(f"bench: the worker ended with {worker.returncode}")
            if time.monotonic() - began > 300:
                raise SystemExit(f"bench: {done} of {rows} rows after 300 s")
            time.sleep(1)
        cpu = process.cpu_times()
    finally:
        worker.terminate()
        worker.wait(20)
    flushes: list[tuple[int, int]] = []
    before: dict[int, int] = defaultdict(int)
    for message in read_all(kafka, CELLS.name):
        if is_position(message.key()):
            position = decode_position(message.key(), message.value())[1]
            flushes.append((message.timestamp()[1], position.received - before[message.partition()]))
            before[message.partition()] = position.received
    flushes.sort()
    seconds = (flushes[-1][0] - flushes[0][0]) / 1000
    return (rows - flushes[0][1]) / seconds, (cpu.user + cpu.system) * 1e6 / rows, len(flushes)


def check(kafka: str, days: dict[tuple[str, str], dict[str, object]]) -> int:
    """Compare the last rows of some users with the plain pass; returns how many rows were written in all."""
    expected, written, found = progress_rows(days), 0, {}
    for message in read_all(kafka, PROGRESS.name):
        written += 1
        if message.key().decode() in expected:
            row = msgspec.to_builtins(decode_progress(message.value()))
            found[message.key().decode()] = {k: v for k, v in row.items() if k not in ("user_id", "version")}
    if found != expected:
        raise SystemExit(
            f"bench: {sum(found.get(u) != r for u, r in expected.items())} users differ from the plain pass"
        )
    return written


def main() -> None:
    ask = argparse.ArgumentParser(prog="python -m bench.progress", description=__doc__)
    ask.add_argument("--rows", type=int, default=1_000_000)
    ask.add_argument("--users", type=int, default=20_000)
    args = ask.parse_args()
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    with tempfile.TemporaryDirectory(prefix="daybook-bench-") as folder:
        stack = Stack(Path(folder), say=say)
        try:
            kafka = stack.up(["kafka"]).kafka
            topics.migrate(kafka, PARTITIONS, say)
            days = load(kafka, args.rows, args.users)
            say(f"{args.rows:,} daily rows of {args.users:,} users are in Kafka")
            pinned = len(cores) > 1
            if pinned:
                os.sched_setaffinity(0, {cores[0]})  # looking at the worker must not cost it anything
                for status in stack.status():
                    if status.name == "kafka" and status.pid:
                        pin_tree(status.pid, cores[0])
            rate, cpu, flushes = run(kafka, args.rows, cores[-1] if pinned else None)
            written = check(kafka, days)
        finally:
            stack.down()
    result = {
        "rows": args.rows,
        "users": args.users,
        "rows_per_second": round(rate),
        "worker_cpu_s_per_million": round(cpu, 2),
        "progress_rows_written": written,
        "transactions": flushes,
        "partitions": PARTITIONS,
        "pinned": pinned,
        "python": platform.python_version(),
        "machine": machine(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
