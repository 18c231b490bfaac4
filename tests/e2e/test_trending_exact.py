"""Duplicates, a bot, reactions taken back and kill -9: the lists are those of a clean count of what was sent."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import redis
from command_line import daybook, ran

from producers.audience import Faults, events
from producers.publish import publish

pytestmark = pytest.mark.slow
HOUR_MS = 3_600_000
VIEWS = 6_000


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("trending") / "data"
    try:
        ran("up", "--detach", data=folder)
        yield folder
    finally:
        daybook("down", "--data", folder, timeout_s=120)


def pids(data: Path) -> list[int]:
    lines = ran("status", data=data).splitlines()
    return [int(line.split()[2]) for line in lines if line.startswith(("worker-trending", "worker-lists"))]


def address(server: str, data: Path) -> str:
    return dict(line.split("=", 1) for line in ran("env", data=data).splitlines())[f"DAYBOOK_{server.upper()}"]


def viewers(sent: list[bytes]) -> dict[str, set[tuple[str, str]]]:
    """Video → (user, UTC day) of its qualified views: the plainest count there is."""
    found: dict[str, set[tuple[str, str]]] = {}
    for event in map(json.loads, sent):
        seen = event.get("data", {})
        if event["type"] == "view.recorded" and (seen["watched_s"] >= 30 or seen["watched_s"] >= seen["length_s"] / 2):
            found.setdefault(seen["content"], set()).add((event["subject"], event["time"][:10]))
    return found


def test_a_bot_duplicates_and_kills_give_the_lists_of_a_clean_count(data: Path) -> None:
    start = int(time.time() * 1000) - 20 * HOUR_MS
    sent = list(
        events(
            users=200,
            views=VIEWS,
            start_ms=start,
            span_ms=19 * HOUR_MS,
            catalogue=60,
            faults=Faults(bot=0.4, twice=0.2),
        )
    )

    def paced() -> Iterator[bytes]:
        for number, event in enumerate(sent):
            if number % 10 == 0 and number < VIEWS // 2:
                time.sleep(0.01)
            yield event

    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(publish, address("kafka", data), paced())
        for _ in range(2):
            time.sleep(1.0)
            for pid in pids(data):
                os.kill(pid, signal.SIGKILL)
            ran("up", "--detach", data=data)
        sending.result(timeout=60)
    ran("wait", "--timeout", 90, data=data)
    assert "0 differences" in daybook("verify", "--data", data, timeout_s=120).stderr
    with psycopg.connect(address("postgres", data)) as connection:
        query = "SELECT id, views, score FROM trending WHERE (kind, region, time_window) = ('videos', 'all', '24h')"
        rows = connection.execute(query).fetchall()
    counted = viewers(sent)
    assert len(rows) > 20
    assert {item: views for item, views, _ in rows} == {item: len(counted[item]) for item, _, _ in rows}
    with redis.Redis.from_url(address("redis", data), decode_responses=True) as store:
        held = store.zrange("daybook:trending:videos:all:24h", 0, -1, withscores=True)
    assert dict(held) == {item: float(score) for item, _, score in rows}
    top = ran("trending", "show", "videos", data=data).split()[1]
    assert "observed" in ran("trending", "explain", "videos", top, data=data)


def test_what_is_blocked_leaves_every_list_and_comes_back_and_every_word_is_kept(data: Path) -> None:
    top = ran("trending", "show", "videos", "-n", 1, data=data).split()[1]
    ran("trending", "block", "videos", top, "--reason", "asked by its creator", data=data)
    ran("wait", data=data)
    assert top not in ran("trending", "show", "videos", "-n", 100, data=data).split()
    assert daybook("trending", "explain", "videos", top, "--data", data).returncode == 1
    ran("trending", "unblock", "videos", top, "--reason", "they changed their mind", data=data)
    ran("wait", data=data)
    assert ran("trending", "show", "videos", "-n", 1, data=data).split()[1] == top
    with psycopg.connect(address("postgres", data)) as connection:
        words = connection.execute("SELECT id, blocked, reason FROM trending_blocks ORDER BY at").fetchall()
    assert words == [(top, True, "asked by its creator"), (top, False, "they changed their mind")]


def test_a_backtest_with_the_same_parameters_changes_nothing_and_with_others_it_does(
    data: Path, tmp_path: Path
) -> None:
    same, other = tmp_path / "same.toml", tmp_path / "other.json"
    same.write_text("")
    other.write_text('{"floor": 20}')
    times = ("--from", "2020-01-01", "--to", time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()))
    last = ran("trending", "backtest", "--params", same, *times, data=data).splitlines()[-1]
    assert last.endswith("1.000; churn 0.0%")
    last = ran("trending", "backtest", "--params", other, *times, data=data).splitlines()[-1]
    assert not last.endswith("churn 0.0%")


def test_the_daily_roll_up_counts_each_entity_once_however_often_it_runs(data: Path) -> None:
    import clickhouse_connect

    query = (
        "SELECT content, sum(qualified_views), sum(views) FROM views_daily_current GROUP BY content ORDER BY content"
    )
    found = []
    for _ in range(2):
        ran("rollup", data=data)
        with clickhouse_connect.get_client(dsn=address("clickhouse", data)) as client:
            found.append(client.query(query).result_rows)
    assert found[0] == found[1]
    with clickhouse_connect.get_client(dsn=address("clickhouse", data)) as client:
        entities = client.query(
            "SELECT uniqExact(subject, entity) FROM events WHERE type = 'view.recorded'"
        ).result_rows
    assert sum(views for _, _, views in found[0]) == entities[0][0]
