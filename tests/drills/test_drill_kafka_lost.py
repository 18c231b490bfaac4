"""Kafka's disk is gone: an empty one is filled from the stores, and all goes on under higher versions."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import clickhouse_connect
import pytest
from drilling import Drill, drill, meal

from daybook import generations, settings, workers
from producers import audience, generate, truth
from producers.publish import publish
from schemas.topics import REBUILDS_APART, TOPICS, generation_of
from stack.stack import Stack

pytestmark = pytest.mark.slow  # seconds a command, and many commands: make test-drills

EVENTS = [event.replace(b'"subject":"u_', b'"subject":"k_') for event in generate.events(users=8, days=20, seed=47)]
HALF = len(EVENTS) // 2
ERASED, LATE = "k_000002", "k_late"
DAY = "2026-03-05"
LATE_MEAL_AT = f"{DAY}T12:00:00Z"
HOUR_MS = 3_600_000


def rows_of_old(on: Drill, at: settings.Settings, generation: int) -> int:
    """How many daily rows with anything on them are of another generation."""
    query = "select count(*) from user_metrics_daily where entities is not null and version >> 40 <> %s"
    with on.postgres() as connection:
        row = connection.execute(query, (generation,)).fetchone()
    with clickhouse_connect.get_client(dsn=at.address("clickhouse")) as client:
        query = f"SELECT count() FROM daily_current WHERE bitShiftRight(version, 40) != {generation}"
        assert row is not None
        return int(row[0]) + int(client.query(query).result_rows[0][0])


def of_drill(on: Drill) -> dict[tuple[str, str], dict[str, object]]:
    return {key: row for key, row in on.rows().items() if key[0].startswith("k_")}


def test_kafka_lost_with_all_its_data_is_filled_again_from_the_stores(ground: Path) -> None:
    with drill("Kafka lost with all its data", ground) as on:
        at = settings.read(data=ground)
        on.step("events, views, a refused event; a list item is blocked, a person erased")
        publish(on.kafka, EVENTS[:HALF])
        views = {"users": 30, "views": 300, "span_ms": HOUR_MS, "catalogue": 20}
        publish(on.kafka, audience.events(**views, start_ms=int(time.time() * 1000) - HOUR_MS))
        publish(on.kafka, [meal("k_far", "far", "2999-01-01T12:00:00Z")])
        on.run("wait", "--timeout", 120)
        item = on.run("trending", "show", "videos", "-n", 1).split()[1]
        on.run("trending", "block", "videos", item, "--reason", "drill")
        on.run("erase", ERASED)
        on.run("wait", "--timeout", 120)
        known = generations.read(on.kafka)
        assert known is not None
        rejected = on.run("rejected", "list")
        assert "k_far" in rejected or "2999" in rejected or "meals" in rejected

        on.step("ClickHouse stops taking; one more event reaches the other stores")
        workers.stop(ground, ["clickhouse"])
        publish(on.kafka, [meal(LATE, "late", LATE_MEAL_AT)])
        deadline = time.monotonic() + 120
        while (LATE, DAY) not in on.rows():
            assert time.monotonic() < deadline
            time.sleep(0.2)

        on.step("Kafka is killed, and its folder deleted")
        servers = Stack(ground, say=lambda line: None)
        servers.kill("kafka")
        servers.stop("kafka")
        shutil.rmtree(ground / "kafka")
        on.step("daybook up refuses to begin beside stores that hold rows")
        said = on.run("up", "--detach", fails=78)
        assert "daybook rebuild --from-stores" in said

        on.step("daybook rebuild --from-stores")
        said = on.run("rebuild", "--from-stores")
        assert "They are lost" in said
        assert f"{LATE} {DAY} meals_logged: events None" in said
        on.step("daybook up")
        on.run("up", "--detach")
        on.run("wait", "--timeout", 120)
        on.step("daybook repair takes back what nothing stored says any more")
        assert " 0 differences" in on.run("repair")
        after = generations.read(on.kafka)
        assert after is not None
        assert (after.rebuilds, after.partitions) == (known.rebuilds + 1, known.partitions)
        assert set(after.topics) == {topic.name for topic in TOPICS}
        assert rows_of_old(on, at, generation_of(after.rebuilds)) == 0
        assert generation_of(after.rebuilds) > REBUILDS_APART
        half = truth.daily_rows(iter(EVENTS[:HALF]))
        assert of_drill(on) == {key: row for key, row in half.items() if key[0] != ERASED}
        assert len(on.run("rejected", "list").splitlines()) == len(rejected.splitlines())
        assert item not in on.run("trending", "show", "videos", "-n", 100).split()

        on.step("publishers go on: the other half, the lost event again, and the erased person's phone")
        publish(on.kafka, [*EVENTS[HALF:], meal(LATE, "late", LATE_MEAL_AT)])
        on.run("wait", "--timeout", 120)
        on.step("daybook verify")
        assert " 0 differences" in on.run("verify")
        late = truth.daily_rows(iter([*EVENTS, meal(LATE, "late", LATE_MEAL_AT)]))
        assert of_drill(on) == {key: row for key, row in late.items() if key[0] != ERASED}
        said = on.run("rebuild", "--from-stores", fails=1)
        assert "is not empty" in said, "a Kafka that holds a Daybook is never emptied by this"
        on.run("up", "--detach")
