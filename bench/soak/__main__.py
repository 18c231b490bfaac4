"""Does it hold for long what it holds for a moment? See README.md."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import clickhouse_connect

from bench.http.load import Found
from bench.http.rig import Bench, say
from daybook import running
from daybook.settings import Settings
from producers.bench_events import START

BATCH = 100
USERS = 20_000
A_DAY = 40
"""Meals of a user and day: ten times as many as people eat, so that there are a tenth of the days to verify."""
PEAK = 7_000
"""Events a second of a million users at their busiest (DESIGN §11)."""
LOOK_S = 30.0
GROWTH_MIB = 16
"""More than this between the first third of the time and its end is growth."""
WAIT_S = 900
"""So long may the stores take for what is left when the load ends."""


def told(found: Found) -> dict[str, object]:
    """What is printed of one kind of request."""
    return {
        "a_second": round(sum(found.statuses.values()) / found.seconds, 1),
        "p50_ms": round(found.p50_ms, 1),
        "p95_ms": round(found.p95_ms, 1),
        "p99_ms": round(found.p99_ms, 1),
        "worst_ms": round(found.worst_ms),
        "statuses": found.statuses,
    }


def asked() -> list[str]:
    """Days and progress of some of the users who are written."""
    users = [f"u_{number:06}" for number in range(0, USERS, USERS // 100)]
    days = [f"/v1/users/{user}/days?from={START}&to={START}" for user in users]
    return days + [f"/v1/users/{user}/progress" for user in users]


def load(bench: Bench, seconds: float, events: float, reads: float) -> tuple[Found, Found, list[int]]:
    """Both loads at once; what came of writes and reads, and the service's memory [MiB] before, during and after."""
    memory = [round(bench.memory_mib())]

    def one(**plan: object) -> Found:
        return bench.load(seconds=seconds, connections=32, users=USERS, a_day=A_DAY, **plan)[0]

    with ThreadPoolExecutor(2) as both:
        parts: list[Future[Found]] = [
            both.submit(one, batch=BATCH, rate=events / BATCH),
            both.submit(one, rate=reads, paths=asked()),
        ]
        began = time.monotonic()
        while not all(part.done() for part in parts):
            time.sleep(min(LOOK_S, 1 + seconds / 20))
            memory.append(round(bench.memory_mib()))
            say(f"{time.monotonic() - began:.0f} s of {seconds:.0f}: the service holds {memory[-1]} MiB")
        return parts[0].result(), parts[1].result(), memory


def growth(memory: list[int]) -> int:
    """From the highest of the first third, when caches fill, to the highest after it [MiB].

    >>> growth([100, 130, 131, 130, 132, 131, 133]), growth([100, 110, 120, 130, 140, 150])
    (2, 40)
    """
    third = max(1, len(memory) // 3)
    return max(memory[third:] or memory) - max(memory[:third])


def stored(settings: Settings) -> int:
    """Different events in ClickHouse, from which `daybook verify` recomputes."""
    client = clickhouse_connect.get_client(dsn=settings.address("clickhouse"), autogenerate_session_id=False)
    return int(client.query("SELECT uniqExact(id) FROM events").result_rows[0][0])


def daybook(folder: Path, *words: str) -> bool:
    """Whether a command ended well; what it says is shown."""
    return (
        subprocess.run([sys.executable, "-m", "daybook", *words, "--data", folder], stdout=sys.stderr).returncode == 0
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--events", type=float, default=PEAK, help="written a second")
    parser.add_argument("--reads", type=float, default=50, help="read a second")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="daybook-soak-") as folder:
        home = Path(folder)
        try:
            settings = running.up(home, None, say, extra=["api"])
            writes, reads, memory = load(Bench(settings), 60 * chosen.minutes, chosen.events, chosen.reads)
            print(f"writes: {json.dumps(told(writes) | {'events': writes.events})}", flush=True)
            print(f"reads: {json.dumps(told(reads))}", flush=True)
            print(f"memory_mib: {json.dumps(memory)}, growth after the first third: {growth(memory)}", flush=True)
            began = time.monotonic()
            is_there = daybook(home, "wait", "--timeout", str(WAIT_S))
            print(f"visible in every store {time.monotonic() - began:.0f} s after the load", flush=True)
            found = stored(settings)
            print(f"stored: {found} different events, of {writes.events} accepted", flush=True)
            is_right = daybook(home, "verify")
        finally:
            running.down(home, lambda line: None)
    wrong = [
        why
        for why, holds in (
            ("not all of what was accepted came to every store", is_there and found >= writes.events),
            ("verify: not all is what it should be", is_right),
            (f"memory grew by more than {GROWTH_MIB} MiB", growth(memory) <= GROWTH_MIB),
        )
        if not holds
    ]
    if wrong:
        sys.exit("; ".join(wrong))
    print("verify: everything that was accepted is in every store, and memory holds")


if __name__ == "__main__":
    main()
