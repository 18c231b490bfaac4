"""A store comes back from a backup older than what its sink has stored: docs/how-to/recover.md, step by step."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from drilling import Drill, drill, meal

from producers import audience, generate, truth
from producers.publish import publish

pytestmark = pytest.mark.slow  # seconds a command, and many commands: make test-drills

EVENTS = list(generate.events(users=10, days=25, seed=31))
HALF = len(EVENTS) // 2
ERASED = "u_000004"
HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def backup(ground: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copies of all three stores; since then half of the events came, and a person was erased."""
    folder = tmp_path_factory.mktemp("backup")
    with drill("A backup of each store, and life goes on", ground) as on:
        on.step("half of the events, and views")
        publish(on.kafka, [*EVENTS[:HALF], meal(ERASED, "far", "2999-01-01T12:00:00Z")])
        views = {"users": 30, "views": 300, "span_ms": HOUR_MS, "catalogue": 20}
        publish(on.kafka, audience.events(**views, start_ms=int(time.time() * 1000) - HOUR_MS))
        on.run("wait", "--timeout", 120)
        for server in ("postgres", "clickhouse", "redis"):
            on.step(f"back up {server}")
            on.back_up(server, folder)
        on.step("the other half of the events")
        publish(on.kafka, EVENTS[HALF:])
        on.run("wait", "--timeout", 120)
        on.step("one person is erased")
        on.run("erase", ERASED)
    return folder


def expected() -> dict[tuple[str, str], dict[str, object]]:
    return {key: row for key, row in truth.daily_rows(iter(EVENTS)).items() if key[0] != ERASED}


def held(on: Drill) -> dict[tuple[str, str], dict[str, object]]:
    return {key: row for key, row in on.rows().items() if key[0].startswith("u_0")}


def restored(on: Drill, store: str, backup: Path) -> str:
    """What verify says after the restore."""
    on.step(f"restore {store} from the backup")
    on.restore(store, backup)
    on.step("daybook verify finds what is missing, and the person who was erased since")
    said = on.run("verify", fails=1)
    assert "who was erased" in said
    return said


def repaired(on: Drill, store: str, *options: object) -> None:
    on.step(f"daybook repair {store}")
    said = on.run("repair", store, *options)
    assert f"{store}: " in said
    assert "1 people who had been erased" in said
    assert " 0 differences" in said
    on.step("daybook verify")
    assert " 0 differences" in on.run("verify")
    assert held(on) == expected()
    with on.postgres() as connection:
        named = connection.execute("SELECT count(*) FROM rejected WHERE key = %s", (ERASED.encode(),)).fetchone()
    assert named == (0,), "refused events of the erased came back with the backup too"


def test_postgres_restored_from_an_older_backup_is_repaired(ground: Path, backup: Path) -> None:
    with drill("PostgreSQL restored from a backup", ground) as on:
        said = restored(on, "postgres", backup)
        assert "postgres None" in said
        assert held(on) != expected()
        repaired(on, "postgres")


def test_clickhouse_restored_from_an_older_backup_is_repaired(ground: Path, backup: Path) -> None:
    with drill("ClickHouse restored from a backup", ground) as on:
        restored(on, "clickhouse", backup)
        repaired(on, "clickhouse")


def test_postgres_lost_without_a_backup_is_filled_again(ground: Path, backup: Path) -> None:
    with drill("PostgreSQL lost, and no backup", ground) as on:
        on.step("an empty server in its place")
        on.empty("postgres")
        on.step("daybook migrate")
        on.run("migrate")
        on.step("daybook repair postgres")
        assert " 0 differences" in on.run("repair", "postgres")
        assert held(on) == expected()


def test_redis_restored_from_an_older_backup_is_filled_again(ground: Path, backup: Path) -> None:
    with drill("Redis restored from a backup", ground) as on:
        restored(on, "redis", backup)
        repaired(on, "redis")
