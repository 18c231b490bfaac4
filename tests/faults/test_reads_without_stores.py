"""Readers go on while Redis, then PostgreSQL too, is stopped: what can be answered is, the rest is told so at once."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from api_rig import Service, service, token
from sink_kit import make, row

from api.stores import POSTGRES_S
from schemas.progress import ProgressRow
from sinks.batch import Batch
from sinks.migrate import migrate
from stack.stack import Stack

pytestmark = pytest.mark.slow

DAY = "2026-03-31"
KNOWN = 60
"""Users who are read all the time."""
READERS = 8
ENOUGH = {"known": 60, "new": 10}
"""Answers of a phase, by kind of user."""
DEADLINE_S = 60


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Stores that this test stops, with rows of users who are read and of users whom nobody reads before."""
    stack = Stack(tmp_path_factory.mktemp("readers-stack"))
    try:
        stack.up(["postgres", "redis"])
        asyncio.run(_fill(stack))
        yield stack
    finally:
        stack.down()


async def _fill(own: Stack) -> None:
    await migrate(own.endpoints().postgres, None)
    users = [f"u_{number}" for number in range(KNOWN)] + [f"new_{number}" for number in range(5_000)]
    for role in ("postgres", "redis"):
        sink = make(role, own.endpoints()).sink
        await sink.open()
        await sink.write(
            Batch(
                daily=[row(user, 1, DAY) for user in users],
                progress=[ProgressRow(user, 1, DAY, DAY, 1) for user in users],
            )
        )
        await sink.close()


@dataclass
class Readers:
    """Some who read the same users again and again, and one who reads users whom nobody has read."""

    api: Service
    phase: str = "before"
    seen: dict[tuple[str, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """Phase and kind of user → what they were answered."""
    refused_s: list[float] = field(default_factory=list)
    """How long a 503 took, where the stores had been away for a moment."""
    ends: bool = False

    async def again_and_again(self, session: aiohttp.ClientSession, first: int) -> None:
        number = first
        while not self.ends:
            number += 1
            user = f"u_{number % KNOWN}"
            what = f"days?from={DAY}&to={DAY}" if number // KNOWN % 2 else "progress"
            await self._ask(session, "known", f"/v1/users/{user}/{what}")

    async def never_before(self, session: aiohttp.ClientSession) -> None:
        number = 0
        while not self.ends:
            number += 1
            await self._ask(session, "new", f"/v1/users/new_{number}/progress")

    async def until(self, true: Callable[[], bool]) -> None:
        """Let them read until this is so."""
        deadline = time.monotonic() + DEADLINE_S
        while not true():
            assert time.monotonic() < deadline, (self.phase, self.seen)
            await asyncio.sleep(0.05)

    async def some(self, phase: str) -> None:
        """Let them read until enough of both kinds were answered in this phase."""
        self.phase = phase
        await self.until(lambda: all(self.seen[phase, kind].total() >= enough for kind, enough in ENOUGH.items()))

    async def down(self, session: aiohttp.ClientSession, *stores: str) -> None:
        """Until the service says so of these."""
        said: dict[str, str] = {}
        deadline = time.monotonic() + DEADLINE_S
        while any(said.get(store) != "down" for store in stores):
            assert time.monotonic() < deadline, said
            async with session.get("/readyz?part=read") as answer:
                said = await answer.json(content_type=None)
            await asyncio.sleep(0.05)

    async def _ask(self, session: aiohttp.ClientSession, kind: str, path: str) -> None:
        phase, began = self.phase, time.monotonic()
        async with session.get(path) as answer:
            said = await answer.json(content_type=None)
            what = str(answer.status)
            if answer.status == 503:
                assert answer.headers["Retry-After"] == "2"
                assert said["detail"] == "the stores do not answer"
                if phase == self.phase == "without both":
                    self.refused_s.append(time.monotonic() - began)
            elif "stale_s" in said:
                what = "stale"
            elif answer.status == 200:
                assert said["user_id"] == path.split("/")[3]
        self.seen[phase, kind][what] += 1
        await asyncio.sleep(0.01)


async def test_readers_get_what_is_left_and_clear_words_for_the_rest(own: Stack, tmp_path: Path) -> None:
    at = own.endpoints()
    with service(tmp_path, "127.0.0.1:1", redis=at.redis, postgres=at.postgres) as api:
        readers = Readers(api)
        who = {"Authorization": f"Bearer {token('app', 'service')}"}
        async with aiohttp.ClientSession(api.url, headers=who) as session:
            for number in range(KNOWN):  # each was answered once
                for what in ("progress", f"days?from={DAY}&to={DAY}"):
                    async with session.get(f"/v1/users/u_{number}/{what}") as answer:
                        assert answer.status == 200
            reading = [asyncio.create_task(readers.again_and_again(session, 7 * n)) for n in range(READERS)]
            reading.append(asyncio.create_task(readers.never_before(session)))
            await readers.some("before")
            readers.phase = "while Redis goes"
            await asyncio.to_thread(own.kill, "redis", signal.SIGKILL)
            await readers.some("without Redis")
            readers.phase = "while PostgreSQL goes"
            await asyncio.to_thread(own.stop, "postgres")
            await readers.down(session, "redis", "postgres")
            await readers.some("without both")
            readers.phase = back = "while they come back"
            await asyncio.to_thread(own.start, "postgres")
            await asyncio.to_thread(own.start, "redis")
            await readers.until(lambda: readers.seen[back, "new"]["200"] > 0)
            await readers.some("again")
            readers.ends = True
            await asyncio.gather(*reading)
    seen: dict[str, dict[str, Counter[str]]] = defaultdict(dict)
    for (phase, kind), counts in readers.seen.items():
        seen[phase][kind] = counts
    print({phase: {kind: dict(counts) for kind, counts in kinds.items()} for phase, kinds in seen.items()})
    known = Counter[str]()
    for kinds in seen.values():
        known += kinds["known"]
    errors = known.total() - known["200"] - known["stale"]
    assert known.total() >= 5 * ENOUGH["known"], seen
    assert errors * 1_000 < known.total(), seen
    assert known["stale"], seen
    assert seen["without Redis"]["new"].keys() == {"200"}, "PostgreSQL has them"
    assert seen["without both"]["new"].keys() == {"503"}, "what was never read is not made up"
    assert seen["again"]["new"].keys() == {"200"}
    every = {what for counts in readers.seen.values() for what in counts}
    assert every <= {"200", "stale", "503"}, seen
    readers.refused_s.sort()
    half = readers.refused_s[len(readers.refused_s) // 2]
    assert half < POSTGRES_S / 2, "one a second asks again, the others do not wait as long as it does"
