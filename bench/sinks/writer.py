"""One sink with one connection, in a process of its own: rows are made first, written when it is told to."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from itertools import islice
from typing import Any

import sinks
from bench.progress.days import daily_rows
from producers.bench_events import meal_events
from schemas.codec import Rejected, reader
from schemas.rows import DailyRow, decode_daily
from sinks.batch import Batch, EventRow

USERS_A_DAY = 10_000


def days(rows: int, part: int, number: int) -> list[DailyRow]:
    """Rows of a day of so many users, then of the next; part 2 has the same keys as part 1 and higher versions."""
    found: list[DailyRow] = []
    per_day = min(rows, USERS_A_DAY)
    made = daily_rows(3 * (rows + per_day), per_day)
    while len(found) < rows:
        for _ in range(3):
            block = [decode_daily(value) for _, value in islice(made, per_day)]
            if block[0].meals_logged == part:
                found += block
    for row in found:
        row.user_id = f"{number}_{row.user_id}"
    return found[:rows]


def events(rows: int, number: int) -> list[EventRow]:
    """Accepted meals, as the sink of ClickHouse stores them."""
    read, found = reader("meals"), []
    for offset, (_, value) in enumerate(meal_events(rows, USERS_A_DAY, number + 1)):
        got = read(value, 1_900_000_000_000)
        if isinstance(got, Rejected):
            raise SystemExit(f"bench: a meal was refused: {got.reason}")
        found.append(EventRow("meals", number, offset, 1_900_000_000_000, value, *got))
    return found


def batches(rows: list[Any], kind: str, size: int) -> list[Batch]:
    """What the sink is handed, in the size in which its loop gathers."""
    parts = [rows[at : at + size] for at in range(0, len(rows), size)]
    return [Batch(events=part) if kind == "events" else Batch(daily=part) for part in parts]


async def write(role: str, url: str, kind: str, rows: int, number: int) -> None:
    """Say ready, wait for a line, write, say how long it took; then wait for the end of the input."""
    made = events(rows, number) if kind == "events" else days(rows, 1 if kind == "new" else 2, number)
    sink = sinks.build(role, url)
    await sink.open()
    await sink.write(batches(made[:1], kind, 1)[0])  # connections, scripts, types: once a worker's life
    work = batches(made, kind, sink.rows_per_write)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    began, cpu = time.monotonic(), time.process_time()
    for batch in work:
        await sink.write(batch)
    print(json.dumps({"seconds": time.monotonic() - began, "cpu_s": time.process_time() - cpu}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await sink.close()


if __name__ == "__main__":
    asyncio.run(write(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])))
