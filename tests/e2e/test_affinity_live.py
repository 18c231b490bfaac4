"""Tastes and recommendations on real servers: what was sent is what verify finds, after kill -9 too."""

from __future__ import annotations

import functools
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import redis
from command_line import daybook, ran
from confluent_kafka import Consumer, KafkaError, TopicPartition

from daybook import settings
from daybook.verify_affinity import differences
from producers.audience import Faults, events, likes
from producers.publish import publish
from producers.tastes import Received, together
from schemas.affinity import Together, unpack_together
from streams.affinity.pairs import REACH

HOUR_MS = 3_600_000
PARTITIONS = 2


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("affinity") / "data"
    try:
        ran("up", "--detach", "--partitions", PARTITIONS, data=folder)
        yield folder
    finally:
        daybook("down", "--data", folder, timeout_s=120)


@functools.cache
def address(server: str, data: Path) -> str:
    return dict(line.split("=", 1) for line in ran("env", data=data).splitlines())[f"DAYBOOK_{server.upper()}"]


def an_audience(seed: int, views: int, users: int = 60) -> list[bytes]:
    start = int(time.time() * 1000) - 20 * HOUR_MS
    faults = Faults(bot=0.2, twice=0.2)
    return list(
        events(users=users, views=views, start_ms=start, span_ms=19 * HOUR_MS, catalogue=60, faults=faults, seed=seed)
    )


def edits(sent: Iterable[bytes]) -> Iterator[bytes]:
    """Every tenth view says something else, or nothing, the second time."""
    for number, event in enumerate(map(json.loads, sent)):
        if event["type"] == "view.recorded" and number % 10 == 0:
            data = {**event["data"], "watched_s": 0 if number % 20 else 500, "category": "edited"}
            yield json.dumps({**event, "id": event["id"] + "e", "revision": 2, "data": data}).encode()


def test_what_was_watched_becomes_tastes_and_recommendations_with_reasons_in_both_stores(data: Path) -> None:
    sent = an_audience(1, 1_500)
    publish(address("kafka", data), [*sent, *edits(sent)])
    ran("wait", "--timeout", 90, data=data)
    verified = daybook("verify", "--data", data, timeout_s=120)
    assert "the tastes of 61 users compared, 0 differences" in verified.stderr
    user = "u000007"
    seen = {e["data"]["content"] for e in map(json.loads, sent) if e["subject"] == user and "data" in e}
    shown = json.loads(ran("recommend", user, "-n", 50, "--json", data=data))
    ids = [entry["id"] for entry in shown["entries"]]
    assert len(ids) == len(set(ids)) > 20
    assert not seen & set(ids)
    strongest = sorted(shown["tastes"]["categories"], key=shown["tastes"]["categories"].get)
    assert set(strongest[-2:]) >= set(likes(7, 1)) - {"edited"}
    with redis.Redis.from_url(address("redis", data), decode_responses=True) as store:
        assert store.lrange(f"daybook:recommendations:{user}", 0, -1) == ids
    with psycopg.connect(address("postgres", data)) as connection:
        rows = connection.execute("SELECT id FROM recommendations WHERE user_id = %s ORDER BY rank", (user,)).fetchall()
        assert [item for (item,) in rows] == ids
        connection.execute("UPDATE user_tastes SET events = events + 1 WHERE user_id = %s", (user,))
    _, (wrong,) = differences(settings.read(data=data))
    assert wrong.startswith(f"{user} tastes, events: ")
    with psycopg.connect(address("postgres", data)) as connection:
        connection.execute("UPDATE user_tastes SET events = events - 1 WHERE user_id = %s", (user,))
    cold = ran("recommend", "who-has-just-come", "--region", "DE", data=data)
    assert "place 1 of what trends in DE" in cold


def counts(kafka: str) -> tuple[Counter[str], Counter[tuple[str, str]]]:
    """What stage one said last of each item and source partition, added up."""
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "test", "enable.partition.eof": True})
    consumer.assign([TopicPartition("liked-together", number, 0) for number in range(PARTITIONS)])
    last: dict[tuple[str, int], Together] = {}
    left = PARTITIONS
    while left:
        message = consumer.poll(10.0)
        assert message is not None
        if message.error() is not None:
            assert message.error().code() == KafkaError._PARTITION_EOF
            left -= 1
            continue
        last |= {(each.item, each.source): each for each in unpack_together(message.value() or b"")}
    consumer.close()
    users: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    for each in last.values():
        users[each.item] += each.users
        pairs.update({(each.item, other): both for other, both in each.near if each.item < other})
    return +users, +pairs


@pytest.mark.slow
def test_after_kills_tastes_and_counts_are_those_of_one_pass_over_what_was_sent(data: Path) -> None:
    sent = an_audience(2, 6_000)
    sent += edits(sent)

    def paced() -> Iterator[bytes]:
        for number, event in enumerate(sent):
            if number % 10 == 0:
                time.sleep(0.01)
            yield event

    kafka = address("kafka", data)
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(publish, kafka, paced())
        for _ in range(3):
            time.sleep(1.0)
            lines = ran("status", data=data).splitlines()
            (pid,) = [int(line.split()[2]) for line in lines if line.startswith("worker-affinity")]
            os.kill(pid, signal.SIGKILL)
            ran("up", "--detach", data=data)
        sending.result(timeout=60)
    ran("wait", "--timeout", 90, data=data)
    assert "0 differences" in daybook("verify", "--data", data, timeout_s=120).stderr
    every = [Received(key, raw, ms) for key, raw, ms in of_clickhouse(data)]
    assert len(every) > len(sent)
    assert counts(kafka) == together(every, REACH)


def of_clickhouse(data: Path) -> list[tuple[bytes, bytes, int]]:
    import clickhouse_connect

    query = "SELECT subject, raw, toUnixTimestamp64Milli(received_at) FROM events WHERE topic = 'views'"
    with clickhouse_connect.get_client(dsn=address("clickhouse", data), autogenerate_session_id=False) as client:
        rows = client.query(query, column_formats={"raw": "bytes"}).result_rows
    return [(user.encode(), bytes(raw), ms) for user, raw, ms in rows]
