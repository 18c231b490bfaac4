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

from bench.http.load import Found
from bench.http.rig import Bench, say
from daybook import running
from producers.bench_events import START

BATCH = 50
USERS = 2_000
LOOK_S = 30.0


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
    """Days and progress of the users who are written."""
    users = [f"u_{number:06}" for number in range(0, USERS, 20)]
    days = [f"/v1/users/{user}/days?from={START}&to={START}" for user in users]
    return days + [f"/v1/users/{user}/progress" for user in users]


def load(bench: Bench, seconds: float, events: float, reads: float) -> tuple[Found, Found, list[int]]:
    """Both loads at once; what came of writes and reads, and the service's memory [MiB] before, during and after."""
    memory = [round(bench.memory_mib())]

    def one(**plan: object) -> Found:
        return bench.load(seconds=seconds, connections=16, users=USERS, **plan)[0]

    with ThreadPoolExecutor(2) as both:
        parts: list[Future[Found]] = [
            both.submit(one, batch=BATCH, rate=events / BATCH),
            both.submit(one, rate=reads, paths=asked()),
        ]
        began = time.monotonic()
        while not all(part.done() for part in parts):
            time.sleep(min(LOOK_S, 1 + seconds / 10))
            memory.append(round(bench.memory_mib()))
            say(f"{time.monotonic() - began:.0f} s of {seconds:.0f}: the service holds {memory[-1]} MiB")
        return parts[0].result(), parts[1].result(), memory


def daybook(folder: Path, *words: str) -> bool:
    """Whether a command ended well; what it says is shown."""
    return (
        subprocess.run([sys.executable, "-m", "daybook", *words, "--data", folder], stdout=sys.stderr).returncode == 0
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--events", type=float, default=500, help="written a second")
    parser.add_argument("--reads", type=float, default=50, help="read a second")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="daybook-soak-") as folder:
        home = Path(folder)
        try:
            bench = Bench(running.up(home, None, say, extra=["api"]))
            writes, reads, memory = load(bench, 60 * chosen.minutes, chosen.events, chosen.reads)
            is_there = daybook(home, "wait")
            is_right = daybook(home, "verify")
        finally:
            running.down(home, lambda line: None)
    print(f"writes: {json.dumps(told(writes) | {'events': writes.events})}")
    print(f"reads: {json.dumps(told(reads))}")
    print(f"memory_mib: {json.dumps(memory)}")
    if not (is_there and is_right):
        sys.exit("verify: not all of what was accepted is what it should be, or where")
    print("verify: everything that was accepted is in every store")


if __name__ == "__main__":
    main()
