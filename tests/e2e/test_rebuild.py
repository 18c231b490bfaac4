"""Another number of partitions, and a topic made again, on a live stack: refused, rebuilt, exact."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import clickhouse_connect
import psycopg
import pytest
from command_line import daybook
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic
from stored_days import stored_days

from daybook import rebuild, running
from producers import audience, generate, truth
from producers.publish import publish
from schemas.topics import GENERATION, MEALS, REBUILDS_APART, TOPICS

pytestmark = pytest.mark.slow  # minutes: workers leave, come and are waited for, several times over

POPULATION = {"users": 12, "days": 20, "seed": 7}
EVENTS = list(generate.events(**POPULATION))
HOUR_MS = 3_600_000
WATCHED = {"users": 40, "views": 600, "span_ms": HOUR_MS, "catalogue": 30}


def run(*words: object, data: Path, fails: int = 0) -> str:
    done = daybook(*words, "--data", data, timeout_s=240)
    assert done.returncode == fails, f"{words}: {done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def address(server: str, data: Path) -> str:
    lines = dict(line.split("=", 1) for line in run("env", data=data).splitlines())
    return lines[f"DAYBOOK_{server.upper()}"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder in which everything runs, with three partitions, and half of a population's events."""
    folder = tmp_path_factory.mktemp("rebuild") / "data"
    try:
        run("up", "--detach", "--partitions", 3, data=folder)
        publish(address("kafka", folder), EVENTS[: len(EVENTS) // 2])
        publish(address("kafka", folder), audience.events(**WATCHED, start_ms=int(time.time() * 1000) - HOUR_MS))
        run("wait", "--timeout", 90, data=folder)
        yield folder
    finally:
        daybook("down", "--data", folder, timeout_s=120)


def generations(data: Path) -> set[int]:
    """Which generations the stores' daily rows are of; rows of nulls equal no rows."""
    query = "select distinct version >> 40 from user_metrics_daily where entities is not null"
    with psycopg.connect(address("postgres", data)) as connection:
        found = {generation for (generation,) in connection.execute(query).fetchall()}
    with clickhouse_connect.get_client(dsn=address("clickhouse", data)) as client:
        query = "SELECT DISTINCT bitShiftRight(version, 40) FROM daily_current"
        return found | {generation for (generation,) in client.query(query).result_rows}


def received(data: Path) -> int:
    """How many events the ledger's positions account for; each of them adds up."""
    with clickhouse_connect.get_client(dsn=address("clickhouse", data)) as client:
        rows = client.query(
            "SELECT received, applied + duplicate + superseded + rejected + pending FROM positions_current"
            " WHERE topic NOT IN ('hints', 'loaded')"
        ).result_rows
    assert all(received == accounted for received, accounted in rows)
    return sum(received for received, _ in rows)


def words(data: Path) -> list[tuple[object, ...]]:
    """What admins said about trending, as PostgreSQL keeps it."""
    with psycopg.connect(address("postgres", data)) as connection:
        return connection.execute("select kind, id, blocked, reason, at from trending_blocks order by at").fetchall()


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_another_number_of_partitions_is_refused_and_a_rebuild_is_exact_and_wins(data: Path) -> None:
    half = len(EVENTS) // 2
    assert received(data) == half
    blocked = {kind: run("trending", "show", kind, "-n", 1, data=data).split()[1] for kind in ("videos", "sounds")}
    for kind, item in blocked.items():
        run("trending", "block", kind, item, "--reason", "asked by its creator", data=data)
    run("wait", data=data)
    before = words(data)
    assert len(before) == 2
    running.stop_workers(data, print)
    admin = AdminClient({"bootstrap.servers": address("kafka", data), "log_level": 0})
    for future in admin.create_partitions([NewPartitions(t.name, 5) for t in TOPICS]).values():
        future.result(10)
    deadline = time.monotonic() + 20
    while any(len(admin.list_topics(timeout=5).topics[t.name].partitions) != 5 for t in TOPICS):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    for role in ("streams", "redis"):
        said = run("worker", "--role", role, data=data, fails=78)
        assert "5 partitions, and the state was folded with 3" in said
        assert "daybook rebuild --partitions 5" in said
    assert "daybook rebuild --partitions 5" in run("up", "--detach", data=data, fails=78)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rebuild, "_forget_places", interrupt)
        with pytest.raises(KeyboardInterrupt):
            rebuild.rebuild(running.of_folder(data), 5, print)
    assert "begun and is not finished: daybook rebuild" in run("worker", "--role", "redis", data=data, fails=78)

    assert "rebuilds 1" in run("rebuild", "--partitions", 5, data=data)
    run("up", "--detach", data=data)
    run("wait", "--timeout", 120, data=data)
    run("verify", data=data)
    assert received(data) == half
    assert generations(data) == {GENERATION + REBUILDS_APART}
    assert stored_days(address("postgres", data)) == truth.daily_rows(iter(EVENTS[:half]))

    assert words(data) == before
    for kind, item in blocked.items():
        assert item not in run("trending", "show", kind, "-n", 100, data=data).split()
        run("trending", "unblock", kind, item, "--reason", "they changed their mind", data=data)
    run("wait", data=data)
    for kind, item in blocked.items():
        assert item in run("trending", "show", kind, "-n", 100, data=data).split()
    assert len(words(data)) == 4

    publish(address("kafka", data), EVENTS[half:])
    run("wait", "--timeout", 120, data=data)
    run("verify", data=data)
    assert stored_days(address("postgres", data)) == truth.daily_rows(iter(EVENTS)), (
        "what was moved and what is new meet in one owner"
    )


def test_a_topic_made_again_is_refused_and_a_rebuild_keeps_what_its_events_said(data: Path) -> None:
    before = stored_days(address("postgres", data))
    running.stop_workers(data, print)
    admin = AdminClient({"bootstrap.servers": address("kafka", data), "log_level": 0})
    count = len(admin.list_topics(timeout=5).topics["meals"].partitions)
    admin.delete_topics(["meals"])["meals"].result(10)
    deadline = time.monotonic() + 30
    while True:
        try:
            admin.create_topics([NewTopic("meals", count, 1, config=MEALS.config)])["meals"].result(10)
            break
        except Exception:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    for role in ("streams", "clickhouse"):
        assert "the topic meals was deleted and made again" in run("worker", "--role", role, data=data, fails=78)
    assert "rebuilds " in run("rebuild", data=data)
    run("up", "--detach", data=data)
    run("wait", "--timeout", 120, data=data)
    run("verify", data=data)
    assert stored_days(address("postgres", data)) == before, "winners outlive their events"
