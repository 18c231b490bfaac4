"""`python -m bench.state`: N user-days of 12 entities are restored from changelog records, in memory and in RocksDB.

Each way in a process of its own, so that its memory is its own. The records are made on the way, in chunks, and the
time of making them is not counted; reading them from Kafka is not in it either (`python -m bench.runtime` times that).
Prints one JSON line: seconds, and bytes of memory (and disk) a user-day; `warm` is after every user was touched once.
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from schemas.instants import MS_PER_DAY
from schemas.ledger import KIND_OF_TYPE, pack_contribution, pack_winner
from streams.daily.cold import ColdUsers
from streams.daily.core import Ledger
from streams.daily.users import Users

DAYS = 35
CHUNK = 10_000
OF_A_DAY = (
    *[("m", "meal.logged", (650_000, 32_000, 70_000, 21_000, 8_000))] * 4,
    *[("b", "water.logged", (300,))] * 3,
    *[("b", "activity.recorded", (900, 600, 40_000, 650_000, 3_600))] * 3,
    ("b", "sleep.recorded", (27_000, 29_000)),
    ("b", "body.measured", (71_300, 2_150, None)),
)
"""Twelve entities: family letter, type, values."""


def records(user_days: int) -> Iterator[tuple[list[bytes], list[bytes]]]:
    """Changelog records of so many user-days, in the order of days, as they were written."""
    users = max(1, user_days // DAYS)
    keys: list[bytes] = []
    values: list[bytes] = []
    for day in range(DAYS):
        for user in range(users):
            for n, (letter, name, numbers) in enumerate(OF_A_DAY):
                at = (20_500 + day) * MS_PER_DAY + n * 3_600_000
                keys.append(f"u_{user:07}\0{letter}\0{name[:5]}_{day:03}_{n:02}".encode())
                digest = (user * 1_000_003 + day * 31 + n).to_bytes(16, "big")
                packed = pack_contribution(numbers)
                code = KIND_OF_TYPE[name].code
                values.append(pack_winner(1, False, digest, at, 60, code, "ios/5.2.0", None, packed))
            if len(keys) >= CHUNK:
                yield keys, values
                keys, values = [], []
    if keys:
        yield keys, values


def measure(state: str, user_days: int, warm: bool) -> dict[str, float]:
    """Restore it all, here."""
    process = psutil.Process()
    with tempfile.TemporaryDirectory(prefix="daybook-bench-") as folder:
        users = ColdUsers(Path(folder) / "users") if state == "rocksdb" else Users()
        ledger = Ledger(users=users)
        gc.freeze()
        gc.disable()
        before, took, days = process.memory_info().rss, 0.0, 0.0
        for keys, values in records(user_days):
            began = time.perf_counter()
            ledger.restore(keys, values)
            took += time.perf_counter() - began
            days += len(keys) / len(OF_A_DAY)
        found: dict[str, float] = {
            "restore_s": round(took, 1),
            "memory_bytes": round((process.memory_info().rss - before) / days),
        }
        if state == "rocksdb":
            disk = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
            found["disk_bytes"] = round(disk / days)
            some = [f"u_{n:07}" for n in range(0, max(1, user_days // DAYS), max(1, user_days // DAYS // 500))]
            began = time.perf_counter()
            for subject in some:
                users[subject].warm()
            found["read_and_warm_a_user_ms"] = round((time.perf_counter() - began) / len(some) * 1000, 2)
        elif warm:
            for user in users.values():
                user.warm()
            found["memory_bytes_warm"] = round((process.memory_info().rss - before) / days)
        users.close()
    return found


def main() -> None:
    ask = argparse.ArgumentParser(prog="python -m bench.state", description=__doc__)
    ask.add_argument("--user-days", type=int, default=1_000_000)
    ask.add_argument("--warm", action="store_true", help="also touch every user (needs more memory)")
    ask.add_argument("--only", choices=["memory", "rocksdb"])
    args = ask.parse_args()
    if args.only:
        return print(json.dumps(measure(args.only, args.user_days, args.warm)))
    result: dict[str, object] = {"user_days": args.user_days, "entities": args.user_days * len(OF_A_DAY)}
    for state in ("memory", "rocksdb"):
        command = [sys.executable, "-m", "bench.state", "--only", state, "--user-days", str(args.user_days)]
        done = subprocess.run([*command, *(["--warm"] if args.warm else [])], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"bench: {state} failed: {done.stderr[-2000:]}")
        result[state] = json.loads(done.stdout)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
