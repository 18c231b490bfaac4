"""The disk spool on a real broker that stops, and a service that is killed: what was accepted arrives, in its order."""

from __future__ import annotations

import asyncio
import itertools
import json
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from api_rig import Service, kafka_alone, meal, ready, service, stored

from stack.stack import Stack

BATCH = "application/cloudevents-batch+json"
SUBJECTS = 6


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A Kafka that these tests stop."""
    with kafka_alone(tmp_path_factory.mktemp("outage-stack"), 2) as stack:
        yield stack


class Senders:
    """Subjects that send one after the other, each the next only when the one before was accepted."""

    def __init__(self, name: str) -> None:
        self._name, self._next = name, [itertools.count() for _ in range(SUBJECTS)]
        self.accepted: dict[str, list[int]] = defaultdict(list)
        self.spooled = 0

    async def send(self, api: Service, each: int, size: int = 1) -> None:
        """So many requests of every subject; ends early where the service is gone."""
        await asyncio.gather(*(self._of(api, subject, each, size) for subject in range(SUBJECTS)))

    async def _of(self, api: Service, subject: int, each: int, size: int) -> None:
        name = f"{self._name}_{subject}"
        for _ in range(each):
            numbers = list(itertools.islice(self._next[subject], size))
            events = [meal(name, id=f"{name}-{n}") for n in numbers]
            while True:
                try:
                    status, said, _ = await api.send(events, BATCH)
                except (aiohttp.ClientError, OSError):
                    return
                if status == 202:
                    break
                await asyncio.sleep(0.1)
            assert said["accepted"] + said["duplicate"] == size, said
            self.spooled += said.get("spooled", False)
            self.accepted[name] += numbers

    def check(self, kafka: str) -> int:
        """All that was accepted is there, first seen in the order in which it was; returns how many are there twice."""
        seen: dict[str, list[int]] = defaultdict(list)
        for _, key, value in stored(kafka):
            if key.decode().startswith(f"{self._name}_"):
                seen[key.decode()].append(int(json.loads(value)["id"].rpartition("-")[2]))
        again = 0
        for name, numbers in self.accepted.items():
            first = list(dict.fromkeys(seen[name]))
            assert set(numbers) <= set(first), f"{name}: lost {sorted(set(numbers) - set(first))[:5]}"
            assert first == sorted(first), name
            again += len(seen[name]) - len(first)
        return again


async def drained(api: Service, within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while (said := await ready(api, 200, within_s))["spooled"]["events"] or said["kafka"] != "up":
        assert time.monotonic() < deadline, api.log.read_text()
        await asyncio.sleep(0.05)


async def until(true: Callable[[], bool], within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def metrics(api: Service) -> dict[str, float]:
    async with api.session() as session, session.get("/metrics") as answer:
        lines = [line.rpartition(" ") for line in (await answer.text()).splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


async def test_while_kafka_is_away_events_wait_on_the_disk_and_go_first_when_it_is_back(
    own: Stack, tmp_path: Path
) -> None:
    kafka = own.endpoints().kafka
    senders = Senders("away")
    with service(tmp_path, kafka, api_spool_bytes=1 << 20) as api:
        await senders.send(api, 3)
        assert senders.spooled == 0
        own.kill("kafka", signal.SIGSTOP)  # what is under way when it freezes goes to the disk too
        await senders.send(api, 3)
        assert senders.spooled == 3 * SUBJECTS
        own.kill("kafka", signal.SIGCONT)
        await drained(api)
        own.stop("kafka")
        await senders.send(api, 5, 20)
        said = await ready(api, 200)
        assert (said["status"], said["kafka"], said["spooled"]["events"]) == ("ready", "down", 100 * SUBJECTS)
        assert said["spooled"]["bytes"] > 100 * SUBJECTS * 200
        told = await metrics(api)
        assert told["daybook_ingest_spooled_events"] == 100 * SUBJECTS
        assert told["daybook_ingest_spool_limit_bytes"] == 1 << 20
        assert told["daybook_ingest_spool_bytes"] == told["daybook_ingest_spooled_bytes"] > 0
        assert told["daybook_kafka_up"] == 0
        sending = asyncio.create_task(senders.send(api, 40))
        own.start("kafka")
        await sending
        await drained(api)
        before = senders.spooled
        await senders.send(api, 2)
        assert senders.spooled == before, "straight into Kafka again"
        told = await metrics(api)
        assert (
            told['daybook_ingest_spool_events_total{what="stored"}']
            == (told['daybook_ingest_spool_events_total{what="replayed"}'])
        )
    senders.check(kafka)
    assert not list((tmp_path / "spool").glob("*.spool"))


@pytest.mark.slow
async def test_beyond_its_bytes_it_says_so_and_nothing_that_was_accepted_is_lost(own: Stack, tmp_path: Path) -> None:
    kafka = own.endpoints().kafka
    own.stop("kafka")
    try:
        with service(tmp_path, kafka, api_spool_bytes=20_000) as api:
            sent: list[dict[str, Any]] = []
            while True:
                event = meal("u_full")
                status, said, headers = await api.send(event)
                if status != 202:
                    break
                assert said["spooled"] is True
                sent.append(event)
            assert (status, headers["Retry-After"]) == (503, "5")
            assert 30 < len(sent) < 90
            assert sum(path.stat().st_size for path in (tmp_path / "spool").glob("*.spool")) <= 20_000
            while (await api.send(meal("u_full")))[0] == 202:  # a smaller one may still fit
                pass
    finally:
        own.start("kafka")
    with service(tmp_path, kafka) as later:  # the setting is gone, what was promised is not
        await ready(later, 200)  # it takes events once the disk is empty
        assert (await later.send(meal("u_full")))[0] == 202
    found = [value for _, key, value in stored(kafka) if key == b"u_full"]
    assert [json.dumps(event).encode() for event in sent] == found[: len(sent)]


async def test_killed_while_it_writes_and_while_it_replays_it_keeps_its_promises(own: Stack, tmp_path: Path) -> None:
    kafka = own.endpoints().kafka
    senders = Senders("killed")
    before = len(stored(kafka))
    told = {"api_spool_bytes": 64 << 20}
    own.stop("kafka")
    try:
        with service(tmp_path, kafka, **told) as api:
            sending = asyncio.create_task(senders.send(api, 1_000, 3))
            await until(lambda: senders.spooled >= 60)
            api.kill()
            await sending
        with service(tmp_path, kafka, **told) as api:
            said = await ready(api, 200)
            assert said["spooled"]["events"] >= sum(map(len, senders.accepted.values()))
            await senders.send(api, 6, 1_000)
            assert len(list((tmp_path / "spool").glob("*.spool"))) > 1, "what was left, and what came since"
            own.start("kafka")
            while len(stored(kafka)) == before:
                pass
            api.kill()
    finally:
        own.start("kafka")
    with service(tmp_path, kafka, **told) as api:
        sending = asyncio.create_task(senders.send(api, 5))
        await drained(api)
        await sending
        await drained(api)
    senders.check(kafka)
