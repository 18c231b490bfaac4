"""The read side on real stores: what the sinks wrote is answered, from either store, to whom it belongs."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from api_rig import Service, service, token
from redis.asyncio import Redis
from sink_kit import make, null_row, row

from daybook.scrape import scrape, total
from schemas.affinity import Recommendations, Suggestion
from schemas.progress import ProgressRow, Record, Streak, Window
from schemas.rows import GoalDay
from schemas.trending import Entry, TrendingList
from sinks.batch import Batch
from sinks.migrate import migrate
from sinks.redis.encode import key
from stack.stack import Stack

LAST = date(2026, 3, 31)
STREAK = Streak(3, "2026-03-29", "2026-03-31", 9, "2026-01-01", "2026-01-09")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Stores that these tests may stop."""
    stack = Stack(tmp_path_factory.mktemp("read-stack"))
    try:
        stack.up(["postgres", "redis"])
        yield stack
    finally:
        stack.down()


def written() -> Batch:
    """Two users' days, progress and a list."""
    daily = [row("u_a", 7, str(LAST - timedelta(days=n)), energy_kcal=0.5 + n) for n in range(0, 60, 2)]
    daily += [row("u_b", 1, str(LAST)), null_row("u_a", 9, str(LAST - timedelta(days=1)))]
    daily += [row("u_a", 3, str(datetime.now(UTC).date() + timedelta(days=n)), meals_logged=2) for n in (-1, 0, 1)]
    goal = GoalDay("steps", 8_000.0, "at_least", 0.0, "2026-01-01", 9_000.0, 1_000.0, True)
    daily += [row("ü/today", 1, str(LAST), goals={"g": goal}, first_event_ms=1_774_915_200_000)]
    progress = ProgressRow("u_a", 7, str(LAST), str(LAST), 30, windows={"steps": Window(7.0, 1.0, 7, 28.0, 1.0, 28)})
    progress.streaks, progress.records = {"meals": STREAK}, {"steps": Record(12_345.0, "2026-02-28")}
    entries = [Entry(f"v{n}", 9_000 - n, 3.0, 1.0, 5, 4, 1.5, 0.75, "c1") for n in range(5)]
    liked = [
        Suggestion("w1", 9_000, "together", together=9_000, because="v9", both=3),
        Suggestion("w2", 8_000, "taste"),
    ]
    return Batch(
        daily=daily,
        progress=[progress],
        recommendations=[Recommendations("u_a", 1, 1_774_915_200_000, liked)],
        trending=[TrendingList("videos", "DE", "24h", 3, 1_774_915_200_000, entries)],
    )


async def fill(own: Stack) -> None:
    await migrate(own.endpoints().postgres, None)
    for role in ("postgres", "redis"):
        sink = make(role, own.endpoints()).sink
        await sink.open()
        await sink.write(written())
        await sink.close()


@pytest.fixture(scope="module")
def api(own: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    asyncio.run(fill(own))
    stores = own.endpoints()
    with service(tmp_path_factory.mktemp("api"), "127.0.0.1:1", redis=stores.redis, postgres=stores.postgres) as found:
        yield found


async def get(
    api: Service, path: str, who: str | None = None, **headers: str
) -> tuple[int, dict[str, Any], Mapping[str, str]]:
    said = {"Authorization": f"Bearer {who or token('u_a')}"} | {k.replace("_", "-"): v for k, v in headers.items()}
    async with api.session() as session, session.get(path, headers=said) as answer:
        body = await answer.json(content_type=None) if answer.status != 304 else {}
        return answer.status, body, answer.headers.copy()


async def every(api: Service, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        status, said, _ = await get(api, path + cursor)
        assert status == 200, said
        found += said["days"]
        if said["next"] is None:
            return found
        cursor = f"&cursor={said['next']}"


async def test_days_are_paged_newest_first_and_missing_is_left_out(own: Stack, api: Service) -> None:
    query = f"/v1/users/u_a/days?from={LAST - timedelta(days=59)}&to={LAST}"
    found = await every(api, f"{query}&limit=7")
    assert [day["date"] for day in found] == [str(LAST - timedelta(days=n)) for n in range(0, 60, 2)]
    assert found[1]["metrics"] == {"version": 7, "steps": 7, "entities": 1, "energy_kcal": 2.5}
    async with Redis.from_url(own.endpoints().redis) as redis:  # as if it had expired
        await redis.delete(key("u_a", str(LAST)))
    before = await asyncio.to_thread(scrape, f"{api.url}/metrics")
    assert found == await every(api, f"{query}&limit=100")
    after = await asyncio.to_thread(scrape, f"{api.url}/metrics")

    def looked_up(outcome: str) -> float:
        told = [
            total(said, "daybook_cache_lookups_total", what="days", outcome=outcome) or 0 for said in (before, after)
        ]
        return told[1] - told[0]

    assert {outcome: looked_up(outcome) for outcome in ("hit", "miss", "none")} == {"hit": 30, "miss": 1, "none": 29}
    assert {s.labels["store"]: s.value for s in after["daybook_pool_limit"]} == {"redis": 64, "postgres": 8}
    assert {s.labels["store"]: s.value for s in after["daybook_pool_in_use"]} == {"redis": 0, "postgres": 0}
    assert {s.labels["store"]: s.value for s in after["daybook_store_up"]} == {"redis": 1, "postgres": 1}
    status, said, _ = await get(api, f"{query}&limit=1&fields=steps")
    assert (status, said["days"][0]["metrics"]) == (200, {"steps": 7})


async def test_today_is_the_users_own_day(api: Service) -> None:
    for zone in ("UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"):
        status, said, _ = await get(api, f"/v1/users/u_a/today?timezone={zone}")
        assert status == 200
        assert said["metrics"]["meals_logged"] == 2
    assert (await get(api, "/v1/users/u_a/today?timezone=Nowhere"))[0] == 400


async def test_progress_streaks_and_records_are_those_of_the_row(api: Service) -> None:
    _, said, _ = await get(api, "/v1/users/u_a/progress")
    assert (said["as_of"], said["windows"]["steps"]["sum_7d"]) == (str(LAST), 7.0)
    _, said, _ = await get(api, "/v1/users/u_a/streaks")
    assert said["streaks"]["meals"]["longest"] == 9
    _, said, _ = await get(api, "/v1/users/u_a/records")
    assert said["records"] == {"steps": {"value": 12_345.0, "date": "2026-02-28"}}
    status, said, _ = await get(api, "/v1/users/u_none/streaks", token("u_none"))
    assert (status, said) == (200, {"user_id": "u_none", "as_of": None, "streaks": {}})


async def test_a_reader_who_has_the_answer_is_not_sent_it_again(api: Service) -> None:
    path = "/v1/users/u_a/progress"
    _, _, headers = await get(api, path)
    assert headers["Cache-Control"] == "private, no-cache"
    status, _, again = await get(api, path, If_None_Match=headers["ETag"])
    assert (status, again["ETag"]) == (304, headers["ETag"])
    assert (await get(api, path, If_None_Match='"other"'))[0] == 200


async def test_another_users_numbers_are_refused_in_the_same_words_whoever_it_is(api: Service) -> None:
    refusals = set()
    for user in ("u_b", "u_nobody", "u_a/../u_b", "daybook.canary.1"):
        for what in ("today", "days", "progress", "streaks", "records"):
            status, said, headers = await get(api, f"/v1/users/{user.replace('/', '%2F')}/{what}")
            refusals.add((status, said["detail"], headers["Cache-Control"]))
    assert refusals == {(403, "the token does not speak for this subject", "no-store")}
    assert (await get(api, "/v1/users/u_b/days", token("billing", "service")))[0] == 200
    async with api.session() as session, session.get("/v1/users/u_a/today") as answer:
        assert answer.status == 401


async def test_a_user_may_be_called_anything(api: Service) -> None:
    status, said, _ = await get(api, f"/v1/users/%C3%BC%2Ftoday/days?to={LAST}", token("ü/today"))
    assert (status, len(said["days"])) == (200, 1)
    assert said["days"][0]["metrics"]["goals"]["g"]["hit"] is True
    assert said["days"][0]["metrics"]["first_event_at"] == "2026-03-31T00:00:00.000Z"


async def test_trending_tells_the_list_and_when_asked_why(api: Service) -> None:
    status, said, headers = await get(api, "/v1/trending/videos?region=de&limit=2")
    assert (status, headers["Cache-Control"]) == (200, "public, max-age=30, stale-if-error=600")
    assert said == {
        **{"kind": "videos", "region": "DE", "window": "24h", "at": "2026-03-31T00:00:00.000Z"},
        "items": [{"id": "v0", "score": 9.0}, {"id": "v1", "score": 8.999}],
    }
    _, said, _ = await get(api, "/v1/trending/videos?region=DE&why=true&limit=1")
    assert (said["items"][0]["observed"], said["items"][0]["creator"]) == (3.0, "c1")
    assert (await get(api, "/v1/trending/sounds?window=7d"))[1]["items"] == []
    assert (await get(api, "/v1/trending/cats"))[0] == 404


async def test_recommendations_come_from_either_store_and_who_is_not_known_sees_what_trends(
    own: Stack, api: Service
) -> None:
    status, said, headers = await get(api, "/v1/users/u_a/recommendations?limit=2")
    assert (status, said["known"], headers["Cache-Control"]) == (200, True, "private, max-age=60")
    assert [(item["id"], item["score"], item["reason"]) for item in said["items"]] == [
        ("w1", 9.0, "together"),
        ("w2", 8.0, "taste"),
    ]
    async with Redis.from_url(own.endpoints().redis) as redis:
        await redis.delete("daybook:recommendations-at:u_a")
    assert (await get(api, "/v1/users/u_a/recommendations?limit=2"))[1] == said, "PostgreSQL has it too"
    status, said, _ = await get(api, "/v1/users/u_new/recommendations?region=de&limit=3", token("u_new"))
    assert (status, said["known"], [item["id"] for item in said["items"]]) == (200, False, ["v0", "v1", "v2"])
    assert (await get(api, "/v1/users/u_new/recommendations", token("u_new")))[1]["items"] == []
    for query in ("region=Germany", "limit=51"):
        assert (await get(api, f"/v1/users/u_a/recommendations?{query}"))[0] == 400
    assert (await get(api, "/v1/users/u_b/recommendations"))[0] == 403


async def test_a_stream_tells_today_at_once_and_each_time_it_changes(own: Stack, api: Service) -> None:
    headers = {"Authorization": f"Bearer {token('u_live')}"}
    path = "/v1/stream?user=u_live&timezone=UTC&fields=steps"
    sink = make("redis", own.endpoints()).sink
    await sink.open()
    async with api.session() as session, session.get(path, headers=headers) as answer:
        assert (answer.status, answer.content_type) == (200, "text/event-stream")

        async def told() -> tuple[str, dict[str, Any]]:
            found: dict[str, str] = {}
            async for line in answer.content:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if not name and "data" in found:
                    return found["id"], json.loads(found["data"])
                found[name] = value
            raise AssertionError("the stream ended")

        today = str(datetime.now(UTC).date())
        assert await told() == (f"{today}/0", {"user_id": "u_live", "date": today, "metrics": {}})
        for version in (3, 8):
            await sink.write(Batch(daily=[row("u_live", version, today)]))
            async with asyncio.timeout(10):
                assert await told() == (
                    f"{today}/{version}",
                    {"user_id": "u_live", "date": today, "metrics": {"steps": version}},
                )
    await sink.close()
    assert (await get(api, path))[0] == 403
    assert (await get(api, "/v1/stream"))[0] == 400
    assert (await get(api, "/v1/stream?user=u_a&date=tomorrow"))[0] == 400
    async with api.session() as session:
        headers = {"Authorization": f"Bearer {token('u_a')}"}
        async with session.get("/v1/stream?user=u_a&date=2026-03-31", headers=headers) as answer:
            said = [await answer.content.readline() for _ in range(5)][-1]
    assert json.loads(said.removeprefix(b"data: "))["metrics"]["energy_kcal"] == 0.5


async def test_a_postgresql_without_tables_is_told_apart_from_one_that_is_away(own: Stack, api: Service) -> None:
    path = "/v1/users/u_a/days?to=2020-03-31"  # of which Redis has nothing
    with psycopg.connect(own.endpoints().postgres, autocommit=True) as connection:
        connection.execute("ALTER TABLE user_metrics_daily RENAME TO aside")
        try:
            for _ in range(5):  # also once it is left alone for a while
                status, found, headers = await get(api, path)
                assert (status, headers.get("Retry-After")) == (503, "2"), found
                assert "daybook migrate" in found["detail"]
            async with api.session() as session, session.get("/readyz?part=read") as answer:
                assert (await answer.json())["postgres"] == "without tables: daybook migrate"
        finally:
            connection.execute("ALTER TABLE aside RENAME TO user_metrics_daily")
    deadline = time.monotonic() + 30
    while (await get(api, path))[0] != 200:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)
    assert "Traceback" not in api.log.read_text()
    assert api.log.read_text().count("has not the tables of this version") == 1, "said once"


async def test_one_store_is_enough_and_without_both_old_answers_say_that_they_are_old(own: Stack, api: Service) -> None:
    paths = (f"/v1/users/u_a/days?to={LAST}&limit=3", "/v1/users/u_a/progress", "/v1/trending/videos?region=DE")
    fresh = [(await get(api, path))[1] for path in paths]
    own.kill("redis", signal.SIGKILL)
    for path, said in zip(paths, fresh, strict=True):
        assert (await get(api, path))[:2] == (200, said), "PostgreSQL has it too"
    own.stop("postgres")
    for path, said in zip(paths, fresh, strict=True):
        status, old, headers = await get(api, path)
        assert (status, headers["Cache-Control"]) == (200, "no-store")
        assert old == said | {"stale_s": old["stale_s"]}
    status, said, headers = await get(api, "/v1/users/u_b/progress", token("u_b"))
    assert (status, headers["Retry-After"]) == (503, "2"), "what was never read is not made up"
    for _ in range(4):
        await get(api, "/v1/users/u_b/progress", token("u_b"))
    began = time.monotonic()
    for _ in range(20):
        assert (await get(api, "/v1/users/u_b/progress", token("u_b")))[0] == 503
    assert time.monotonic() - began < 8, "a store that is down is not waited for each time"
    assert (await get(api, "/readyz?part=read"))[0] == 503
    own.start("postgres")
    own.start("redis")
    deadline = time.monotonic() + 20
    while (await get(api, "/v1/users/u_b/progress", token("u_b")))[0] != 200:
        assert time.monotonic() < deadline
    assert (await get(api, "/readyz?part=read"))[0] == 200


@pytest.mark.slow
@pytest.mark.usefixtures("api")  # it makes the tables
async def test_a_sender_has_one_pace_over_all_processes_and_without_redis_one_in_each(
    own: Stack, tmp_path: Path
) -> None:
    told: dict[str, Any] = {
        "redis": own.endpoints().redis,
        "postgres": own.endpoints().postgres,
        "api_user_requests": 3,
    }
    with service(tmp_path / "a", "127.0.0.1:1", **told) as a, service(tmp_path / "b", "127.0.0.1:1", **told) as b:
        who = token("u_fast")
        seen = [(await get(each, "/v1/users/u_fast/progress", who))[0] for each in (a, b, a, b, a)]
        assert seen == [200, 200, 200, 429, 429]
        status, said, headers = await get(a, "/v1/trending/videos", who)
        assert (status, said["status"]) == (429, 429)
        assert 1 <= int(headers["Retry-After"]) <= 120
        assert headers["RateLimit-Policy"] == '"requests";q=3;w=60'
        assert (await get(a, "/v1/users/u_slow/progress", token("u_slow")))[0] == 200
        assert {(await get(a, "/v1/users/u_fast/progress", token("s", "service")))[0] for _ in range(9)} == {200}
        own.stop("redis")
        try:
            who = token("u_later")
            alone = [(await get(each, "/v1/users/u_later/progress", who))[0] for each in (a, a, a, a, b)]
            assert alone == [200, 200, 200, 429, 200]
        finally:
            own.start("redis")
