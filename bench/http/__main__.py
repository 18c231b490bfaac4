"""How fast does the service take events, give numbers, and what does it do past its limit? See README.md."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import redis

from bench.http.load import quantile
from bench.http.rig import Bench, say
from daybook import running, supervisor, workers
from producers.bench_events import START

BATCH = 100
PEAK = 7_000
"""Events a second of a million users at their busiest (DESIGN §11)."""


class Fresh(NamedTuple):
    """From sending an event to reading its row in Redis [ms]."""

    p50_ms: float
    p99_ms: float
    probes: int
    refused: int
    """Answers of 503 on the way."""


def most(bench: Bench, seconds: float) -> dict[str, object]:
    """As many events as it takes, the service on one core."""
    bench.pin(0)
    found, cpu_s = bench.load(seconds=seconds, connections=16, batch=BATCH)
    bench.pin(None)
    return {
        "events_per_s": round(found.events / found.seconds),
        "events_per_cpu_s": round(found.events / cpu_s),
        "p50_ms": round(found.p50_ms, 1),
        "p99_ms": round(found.p99_ms, 1),
        "statuses": found.statuses,
    }


def peak(bench: Bench, seconds: float) -> dict[str, object]:
    """At the peak's rate: until accepted, and until readable in Redis."""
    fresh: list[Fresh] = []
    watching = threading.Thread(target=lambda: fresh.append(_freshness(bench, seconds)))
    watching.start()
    found, cpu_s = bench.load(seconds=seconds, connections=64, batch=BATCH, rate=PEAK / BATCH)
    watching.join()
    return {
        "events_per_s": round(found.events / found.seconds),
        "accepted_p50_ms": round(found.p50_ms, 1),
        "accepted_p99_ms": round(found.p99_ms, 1),
        "readable_p50_ms": round(fresh[0].p50_ms, 1),
        "readable_p99_ms": round(fresh[0].p99_ms, 1),
        "probes": fresh[0].probes,
        "probes_refused": fresh[0].refused,
        "service_cores": round(cpu_s / found.seconds, 2),
        "statuses": found.statuses,
    }


def _freshness(bench: Bench, seconds: float) -> Fresh:
    """Single events of users that nobody else writes, ten a second."""
    times: list[float] = []
    refused = 0
    address = f"http://{bench.host}:{bench.port}/v1/events"
    headers = {"Authorization": f"Bearer {bench.token}", "Content-Type": "application/json"}
    with redis.Redis.from_url(bench.settings.address("redis")) as store:
        end = time.monotonic() + seconds
        number = 0
        while time.monotonic() < end:
            number += 1
            user = f"probe_{bench.seed}_{number}"
            event = {
                **{"specversion": "1.0", "id": user, "source": "bench/1", "type": "water.logged", "subject": user},
                **{"time": f"{START}T12:00:00Z", "data": {"ml": 100}},
            }
            began = time.monotonic()
            while True:
                try:
                    urllib.request.urlopen(urllib.request.Request(address, json.dumps(event).encode(), headers)).read()
                    break
                except urllib.error.HTTPError as why:  # 503: the same again, and its time counts
                    refused += 1
                    time.sleep(min(1.0, float(why.headers.get("Retry-After") or 1)))
            while not store.exists(f"daybook:day:{user}:{START}"):
                if time.monotonic() - began > 10:
                    break
                time.sleep(0.002)
            times.append(1000 * (time.monotonic() - began))
            time.sleep(max(0.0, 0.1 - (time.monotonic() - began)))
    times.sort()
    return Fresh(quantile(times, 0.5), quantile(times, 0.99), len(times), refused)


def reads(bench: Bench, seconds: float) -> dict[str, object]:
    """1,000 a second of what apps ask for most, answered from Redis."""
    users = [f"u_{number:06}" for number in range(0, 20_000, 200)]
    day = str(START)
    asked = [f"/v1/users/{user}/days?from={day}&to={day}" for user in users]
    asked += [f"/v1/users/{user}/progress" for user in users]
    found, cpu_s = bench.load(seconds=seconds, connections=64, rate=1_000, paths=asked)
    return {
        "reads_per_s": round(sum(found.statuses.values()) / found.seconds),
        "p50_ms": round(found.p50_ms, 1),
        "p99_ms": round(found.p99_ms, 1),
        "service_cores": round(cpu_s / found.seconds, 2),
        "statuses": found.statuses,
    }


def beyond(bench: Bench, seconds: float, limit: float) -> dict[str, object]:
    """Three times what it takes, then the peak again."""
    before = bench.memory_mib()
    found, _ = bench.load(seconds=seconds, connections=256, batch=BATCH, rate=3 * limit / BATCH)
    after = bench.memory_mib()
    again, _ = bench.load(seconds=5, connections=64, batch=BATCH, rate=PEAK / BATCH)
    return {
        "offered_events_per_s": round(3 * limit),
        "accepted_events_per_s": round(found.events / found.seconds),
        "statuses": found.statuses,
        "p99_ms": round(found.p99_ms),
        "memory_mib": [round(before), round(after), round(bench.memory_mib())],
        "accepted_p99_ms_afterwards": round(again.p99_ms, 1),
    }


def settle(home: Path) -> None:
    """Until every store has what was sent: else one part is measured beside the rest of another."""
    subprocess.run([sys.executable, "-m", "daybook", "wait", "--timeout", "120", "--data", home], stdout=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.http", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10, help="of each part")
    parser.add_argument("--parts", default="most,peak,reads,beyond", help="which, with commas between")
    parser.add_argument("--warm", type=float, default=20, help="seconds of the peak before anything is measured")
    chosen = parser.parse_args()
    parts = chosen.parts.split(",")
    told: dict[str, object] = {}
    with tempfile.TemporaryDirectory(prefix="daybook-bench-") as folder:
        home = Path(folder)
        try:
            bench = Bench(running.up(home, None, say, extra=["api"]))
            steps: dict[str, Callable[[], dict[str, object]]] = {
                "peak": lambda: peak(bench, chosen.seconds),
                "reads": lambda: reads(bench, chosen.seconds),
                "most": lambda: most(bench, chosen.seconds),
                "beyond": lambda: beyond(bench, chosen.seconds, _limit(told)),
            }
            if chosen.warm and {"peak", "reads"} & set(parts):
                say("a JVM compiles for its first many seconds: they are not measured")
                bench.load(seconds=chosen.warm, connections=64, batch=BATCH, rate=PEAK / BATCH)
            for name, step in steps.items():
                if name in ("peak", "reads") and name in parts:
                    settle(home)
                if name == "most" and {"most", "beyond"} & set(parts):
                    say("only Kafka and the service go on: the rest would share their cores")
                    supervisor.stop(home)
                    workers.stop(home, workers.ROLES)
                if name in parts:
                    say(f"{name} …")
                    told[name] = step()
                    print(f"{name}: {json.dumps(told[name])}", flush=True)
        finally:
            running.down(home, lambda line: None)
    print(json.dumps(told))


def _limit(told: dict[str, object]) -> float:
    found = told.get("most")
    return float(found["events_per_s"]) if isinstance(found, dict) else 30_000.0


if __name__ == "__main__":
    main()
