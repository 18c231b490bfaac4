"""A trace leads from the request that brought an event to the stores that hold what it came to."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import aiohttp
import pytest
from api_rig import meal
from collector import collector
from command_line import daybook

from daybook import serving, settings

DEADLINE_S = 90
pytestmark = pytest.mark.slow  # alone on its stack: sinks that other tests started again are not traced


@pytest.fixture(scope="module")
def api(shared: Path) -> str:
    done = daybook("up", "--detach", "--api", "--data", shared, timeout_s=120, env=collector().environment)
    assert done.returncode == 0, done.stderr
    address = serving.address(settings.read(data=shared))
    assert address is not None
    return address


async def test_one_events_trace_reaches_from_its_post_to_every_store(shared: Path, api: str) -> None:
    user = "u_traced"
    token = serving.token(settings.read(data=shared), user, "user", 600)
    began_ns = time.time_ns()
    async with aiohttp.ClientSession() as session:
        headers = {"Authorization": f"Bearer {token}"}
        async with session.post(f"{api}/v1/events", json=[meal(user), meal(user)], headers=headers) as answer:
            assert answer.status == 202, await answer.text()
    found = collector()
    deadline = time.monotonic() + DEADLINE_S
    ends = ("store postgres", "store clickhouse", "store redis", "fold daily")
    while True:
        posts = [span for span in found.spans if span.name == "POST /v1/events" and span.began_ns >= began_ns]
        ways = {name: found.leads_to(posts[0], name) if posts else [] for name in ends}
        if all(ways.values()):
            break
        assert time.monotonic() < deadline, (ways, [span[:2] for span in found.spans][-50:])
        await asyncio.sleep(0.2)
    (post,) = posts
    assert post.service == "daybook-api"
    assert "202" in post.attributes["http.response.status_code"]
    stored = ways["store postgres"]
    assert [(span.service, span.name) for span in stored[:4]] == [
        ("daybook-api", "POST /v1/events"),
        ("daybook-api", "send events"),
        ("daybook-streams", "fold meals"),
        ("daybook-streams", "commit"),
    ]
    assert stored[-1].service == "daybook-postgres"
    assert "2" in stored[1].attributes["messaging.batch.message_count"]
    assert ways["fold daily"][-1].service == "daybook-progress"
    assert not any(user in str(span) for span in found.spans), "nobody's name is in a trace"
