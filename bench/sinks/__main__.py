"""`python -m bench.sinks`: rows a second into PostgreSQL, ClickHouse and Redis, per connection and per core.

Real servers, each with its own writers: the sinks as their workers run them, without Kafka before them. First new
rows, then the same user-days with higher versions, as a stream writes them; ClickHouse takes accepted events too. A
sample is read back and compared. CPU seconds are those of writers and server, children included.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import psutil
import psycopg
from redis.asyncio import Redis

from bench.daily.__main__ import machine
from bench.sinks.writer import days
from schemas.tables import DAILY
from sinks.clickhouse.client import connect
from sinks.clickhouse.read import ClickHouseReader
from sinks.migrate import migrate
from sinks.postgres.read import PostgresReader
from sinks.redis.read import RedisReader
from stack.stack import Stack

READERS: dict[str, Any] = {"postgres": PostgresReader, "clickhouse": ClickHouseReader, "redis": RedisReader}
_POSTGRES_BYTES = "SELECT sum(pg_total_relation_size(relid))::bigint FROM pg_partition_tree('user_metrics_daily')"
_CLICKHOUSE_BYTES = f"SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND table = '{DAILY.clickhouse}'"
SAMPLE = 997
"""Every so many-th row is read back."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def cpu_s(pid: int) -> float:
    """CPU seconds of a process, its children, and those of them that ended."""
    root, total = psutil.Process(pid), 0.0
    for process in (root, *root.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system
        if process is root and hasattr(times, "children_user"):
            total += times.children_user + times.children_system
    return total


def measure(role: str, url: str, pid: int, kind: str, rows: int, connections: int, first: int) -> dict[str, Any]:
    """Write `rows` on each connection; `first`: the number of the first writer, whose users are its own."""
    writers = [
        subprocess.Popen(
            [sys.executable, "-m", "bench.sinks.writer", role, url, kind, str(rows), str(first + number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(connections)
    ]
    try:
        for writer in writers:
            if _line(writer) != "ready\n":
                raise SystemExit(f"bench: a writer to {role} ended before it began")
        before = cpu_s(pid)
        for writer in writers:
            _tell(writer)
        told = [json.loads(_line(writer) or '{"seconds": 0}') for writer in writers]
        server = cpu_s(pid) - before
    finally:
        for writer in writers:
            if writer.stdin is not None:
                writer.stdin.close()
            writer.wait(30)
    if any(writer.returncode for writer in writers):
        raise SystemExit(f"bench: a writer to {role} failed")
    total, client = rows * connections, sum(one["cpu_s"] for one in told)
    return {
        "store": role,
        "rows": kind,
        "connections": connections,
        "rows_per_second": round(total / max(one["seconds"] for one in told)),
        "rows_per_core_second": round(total / (client + server)),
        "sink_cpu_us": round(client / total * 1e6, 1),
        "server_cpu_us": round(server / total * 1e6, 1),
    }


async def stored_bytes(role: str, url: str) -> int:
    """What the store holds of daily rows: on disk with indexes; in memory for Redis."""
    if role == "redis":
        client = Redis.from_url(url)
        try:
            return int((await client.info("memory"))["used_memory_dataset"])
        finally:
            await client.aclose()
    if role == "postgres":
        async with await psycopg.AsyncConnection.connect(url) as connection:
            found = await (await connection.execute(_POSTGRES_BYTES)).fetchone()
            return int(found[0]) if found else 0
    store = await connect(url)
    try:
        return int((await store.query(_CLICKHOUSE_BYTES)).result_rows[0][0])
    finally:
        await store.close()


def _line(writer: subprocess.Popen[str]) -> str:
    assert writer.stdout is not None
    return writer.stdout.readline()


def _tell(writer: subprocess.Popen[str]) -> None:
    assert writer.stdin is not None
    writer.stdin.write("go\n")
    writer.stdin.flush()


async def check(role: str, url: str, rows: int, number: int) -> None:
    """A sample of what one writer wrote last is in the store, field by field."""
    due = {(row.user_id, row.date): row for row in days(rows, 2, number)[::SAMPLE]}
    found = await READERS[role](url).read(sorted(due))
    if found != due:
        raise SystemExit(f"bench: {role} does not hold the rows that were written")


def main() -> None:
    ask = argparse.ArgumentParser(prog="python -m bench.sinks", description=__doc__)
    ask.add_argument("--rows", type=int, default=50_000, help="on each connection")
    ask.add_argument("--connections", default="1,2")
    ask.add_argument("--stores", default=",".join(READERS))
    args = ask.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers and workers are stopped
    stores, made, first, began = args.stores.split(","), [], 0, 0
    bytes_a_row: dict[str, int] = {}
    with tempfile.TemporaryDirectory(prefix="daybook-sinks-") as folder:
        Path(folder).chmod(0o711)
        stack = Stack(Path(folder) / "data", say=say)
        try:
            at = stack.up(stores)
            urls = {name: getattr(at, name) for name in stores}
            asyncio.run(migrate(urls.get("postgres"), urls.get("clickhouse")))
            pids = {status.name: status.pid or 0 for status in stack.status()}
            for role, url in urls.items():
                empty = asyncio.run(stored_bytes(role, url))
                for connections in map(int, args.connections.split(",")):
                    for kind in ("new", "changed", *(("events",) if role == "clickhouse" else ())):
                        made.append(measure(role, url, pids[role], kind, args.rows, connections, first))
                        say(json.dumps(made[-1]))
                    asyncio.run(check(role, url, args.rows, first))
                    first += connections
                bytes_a_row[role] = round((asyncio.run(stored_bytes(role, url)) - empty) / (first - began) / args.rows)
                began = first
                say(f"{role}: {bytes_a_row[role]} bytes a daily row")
        finally:
            stack.down()
    print("| store | rows | connections | rows/s | rows/s a core | sink CPU µs a row | server CPU µs a row |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for one in made:
        print(
            f"| {one['store']} | {one['rows']} | {one['connections']} | {one['rows_per_second']:,} |"
            f" {one['rows_per_core_second']:,} | {one['sink_cpu_us']} | {one['server_cpu_us']} |"
        )
    print(f"Bytes that a store holds a daily row, each written twice: {bytes_a_row}")
    told = {"rows": args.rows, "made": made, "bytes_a_row": bytes_a_row}
    print(json.dumps({"machine": machine(), "python": platform.python_version(), **told}))


if __name__ == "__main__":
    main()
