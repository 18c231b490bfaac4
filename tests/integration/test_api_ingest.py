"""POST /v1/events on a real broker: what is accepted is in Kafka, and nothing that is not in Kafka was accepted."""

from __future__ import annotations

import asyncio
import gzip
import json
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard
from aiokafka.partitioner import murmur2
from api_rig import Service, kafka_alone, meal, memory_mib, ready, service, stored, token

from stack.stack import Stack

PARTITIONS = 4
BATCH = "application/cloudevents-batch+json"
LINES = "application/x-ndjson"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A Kafka that these tests may stop."""
    with kafka_alone(tmp_path_factory.mktemp("api-stack"), PARTITIONS) as stack:
        yield stack


@pytest.fixture(scope="module")
def kafka(own: Stack) -> str:
    return own.endpoints().kafka


@pytest.fixture(scope="module")
def api(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service(tmp_path_factory.mktemp("api"), kafka, api_origins="https://app.example") as running:
        yield running


def values(kafka: str) -> Counter[bytes]:
    return Counter(value for _, _, value in stored(kafka))


async def test_what_is_accepted_is_in_kafka_as_it_was_written_under_its_subject(api: Service, kafka: str) -> None:
    bodies = [json.dumps(meal(), indent=1).encode() for _ in range(9)]
    status, said, headers = await api.send(bodies[0], "application/cloudevents+json")
    assert (status, said) == (
        202,
        {"accepted": 1, "duplicate": 0, "refused": 0, "results": [{"index": 0, "status": "accepted"}]},
    )
    assert headers["X-Request-Id"]
    status, said, _ = await api.send(b"[" + b",".join(bodies[1:5]) + b"]", BATCH)
    assert (status, said["accepted"]) == (202, 4)
    lines = b"\n".join(json.dumps(json.loads(body)).encode() for body in bodies[5:])
    for packed, coding in ((gzip.compress(lines), "gzip"), (zstandard.compress(lines), "zstd")):
        status, said, _ = await api.send(packed, LINES, Content_Encoding=coding)
        assert status == 202
    assert said["duplicate"] == 4, "sent again: free, and not stored again"
    found = {value: (partition, key) for partition, key, value in stored(kafka)}
    for body in [*bodies[:5], *lines.split(b"\n")]:
        partition, key = found[body]
        assert key == json.loads(body)["subject"].encode()
        assert partition == (murmur2(key) & 0x7FFFFFFF) % PARTITIONS


async def test_what_is_refused_stops_nothing_and_is_not_stored(api: Service, kafka: str) -> None:
    good, bad = meal(), meal(data={"meal_type": "lunch", "items": [{"name": "Soup", "energy_kcal": -1}]})
    body = b"\n".join([b"no json", json.dumps(bad).encode(), json.dumps(good).encode(), json.dumps(good).encode()])
    status, said, _ = await api.send(body, LINES)
    assert status == 202
    assert [result["status"] for result in said["results"]] == ["refused", "refused", "accepted", "duplicate"]
    assert said["results"][1]["pointer"] == "/data/items/0/energy_kcal"
    assert (said["accepted"], said["duplicate"], said["refused"]) == (1, 1, 2)
    assert [values(kafka)[json.dumps(event).encode()] for event in (good, bad)] == [1, 0]


async def test_nobody_passes_without_a_token_and_a_user_writes_only_its_own(api: Service, kafka: str) -> None:
    async with api.session() as session:
        for sent in ({}, {"Authorization": "Bearer"}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer x"}):
            async with session.post("/v1/events", json=meal(), headers=sent) as answer:
                assert answer.status == 401
                assert answer.headers["WWW-Authenticate"].startswith("Bearer")
                assert (await answer.json(content_type=None))["status"] == 401
    status, said, _ = await api.send(meal("u_a"), token=token("u_a", lifetime_s=-60))
    assert (status, said["detail"]) == (401, "the token has expired")
    mine, theirs = meal("u_a"), meal("u_b")
    status, said, _ = await api.send([mine, theirs], token=token("u_a"))
    assert (status, [result["status"] for result in said["results"]]) == (202, ["accepted", "refused"])
    assert said["results"][1]["reason"] == "the token does not speak for this subject"
    assert [values(kafka)[json.dumps(event).encode()] for event in (mine, theirs)] == [1, 0]
    assert "Bearer" not in api.log.read_text()
    assert token("u_a")[:20] not in api.log.read_text()


@pytest.mark.slow
async def test_limits_are_told_before_anything_is_stored(kafka: str, tmp_path: Path) -> None:
    with service(tmp_path, kafka, api_events=3, api_body_bytes=4_096) as small:
        four = [meal() for _ in range(4)]
        for body, kind, headers, status in (
            (four, BATCH, {}, 413),
            (b" " * 5_000, LINES, {}, 413),
            (gzip.compress(b" " * 5_000_000), LINES, {"Content_Encoding": "gzip"}, 413),
            (b"{}", LINES, {"Content_Encoding": "br"}, 415),
            (b"{}", LINES, {"Content_Encoding": "gzip"}, 400),
            (b"{}", "text/plain", {}, 415),
            (b"[{]", BATCH, {}, 400),
        ):
            got, said, _ = await small.send(body, kind, **headers)
            assert (got, said["status"]) == (status, status), said
            assert said["request"]
        deep = json.dumps(meal()).encode()[:-1] + b', "more": ' + b"[" * 50 + b"]" * 50 + b"}"
        _, said, _ = await small.send(deep)
        assert said["refused"] == 1
        assert not any(values(kafka)[json.dumps(event).encode()] for event in four)


async def test_health_metrics_description_and_headers_are_there(api: Service) -> None:
    async with api.session() as session:
        for path in ("/healthz", "/readyz", "/metrics", "/openapi.json"):
            async with session.get(path) as answer:
                assert answer.status == 200, path
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                text = await answer.text()
            if path == "/metrics":
                assert 'daybook_ingest_events_total{verdict="accepted"}' in text
                assert "daybook_kafka_up 1.0" in text
            if path == "/openapi.json":
                assert json.loads(text)["openapi"].startswith("3.1")
        for method, path, status in (("GET", "/nowhere", 404), ("GET", "/v1/events", 405), ("PUT", "/healthz", 405)):
            async with session.request(method, path, headers={"X-Request-Id": "mine-7"}) as answer:
                assert (answer.status, answer.headers["X-Request-Id"]) == (status, "mine-7")
                assert answer.content_type == "application/problem+json"
        asks = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
        async with session.options("/v1/events", headers=asks) as answer:
            assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example"
        async with session.options("/v1/events", headers=asks | {"Origin": "https://evil.example"}) as answer:
            assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.slow
async def test_health_can_be_closed(kafka: str, tmp_path: Path) -> None:
    with service(tmp_path, kafka, api_open_health=0) as closed:
        async with closed.session() as session:
            for who, status in ((None, 401), (token("u", "user"), 403), (token("op", "admin"), 200)):
                headers = {} if who is None else {"Authorization": f"Bearer {who}"}
                async with session.get("/metrics", headers=headers) as answer:
                    assert answer.status == status
            async with session.get("/healthz") as answer:
                assert answer.status == 200


async def test_many_at_once_are_all_stored_and_a_client_that_leaves_harms_nobody(api: Service, kafka: str) -> None:
    batches = [[meal() for _ in range(50)] for _ in range(40)]

    async def left() -> None:
        _, writer = await asyncio.open_connection(*api.url.removeprefix("http://").split(":"))
        head = (
            f"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.token}\r\nContent-Length: 999\r\n\r\n"
        )
        writer.write(head.encode() + b'{"spec')
        await writer.drain()
        writer.close()

    answers = await asyncio.gather(*(api.send(batch, BATCH) for batch in batches), *(left() for _ in range(10)))
    assert [answer[1]["accepted"] for answer in answers if answer] == [50] * 40
    found = values(kafka)
    assert all(found[json.dumps(event).encode()] == 1 for batch in batches for event in batch)
    async with api.session() as session, session.get("/metrics") as answer:
        assert "daybook_ingest_held_bytes 0.0" in await answer.text()


async def test_without_kafka_it_says_so_at_once_keeps_its_memory_and_takes_events_when_kafka_is_back(
    own: Stack, api: Service, kafka: str
) -> None:
    sent = [meal() for _ in range(20)]
    accepted: list[dict[str, Any]] = []
    own.kill("kafka", signal.SIGSTOP)  # frozen: connections stay open, nobody answers
    try:
        status, said, headers = await api.send(sent[0])
        assert (status, headers["Retry-After"]) == (503, "2"), said
        before = memory_mib(api.pid)
        began = time.monotonic()
        many = await asyncio.gather(*(api.send([meal() for _ in range(100)], BATCH) for _ in range(200)))
        assert {status for status, _, _ in many} == {503}
        assert time.monotonic() - began < 20, "503 at once, not after a wait each"
        assert memory_mib(api.pid) - before < 64
    finally:
        own.kill("kafka", signal.SIGCONT)
    await ready(api, 200)
    own.stop("kafka")
    await ready(api, 503)
    async with api.session() as session, session.get("/healthz") as answer:
        assert answer.status == 200, "a restart would not bring Kafka back"
    for event in sent[:5]:
        assert (await api.send(event))[0] == 503
    own.start("kafka")
    await ready(api, 200)
    for event in sent:
        status, said, _ = await api.send(event)
        if status == 202:
            accepted += [event] * said["accepted"]
    found = values(kafka)
    assert len(accepted) == len(sent), "503 is no verdict: it is sent again, and accepted then"
    assert all(found[json.dumps(event).encode()] >= 1 for event in sent)


@pytest.mark.slow
async def test_it_starts_while_kafka_is_away(tmp_path: Path) -> None:
    with service(tmp_path, "127.0.0.1:1") as alone:
        await ready(alone, 503)
        assert (await alone.send(meal()))[0] == 503
        async with alone.session() as session:
            sent: Any = {"Authorization": f"Bearer {alone.token}"}
            async with session.post("/v1/events", data=endless(), headers=sent) as answer:
                assert answer.status == 503, "answered before the body has ended"


async def endless() -> Any:
    while True:
        yield b" " * 65_536
        await asyncio.sleep(0)
