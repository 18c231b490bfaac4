"""The role audit on a live stack: canaries leave no trace, tampered cells are found, repaired, explained."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import clickhouse_connect
import psycopg
import pytest
import redis
from command_line import daybook

from daybook.scrape import scrape, total
from producers import generate
from producers.publish import publish
from schemas.metrics import SINK_ROLES

pytestmark = pytest.mark.slow  # minutes: workers leave, come and are waited for, several times over

POPULATION = {"users": 12, "days": 20, "seed": 5}
QUICK = {"DAYBOOK_CANARY_EVERY_S": "1", "DAYBOOK_AUDIT_PAUSE_S": "0.5"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder in which everything runs, audit too, and a population lives."""
    folder = tmp_path_factory.mktemp("audit") / "data"
    try:
        up = daybook("up", "--detach", "--audit", "--partitions", 3, "--data", folder, env=QUICK, timeout_s=180)
        assert up.returncode == 0, up.stderr
        publish(address("kafka", folder), generate.events(**POPULATION))
        wait(folder)
        yield folder
    finally:
        daybook("down", "--data", folder, timeout_s=120)


def address(server: str, folder: Path) -> str:
    lines = dict(line.split("=", 1) for line in daybook("env", "--data", folder).stdout.splitlines())
    return lines[f"DAYBOOK_{server.upper()}"]


def wait(folder: Path) -> None:
    done = daybook("wait", "--timeout", 90, "--data", folder, timeout_s=120)
    assert done.returncode == 0, done.stderr


def metrics_of(role: str, folder: Path) -> str:
    rows = {line.split()[0]: line.split() for line in daybook("status", "--data", folder).stdout.splitlines()}
    return rows[role][9]


def until(true: Callable[[], bool], what: str, timeout_s: float = 90) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


def test_canaries_are_seen_in_every_store_and_no_analyst_counts_them(data: Path) -> None:
    audit = metrics_of("worker-audit", data)

    def seen() -> bool:
        said = scrape(audit)
        return all((total(said, "daybook_freshness_seconds_count", store=store) or 0) >= 4 for store in SINK_ROLES)

    until(seen, "four canaries in each store")
    said = scrape(audit)
    assert not total(said, "daybook_canaries_lost_total")
    sizes, free = (
        {s.labels["disk"]: s.value for s in said[f"daybook_disk_{what}"]} for what in ("bytes", "free_bytes")
    )
    assert set(sizes) == set(free) == {"data", "clickhouse/default"}, "ClickHouse tells the audit of its disks"
    assert all(0 < free[disk] < sizes[disk] for disk in sizes)
    assert (total(said, "daybook_redis_memory_bytes") or 0) > 100_000
    status = {line.split()[0]: line.split() for line in daybook("status", "--data", data).stdout.splitlines()}
    assert all(float(status[f"worker-{store}"][6]) > 0 for store in SINK_ROLES), "status tells how fresh each store is"
    with clickhouse_connect.get_client(dsn=address("clickhouse", data)) as client:
        for view, user in (
            *(("events", "subject"), ("events_current", "subject"), ("daily_current", "user_id")),
            ("progress_current", "user_id"),
        ):
            query = f"SELECT count() FROM {view} WHERE startsWith({user}, 'daybook.canary.')"
            assert client.query(query).result_rows == [(0,)], view
    with psycopg.connect(address("postgres", data)) as postgres:
        query = "SELECT count(*) FROM user_metrics_daily WHERE user_id LIKE 'daybook.canary.%' AND entities IS NOT NULL"
        assert postgres.execute(query).fetchone() == (0,)


def test_what_was_changed_in_any_store_is_found_repaired_and_explained(data: Path) -> None:
    wait(data)
    with (
        psycopg.connect(address("postgres", data), autocommit=True) as postgres,
        redis.Redis.from_url(address("redis", data), decode_responses=True) as cache,
        clickhouse_connect.get_client(dsn=address("clickhouse", data)) as client,
    ):
        days = postgres.execute(
            "SELECT user_id, date::text FROM user_metrics_daily WHERE meals_logged > 0 ORDER BY 1, 2"
        ).fetchall()
        in_postgres, in_clickhouse, in_redis, gone, higher = days[0], days[5], days[10], days[15], days[20]
        at = "WHERE user_id = %s AND date = %s"
        postgres.execute(f"UPDATE user_metrics_daily SET meals_logged = 99 {at}", in_postgres)
        postgres.execute(f"UPDATE user_metrics_daily SET water_ml = 1, version = version + 100000 {at}", higher)
        postgres.execute(f"DELETE FROM user_metrics_daily {at}", gone)
        columns = "* REPLACE (version + 1 AS version, protein_g + 1 AS protein_g)"
        where = f"WHERE user_id = '{in_clickhouse[0]}' AND date = '{in_clickhouse[1]}'"
        client.command(f"INSERT INTO daily SELECT {columns} FROM daily_current {where}")
        cache.hincrbyfloat(f"daybook:day:{in_redis[0]}:{in_redis[1]}", "energy_kcal", 0.001)
        cache.delete(f"daybook:day:{gone[0]}:{gone[1]}")
        strong, stale, lost_in_redis, still = sorted({user for user, _ in days})[-4:]
        postgres.execute("UPDATE user_progress SET covered_days = 999 WHERE user_id = %s", (strong,))
        postgres.execute("UPDATE user_streaks SET longest = 999 WHERE user_id = %s", (still,))
        client.command(
            "INSERT INTO progress SELECT * REPLACE (version + 1 AS version, covered_days + 1 AS covered_days)"
            f" FROM progress_current WHERE user_id = '{stale}'"
        )
        cache.delete(f"daybook:progress:{lost_in_redis}")
        cache.hset("daybook:progress:nobody", mapping={"version": 7, "as_of": "2026-03-01", "covered_days": 3})
        cache.hset("daybook:day:nobody:2026-03-01", mapping={"version": 1, "entities": 1, "steps": 5})
        [[lost_user, lost], [forged_user, forged]] = client.query(
            "SELECT subject, entity FROM entities_current WHERE type = 'meal.logged' AND NOT deleted"
            " ORDER BY cityHash64(subject, entity) LIMIT 2"
        ).result_rows
        one = "WHERE subject = '{}' AND entity = '{}'"
        client.command(f"ALTER TABLE entities DELETE {one.format(lost_user, lost)} SETTINGS mutations_sync = 2")
        contribution = """'{"energy_cal":7}' AS contribution"""
        where = one.format(forged_user, forged)
        client.command(f"INSERT INTO entities SELECT * REPLACE ({contribution}) FROM entities_current {where}")

        expected = {
            ("postgres", *in_postgres): "altered",
            ("postgres", *higher): "altered",
            ("postgres", *gone): "lost",
            ("clickhouse", *in_clickhouse): "altered",
            ("redis", *in_redis): "altered",
            ("redis", *gone): "lost",
            ("redis", "nobody", "2026-03-01"): "altered",
            ("postgres", strong, "progress"): "altered",
            ("postgres", still, "progress"): "altered",
            ("clickhouse", stale, "progress"): "altered",
            ("redis", lost_in_redis, "progress"): "lost",
            ("redis", "nobody", "progress"): "altered",
            ("entities", lost_user, f"{lost_user}|m|{lost}"): "lost",
            ("entities", forged_user, f"{forged_user}|m|{forged}"): "altered",
        }

        def repaired() -> bool:
            done = postgres.execute("SELECT store, user_id, what FROM audits WHERE repaired_at IS NOT NULL").fetchall()
            return expected.keys() <= set(done)

        until(repaired, "all of it is repaired", 120)
        told = postgres.execute("SELECT store, user_id, what, cause FROM audits").fetchall()
        assert {tuple(each[:3]): each[3] for each in told} == expected
        said = postgres.execute(
            "SELECT expected, found FROM audits WHERE store = 'postgres' AND user_id = %s AND what = %s", in_postgres
        ).fetchone()
        assert said is not None
        assert set(said[0]) == {"meals_logged"}
        assert said[1] == {"meals_logged": 99}
    done = daybook("verify", "--data", data, timeout_s=120)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout
    audit = scrape(metrics_of("worker-audit", data))
    assert total(audit, "daybook_audit_open") == 0
    assert total(audit, "daybook_audit_repaired_total") == len(expected)
