"""Live events at a rate, and probes among them, sent on time whatever the last took: how long until Redis shows one."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import NamedTuple

import confluent_kafka
import redis

from sinks.redis.encode import key

PROBES_PER_S = 5.0
LATE_S = 10.0
"""A probe that has not come by then counts as that late."""
_LOOK_S = 0.004


class Freshness(NamedTuple):
    """Of the probes that were sent in a time [s], ascending."""

    seconds: list[float]

    def at(self, share: float) -> float:
        """A quantile."""
        return self.seconds[min(len(self.seconds) - 1, int(share * len(self.seconds)))] if self.seconds else LATE_S

    def __str__(self) -> str:
        p50, p99, worst = (1000 * self.at(share) for share in (0.5, 0.99, 1.0))
        return f"p50 {p50:,.0f} ms, p99 {p99:,.0f} ms, longest {worst:,.0f} ms of {len(self.seconds):,} probes"


def meal(user: str, entity: str, at: str, slot: str = "lunch", item: str = "lunch", kcal: int = 500) -> bytes:
    """A meal, as JSON."""
    head = f'"specversion":"1.0","id":"{entity}","source":"bench/1","type":"meal.logged","subject":"{user}"'
    items = f'[{{"name":"Soup","energy_kcal":{kcal}}}]'
    data = f'{{"meal_type":"{slot}","planned_item":"{item}","items":{items}}}'
    return f'{{{head},"time":"{at}","data":{data}}}'.encode()


class Live:
    """Meals of today at a rate by users who are there, and probes by users of their own, until it is closed."""

    def __init__(self, kafka: str, url: str, rate: int, users: int) -> None:
        self._producer = confluent_kafka.Producer(
            {"bootstrap.servers": kafka, "linger.ms": 2, "partitioner": "murmur2_random"}
        )
        self._redis = redis.Redis.from_url(url)
        self._rate, self._users = rate, users
        self._stop = threading.Event()
        self.sent = 0
        self._waiting: dict[str, float] = {}
        self._came: list[tuple[float, float]] = []
        """When a probe was sent, and how long it took [s]."""
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._feed, self._probe)]
        for thread in self._threads:
            thread.start()

    def since(self, began: float) -> Freshness:
        """Of the probes that were sent since then (monotonic clock), once the last of them has come."""
        time.sleep(1.0)
        deadline = time.monotonic() + LATE_S
        ended = time.monotonic() - 1.0
        while any(at < ended for at in list(self._waiting.values())) and time.monotonic() < deadline:
            time.sleep(0.05)
        return Freshness(sorted(took for at, took in list(self._came) if began <= at < ended))

    def close(self) -> None:
        """Stop both."""
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
        self._producer.flush(10)

    def _feed(self) -> None:
        began, today = time.monotonic(), f"{datetime.now(UTC):%Y-%m-%d}T00:00:01Z"
        while not self._stop.is_set():
            for _ in range(50):
                user = f"b{(self.sent * 7919) % self._users:06}"
                self._send(user, meal(user, f"{user}-live-{self.sent}", today))
                self.sent += 1
            self._producer.poll(0)
            ahead = self.sent / self._rate - (time.monotonic() - began)
            if ahead > 0:
                self._stop.wait(ahead)

    def _probe(self) -> None:
        number, due, today = 0, time.monotonic(), f"{datetime.now(UTC):%Y-%m-%d}"
        while not self._stop.is_set():
            if (now := time.monotonic()) >= due:
                user = f"probe{number:07}"
                self._send(user, meal(user, user, f"{today}T00:00:01Z"))
                self._producer.poll(0)
                self._waiting[user] = now
                number, due = number + 1, due + 1 / PROBES_PER_S
            users = list(self._waiting)
            pipeline = self._redis.pipeline(transaction=False)
            for user in users:
                pipeline.exists(key(user, today))
            there, now = pipeline.execute() if users else [], time.monotonic()
            for user, is_there in zip(users, there, strict=True):
                at = self._waiting[user]
                if is_there or now - at > LATE_S:
                    self._came.append((at, min(LATE_S, now - at)))
                    del self._waiting[user]
            time.sleep(_LOOK_S)

    def _send(self, user: str, value: bytes) -> None:
        while True:
            try:
                return self._producer.produce("meals", value, user.encode())
            except BufferError:
                self._producer.poll(0.05)
