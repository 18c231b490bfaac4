"""`python -m bench.sinks.beside`: what Daybook costs the PostgreSQL that an application uses too.

pgbench (its own TPC-B-like script, at a fixed rate, in a database beside Daybook's on the same server) runs alone, then
beside a running pipeline: meals come at a fixed rate, the streams daily and progress fold them, the sink writes. Then
beside what Daybook takes off that server: a transaction for every meal that adds it to its day. Latencies are
pgbench's, from when a transaction was to begin; CPU seconds are those of all of PostgreSQL's processes. PostgreSQL and
pgbench have a core of their own, as if they were another machine; everything else shares the other.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

import sinks.migrate
from bench.daily.__main__ import machine, pin_tree
from bench.daily.truth import read_all
from bench.daily.worker import PARTITIONS
from bench.peers.job import EDITED, adds_of, answer, day_of, events
from bench.peers.rates import quantile
from bench.sinks.__main__ import cpu_s, say
from daybook import topics
from producers.publish import Record, publish_records
from schemas.topics import DAILY
from stack.postgres import program
from stack.stack import Stack

SHOP = "shop"
"""The database of the application that pgbench stands for."""
USERS = 20_000
WRITERS = 4
"""Connections that add meals one by one."""
_TOTALS = """
CREATE TABLE totals (user_id text, day date, energy_cal bigint, protein_mg bigint, carbs_mg bigint, fat_mg bigint,
                     meals bigint, PRIMARY KEY (user_id, day));
CREATE TABLE seen (entity text PRIMARY KEY)
"""
_ADD = """
WITH fresh AS (INSERT INTO seen VALUES (%s) ON CONFLICT DO NOTHING RETURNING entity)
INSERT INTO totals AS t SELECT %s, %s::date, %s, %s, %s, %s, %s FROM fresh
ON CONFLICT (user_id, day) DO UPDATE SET energy_cal = t.energy_cal + excluded.energy_cal,
  protein_mg = t.protein_mg + excluded.protein_mg, carbs_mg = t.carbs_mg + excluded.carbs_mg,
  fat_mg = t.fat_mg + excluded.fat_mg, meals = t.meals + excluded.meals
"""


class Rig:
    """The servers, and pgbench on one of them."""

    def __init__(self, stack: Stack, folder: Path, rate: int, seconds: int) -> None:
        at = stack.up(["kafka", "postgres"])
        self.kafka, self.postgres, self.folder, self.rate, self.seconds = at.kafka, at.postgres, folder, rate, seconds
        pids = {status.name: status.pid or 0 for status in stack.status()}
        self.pid = pids["postgres"]
        self.taskset: list[str] = []
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        if len(cores) > 1 and shutil.which("taskset"):
            pin_tree(self.pid, cores[-1])
            pin_tree(pids["kafka"], cores[0])
            os.sched_setaffinity(0, {cores[0]})
            self.taskset = ["taskset", "-c", str(cores[-1])]
        topics.migrate(self.kafka, PARTITIONS, lambda _: None)
        asyncio.run(sinks.migrate.migrate(self.postgres, None))
        with psycopg.connect(self.postgres, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {SHOP}")
            connection.execute(_TOTALS)
        self._pgbench("-i", "-q", "-s", "10")

    def phase(self, name: str, count: Callable[[], int]) -> dict[str, Any]:
        """pgbench for its seconds; `count`: how many events were taken so far."""
        for log in self.folder.glob("tx.*"):
            log.unlink()
        before, taken = cpu_s(self.pid), count()
        self._pgbench(
            *("-c", "4", "-j", "1", "-R", str(self.rate), "-T", str(self.seconds)),
            *("-n", "-l", f"--log-prefix={self.folder / 'tx'}"),
        )
        cpu, taken = cpu_s(self.pid) - before, count() - taken
        waits = sorted(
            int(line.split()[2]) / 1000 for log in self.folder.glob("tx.*") for line in log.read_text().splitlines()
        )
        found = {
            "beside": name,
            "events_per_second": round(taken / self.seconds),
            "postgres_cpu_s": round(cpu, 2),
            "transactions": len(waits),
            "p50_ms": round(quantile(waits, 0.5), 2),
            "p99_ms": round(quantile(waits, 0.99), 2),
        }
        say(json.dumps(found))
        return found

    def _pgbench(self, *arguments: str) -> None:
        parts = urlsplit(self.postgres)
        to = ("-h", parts.hostname or "", "-p", str(parts.port), "-U", parts.username or "")
        done = subprocess.run(
            [*self.taskset, str(program("pgbench")), *to, *arguments, SHOP],
            env={**os.environ, "PGPASSWORD": parts.password or ""},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise SystemExit(f"bench: pgbench: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")


@contextmanager
def pipeline(rig: Rig, rate: int) -> Iterator[Callable[[], int]]:
    """Workers, and meals at a rate for longer than anybody looks; gives how many were sent so far."""
    commands = (
        ("bench.daily.worker", rig.kafka, ""),
        ("bench.progress.worker", rig.kafka, ""),
        ("bench.sinks.run_postgres", rig.kafka, rig.postgres),
    )
    workers = [subprocess.Popen([sys.executable, "-m", *command]) for command in commands]
    log = list(events(rate * (rig.seconds + 60), USERS, edited=EDITED))
    sent, done = 0, threading.Event()

    def records() -> Iterator[Record]:
        nonlocal sent
        for key, value in log:
            if done.is_set():
                return
            sent += 1
            yield Record("meals", key, value)

    thread = threading.Thread(target=publish_records, args=(rig.kafka, records()), kwargs={"rate": rate})
    try:
        thread.start()
        deadline = time.monotonic() + 40
        while not stored(rig.postgres):
            if time.monotonic() > deadline or any(worker.poll() is not None for worker in workers):
                raise SystemExit("bench: no row came into PostgreSQL")
            time.sleep(0.5)
        time.sleep(3)
        yield lambda: sent
        done.set()
        thread.join()
        _check(rig, log[:sent])
    finally:
        done.set()
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait(30)


def stored(postgres: str) -> int:
    """Meals that PostgreSQL's daily rows tell of."""
    with psycopg.connect(postgres) as connection:
        found = connection.execute("SELECT coalesce(sum(meals_logged), 0)::bigint FROM user_metrics_daily").fetchone()
        return int(found[0]) if found else 0


def _check(rig: Rig, log: list[tuple[bytes, bytes]]) -> None:
    due, deadline = sum(day.meals for day in answer(log).values()), time.monotonic() + 30
    while (found := stored(rig.postgres)) != due:
        if time.monotonic() > deadline:
            raise SystemExit(f"bench: PostgreSQL tells of {found:,} meals, {due:,} were sent")
        time.sleep(0.5)


@contextmanager
def one_by_one(rig: Rig, rate: int) -> Iterator[Callable[[], int]]:
    """A transaction a meal, on some connections, at a rate as far as they keep it."""
    made = [
        (f"{subject}|{number}", subject, day, *adds_of(value))
        for number, (_, value) in enumerate(events(rate * (rig.seconds + 10), USERS, edited=0.0))
        for subject, day in (day_of(value),)
    ]
    counts, done, began = [0] * WRITERS, threading.Event(), time.monotonic() + 1

    def add(writer: int) -> None:
        with psycopg.connect(rig.postgres, autocommit=True) as connection:
            for number in range(writer, len(made), WRITERS):
                if done.wait(max(0.0, began + number / rate - time.monotonic())):
                    return
                connection.execute(_ADD, made[number])
                counts[writer] += 1

    threads = [threading.Thread(target=add, args=(writer,)) for writer in range(WRITERS)]
    try:
        for thread in threads:
            thread.start()
        time.sleep(3)
        yield lambda: sum(counts)
    finally:
        done.set()
        for thread in threads:
            thread.join()


def per_event(found: dict[str, Any], alone: dict[str, Any]) -> float | None:
    """PostgreSQL's CPU microseconds an event beyond what pgbench took alone, for as many transactions."""
    usual = alone["postgres_cpu_s"] * found["transactions"] / alone["transactions"]
    taken = found["events_per_second"] * found["seconds"]
    return round((found["postgres_cpu_s"] - usual) / taken * 1e6, 1) if taken else None


def main() -> None:
    ask = argparse.ArgumentParser(prog="python -m bench.sinks.beside", description=__doc__)
    ask.add_argument("--events", type=int, default=1_000, help="a second")
    ask.add_argument("--transactions", type=int, default=200, help="of pgbench, a second")
    ask.add_argument("--seconds", type=int, default=20, help="of each of the three runs")
    args = ask.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers and workers are stopped
    with tempfile.TemporaryDirectory(prefix="daybook-beside-") as folder:
        Path(folder).chmod(0o711)
        stack = Stack(Path(folder) / "data", say=say)
        try:
            rig = Rig(stack, Path(folder), args.transactions, args.seconds)
            runs = [rig.phase("nothing", lambda: 0)]
            with pipeline(rig, args.events) as count:
                runs.append(rig.phase("Daybook", count))
            rows = sum(1 for _ in read_all(rig.kafka, DAILY.name))
            with one_by_one(rig, args.events) as count:
                runs.append(rig.phase("a transaction a meal", count))
        finally:
            stack.down()
    print("| beside pgbench | events/s | pgbench p50 ms | p99 ms | PostgreSQL's CPU s | CPU µs an event |")
    print("| --- | --- | --- | --- | --- | --- |")
    for run in runs:
        run["seconds"], run["cpu_us_per_event"] = args.seconds, None
        run["cpu_us_per_event"] = per_event(run, runs[0])
        shown = "–" if run["cpu_us_per_event"] is None else run["cpu_us_per_event"]
        print(
            f"| {run['beside']} | {run['events_per_second']:,} | {run['p50_ms']} | {run['p99_ms']} |"
            f" {run['postgres_cpu_s']} | {shown} |"
        )
    told = {
        "pgbench_per_second": args.transactions,
        "seconds": args.seconds,
        "daily_rows": rows,
        "pinned": bool(rig.taskset),
        "runs": runs,
    }
    print(json.dumps({"machine": machine(), "python": platform.python_version(), **told}))


if __name__ == "__main__":
    main()
