"""The load: JSON of a Plan on stdin, JSON of what came of it on stdout.

At a rate, a request's time counts from when it was to be sent, so a service that makes the load wait does not look fast
(Tene, "How NOT to Measure Latency": coordinated omission).
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import count, islice

import msgspec

from bench.http.client import Connection, request
from producers.bench_events import MEALS_PER_DAY, meal_events

BATCH_KIND = "application/cloudevents-batch+json"


class Plan(msgspec.Struct):
    """What to ask, how often, for how long."""

    host: str
    port: int
    token: str
    seconds: float
    connections: int
    batch: int = 0
    """Events of a request; 0: reads."""
    rate: float = 0.0
    """Requests a second; 0: each connection asks again once it is answered."""
    paths: list[str] = []
    """Of reads, in turns."""
    seed: int = 1
    users: int = 20_000
    a_day: int = MEALS_PER_DAY
    """Meals of a user and day, about."""


class Found(msgspec.Struct):
    """What came of it."""

    seconds: float
    statuses: dict[str, int]
    events: int
    """Accepted."""
    p50_ms: float
    p95_ms: float
    p99_ms: float
    worst_ms: float
    late: int
    """Requests that no connection was free for at their time, and that waited."""


def quantile(ordered: list[float], share: float) -> float:
    """Of ascending values; 0 of none."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def requests(plan: Plan) -> Iterator[bytes]:
    """Requests without end; no event is sent twice."""
    if not plan.batch:
        asked = [request("GET", path, plan.token) for path in plan.paths]
        for number in count():
            yield asked[number % len(asked)]
    events = (value for _, value in meal_events(10**8, plan.users, plan.seed, plan.a_day))
    while True:
        yield request("POST", "/v1/events", plan.token, b"[" + b",".join(islice(events, plan.batch)) + b"]", BATCH_KIND)


async def run(plan: Plan) -> Found:
    """The whole plan."""
    made = requests(plan)
    ready = [next(made) for _ in range(min(3_000, int(plan.rate * plan.seconds) or 3_000))]
    left = iter(ready)
    statuses: Counter[str] = Counter()
    times: list[float] = []
    due: asyncio.Queue[float] = asyncio.Queue()
    late = 0
    end = 0.0

    async def ask() -> None:
        nonlocal late
        connection = await Connection.to(plan.host, plan.port)
        while True:
            if plan.rate:
                at = await due.get()
                if at < 0:
                    break
                late += time.perf_counter() - at > 0.002
            else:
                at = time.perf_counter()
                if at > end:
                    break
            sent = next(left, None) or next(made)
            try:
                status, _ = await connection.ask(sent)
                statuses[str(status)] += 1
            except (ConnectionError, asyncio.IncompleteReadError):
                statuses["cut"] += 1
                connection = await Connection.to(plan.host, plan.port)
                continue
            times.append(time.perf_counter() - at)
        connection.close()

    began = time.perf_counter()
    end = began + plan.seconds
    workers = [asyncio.create_task(ask()) for _ in range(plan.connections)]
    if plan.rate:
        for number in range(int(plan.rate * plan.seconds)):
            at = began + number / plan.rate
            if (wait := at - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            due.put_nowait(at)
        for _ in workers:
            due.put_nowait(-1.0)
    await asyncio.gather(*workers)
    took = time.perf_counter() - began
    times.sort()
    return Found(
        took,
        dict(statuses),
        statuses["202"] * plan.batch,
        1000 * quantile(times, 0.5),
        1000 * quantile(times, 0.95),
        1000 * quantile(times, 0.99),
        1000 * (times[-1] if times else 0.0),
        late,
    )


if __name__ == "__main__":
    sys.stdout.buffer.write(
        msgspec.json.encode(asyncio.run(run(msgspec.json.decode(sys.stdin.buffer.read(), type=Plan))))
    )
