"""The HTTP service as tests use it: the very worker process, on a Kafka of its own that tests may stop."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from command_line import CLEAN, DAYBOOK
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from api.tokens import Role, Who, issue
from schemas.families import FAMILIES
from stack.stack import Stack

SECRET = "0123456789abcdef0123456789abcdef"
READY_S = 30
PARTITIONS = 8
"""Of the events' topics on the stack that tests share."""


def token(subject: str, role: Role = "user", lifetime_s: int = 600) -> str:
    """What `daybook token` prints where DAYBOOK_API_SIGNING_KEY is SECRET."""
    return issue(Who(subject, role), SECRET, now_s=int(time.time()), lifetime_s=lifetime_s)


def meal(subject: str | None = None, **other: Any) -> dict[str, Any]:
    """An event that nobody sent before."""
    name = uuid.uuid4().hex[:12]
    return {
        "specversion": "1.0",
        "id": name,
        "source": "ios/5.2.0",
        "type": "meal.logged",
        "subject": subject or f"u_{name}",
        "time": "2026-03-01T12:31:00+01:00",
        "data": {"meal_type": "lunch", "items": [{"name": "Soup", "energy_kcal": 310}]},
        **other,
    }


def topics_made(kafka: str, *topics: str, partitions: int = PARTITIONS) -> None:
    """Topics that are missing; of the stack that tests share, every module makes those of the events alike."""
    admin = AdminClient({"bootstrap.servers": kafka, "log_level": 0})
    missing = [topic for topic in topics or FAMILIES if topic not in admin.list_topics(timeout=10).topics]
    if missing:
        for future in admin.create_topics([NewTopic(topic, partitions, 1) for topic in missing]).values():
            future.result(10)


@contextmanager
def kafka_alone(folder: Path, partitions: int) -> Iterator[Stack]:
    """A Kafka with the topics of the events, which tests may stop."""
    stack = Stack(folder)
    try:
        topics_made(stack.up(["kafka"]).kafka, partitions=partitions)
        yield stack
    finally:
        stack.down()


@dataclass
class Service:
    """A running service."""

    url: str
    pid: int
    log: Path
    token: str = field(default_factory=lambda: token("importer", "service"))
    killed: bool = False

    def kill(self) -> None:
        """End it as a crash would."""
        os.kill(self.pid, signal.SIGKILL)
        self.killed = True

    def session(self) -> aiohttp.ClientSession:
        """A client of it, without a token."""
        return aiohttp.ClientSession(self.url, timeout=aiohttp.ClientTimeout(total=30))

    async def send(
        self, body: Any, kind: str = "application/json", *, token: str | None = None, **headers: str
    ) -> tuple[int, dict[str, Any], Mapping[str, str]]:
        """POST events (bytes, or what JSON is made of): status, body, headers."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        said = {"Authorization": f"Bearer {token or self.token}", "Content-Type": kind}
        said |= {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session() as session, session.post("/v1/events", data=data, headers=said) as answer:
            return answer.status, await answer.json(content_type=None), answer.headers.copy()


@contextmanager
def service(folder: Path, kafka: str, **settings: object) -> Iterator[Service]:
    """The worker of the role api on this Kafka; settings as `api_events=3`."""
    folder.mkdir(parents=True, exist_ok=True)
    ready, log = folder / "ready", folder / "api.log"
    ready.unlink(missing_ok=True)  # one that was killed leaves it
    told = {f"DAYBOOK_{name.upper()}": str(value) for name, value in settings.items()}
    env = {**CLEAN, "DAYBOOK_KAFKA": kafka, "DAYBOOK_API_SIGNING_KEY": SECRET, "DAYBOOK_READY_FILE": str(ready), **told}
    away = {
        "postgres": "postgresql://x:nobody@127.0.0.1:1/x",
        "clickhouse": "http://x:nobody@127.0.0.1:1/x",
        "redis": "redis://:nobody@127.0.0.1:1",
    }
    for server, address in away.items():
        env.setdefault(f"DAYBOOK_{server.upper()}", address)
    with log.open("w") as out:
        process = subprocess.Popen(
            [*DAYBOOK, "worker", "--role", "api", "--data", folder], stdout=out, stderr=out, env=env
        )
    try:
        deadline = time.monotonic() + READY_S
        while not ready.exists():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        url = json.loads(ready.read_text())["metrics"].removesuffix("/metrics")
        running = Service(url, process.pid, log)
        yield running
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        finally:
            process.kill()
            process.wait()
    if not running.killed:
        assert process.returncode == 0, log.read_text()
        assert not ready.exists()


def memory_mib(pid: int) -> float:
    """Resident memory of a process."""
    import psutil

    return float(psutil.Process(pid).memory_info().rss) / (1 << 20)


def stored(kafka: str, topic: str = "meals") -> list[tuple[int, bytes, bytes]]:
    """Partition, key and value of everything on a topic, in the order of each partition."""
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "tests", "enable.auto.commit": False, "log_level": 0})
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    ends = {p: _end(consumer, TopicPartition(topic, p)) for p in partitions}
    consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in partitions])
    found: list[tuple[int, bytes, bytes]] = []
    while len(found) < sum(ends.values()):
        for message in consumer.consume(1_000, timeout=0.1):
            assert message.error() is None
            found.append((message.partition(), message.key(), message.value()))
    consumer.close()
    return found


def _end(consumer: Consumer, of: TopicPartition) -> int:
    """Where a partition ends; a broker that has just come up may not know yet that it leads."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return int(consumer.get_watermark_offsets(of, timeout=10)[1])
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


async def ready(api: Service, want: int, within_s: float = 30) -> dict[str, Any]:
    """Wait until /readyz answers with this status; what it says then."""
    deadline = time.monotonic() + within_s
    async with api.session() as session:
        while True:
            async with session.get("/readyz") as answer:
                if answer.status == want:
                    said: dict[str, Any] = await answer.json(content_type=None)
                    return said
            assert time.monotonic() < deadline, api.log.read_text()
            await asyncio.sleep(0.1)
