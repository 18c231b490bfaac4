"""`python -m bench.progress`: daily rows are in Kafka already; one worker, pinned to one core, folds them.

Twice: the rows that the daily stream itself makes of N meals there, measured as bench.daily does, so that both rates
and the rows per event between them say whether progress keeps up; and made-up rows with all that a day can say.

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
from typing import NamedTuple

import confluent_kafka
import msgspec
import psutil

from bench.daily import __main__ as daily
from bench.daily import truth
from bench.daily.__main__ import machine, pin_tree, say
from bench.daily.truth import read_all
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


def load(kafka: str, rows: int, users: int) -> None:
    """Put made-up rows into Kafka, each in its user's partition."""
    producer = confluent_kafka.Producer({"bootstrap.servers": kafka, "linger.ms": 50, "batch.size": 1 << 20})
    for key, value in daily_rows(rows, users):
        user = key.rpartition(b"|")[0]
        while True:
            try:
                producer.produce(DAILY.name, value, key, partition=zlib.crc32(user) % PARTITIONS)
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush()


class Loaded(NamedTuple):
    """What the topic `daily` holds."""

    rows: int
    end: int
    """Next offsets of all partitions, added up."""
    days: dict[tuple[str, str], dict[str, object]]
    """Last rows of the users that are checked."""


def loaded(kafka: str) -> Loaded:
    """Read the topic once."""
    rows, ends = 0, dict.fromkeys(range(PARTITIONS), 0)
    users: set[bytes] = set()
    days: dict[tuple[str, str], dict[str, object]] = {}
    for message in read_all(kafka, DAILY.name):
        rows += 1
        ends[message.partition] = message.offset + 1
        user = message.key.rpartition(b"|")[0]
        if user in users or len(users) < CHECKED:
            users.add(user)
            row = decode_daily(message.value)
            days[row.user_id, row.date] = {c.name: getattr(row, c.field) for c in DAILY_COLUMNS[3:]}
    return Loaded(rows, sum(ends.values()), days)


def folded(kafka: str) -> int:
    """How far the stream has committed: next offsets of all partitions, added up."""
    consumer = confluent_kafka.Consumer({"bootstrap.servers": kafka, "group.id": PROGRESS_APP})
    try:
        asked = [confluent_kafka.TopicPartition(DAILY.name, p) for p in range(PARTITIONS)]
        return sum(max(tp.offset, 0) for tp in consumer.committed(asked, timeout=10))
    finally:
        consumer.close()


def run(kafka: str, there: Loaded, core: int | None) -> tuple[float, float, int]:
    """Fold everything; returns rows a second, CPU seconds of the worker per million rows, transactions."""
    rows = there.rows
    worker = subprocess.Popen([sys.executable, "-m", "bench.progress.worker", kafka, "" if core is None else str(core)])
    try:
        process, began = psutil.Process(worker.pid), time.monotonic()
        while (done := folded(kafka)) < there.end:
            if worker.poll() is not None:
                raise SystemExit(f"bench: the worker ended with {worker.returncode}")
            if time.monotonic() - began > 300:
                raise SystemExit(f"bench: at offset {done} of {there.end} after 300 s")
            time.sleep(1)
        cpu = process.cpu_times()
    finally:
        worker.terminate()
        worker.wait(20)
    flushes: list[tuple[int, int]] = []
    before: dict[int, int] = defaultdict(int)
    for message in read_all(kafka, CELLS.name):
        if is_position(message.key):
            position = decode_position(message.key, message.value)[1]
            flushes.append((message.ms, position.received - before[message.partition]))
            before[message.partition] = position.received
    flushes.sort()
    seconds = (flushes[-1][0] - flushes[0][0]) / 1000
    return (rows - flushes[0][1]) / seconds, (cpu.user + cpu.system) * 1e6 / rows, len(flushes)


def check(kafka: str, days: dict[tuple[str, str], dict[str, object]]) -> int:
    """Compare the last rows of some users with the plain pass; returns how many rows were written in all."""
    expected, written, found = progress_rows(days), 0, {}
    for message in read_all(kafka, PROGRESS.name):
        written += 1
        if message.key.decode() in expected:
            row = msgspec.to_builtins(decode_progress(message.value))
            found[message.key.decode()] = {k: v for k, v in row.items() if k not in ("user_id", "version")}
    if found != expected:
        raise SystemExit(
            f"bench: {sum(found.get(u) != r for u, r in expected.items())} users differ from the plain pass"
        )
    return written


def measure(kafka: str, core: int | None) -> dict[str, float]:
    """Fold what the topic holds, and check it."""
    there = loaded(kafka)
    rate, cpu, flushes = run(kafka, there, core)
    return {
        "rows": there.rows,
        "rows_per_second": round(rate),
        "worker_cpu_s_per_million": round(cpu, 2),
        "progress_rows_written": check(kafka, there.days),
        "transactions": flushes,
    }


def of_meals(kafka: str, events: int, users: int, core: int | None) -> dict[str, float]:
    """The daily stream first, then progress on what it wrote."""
    energy = truth.load(kafka, events, users, 1)
    rate = daily.run(kafka, events, [core]).events_per_second
    per_event = truth.check(kafka, events, energy) / events
    found = measure(kafka, core)
    keeps_up = found["rows_per_second"] / per_event
    both = {"events_per_second": round(rate), "rows_per_event": round(per_event, 2)}
    return both | found | {"keeps_up_with_events_per_second": round(keeps_up)}


def of_whole_days(kafka: str, rows: int, users: int, core: int | None) -> dict[str, float]:
    """Made-up rows."""
    load(kafka, rows, users)
    return measure(kafka, core)


def main() -> None:
    ask = argparse.ArgumentParser(prog="python -m bench.progress", description=__doc__)
    ask.add_argument("--meals", type=int, default=1_000_000, help="0: no meals")
    ask.add_argument("--rows", type=int, default=1_000_000, help="made up; 0: none")
    ask.add_argument("--users", type=int, default=20_000)
    args = ask.parse_args()
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    result: dict[str, object] = {"users": args.users}
    for name, what, many in (("of_meals", of_meals, args.meals), ("of_whole_days", of_whole_days, args.rows)):
        if not many:
            continue
        with tempfile.TemporaryDirectory(prefix="daybook-bench-") as folder:
            stack = Stack(Path(folder), say=say)
            try:
                kafka = stack.up(["kafka"]).kafka
                topics.migrate(kafka, PARTITIONS, say)
                if len(cores) > 1:
                    os.sched_setaffinity(0, {cores[0]})  # looking at the worker must not cost it anything
                    for status in stack.status():
                        if status.name == "kafka" and status.pid:
                            pin_tree(status.pid, cores[0])
                result[name] = what(kafka, many, args.users, cores[-1] if len(cores) > 1 else None)
            finally:
                stack.down()
    about = {"partitions": PARTITIONS, "pinned": len(cores) > 1, "python": platform.python_version()}
    print(json.dumps(result | about | {"machine": machine()}))


if __name__ == "__main__":
    main()
