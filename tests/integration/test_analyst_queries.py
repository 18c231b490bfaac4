"""The queries of docs/how-to/analyse.md, as they stand there, on the real ClickHouse front, against plain loops."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from statistics import mean
from typing import Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit

import clickhouse_connect
import pytest
from conftest import RunningStack

import sinks
from bench.analyst.queries import queries
from producers import generate, truth
from schemas.codec import Rejected, reader
from schemas.families import FAMILY_OF
from schemas.instants import parse_instant
from schemas.positions import version_of
from schemas.progress import decode_progress
from schemas.rows import decode_daily
from schemas.topics import DAILY_SOURCES, GENERATION
from sinks.batch import Batch, EventRow
from sinks.migrate import migrate
from streams.daily.core import Ledger
from streams.progress.core import Progress
from streams.state import Records

NOW_MS = 1_900_000_000_000
START = generate.START
DAYS = 56
FIRST, LAST = START + timedelta(days=10), START + timedelta(days=DAYS - 5)


class World(NamedTuple):
    """A population in ClickHouse, and what its events come to by the plain pass."""

    client: Any
    rows: dict[tuple[str, date], truth.Row]
    entities: list[truth.Entity]


def population() -> list[bytes]:
    """A generated one; one person more has goals, weighings and a plan, joins late and comes only now and then."""
    found = list(generate.events(users=12, days=DAYS, seed=11))
    about: list[tuple[str, str, int, dict[str, Any]]] = [
        (
            "goal.set",
            "g",
            0,
            {"metric": "weight_kg", "target": 80, "direction": "at_most", "effective_from": str(START)},
        ),
        ("goal.set", "h", 0, {"metric": "steps", "target": 1, "direction": "at_least", "effective_from": str(START)}),
        (
            "plan.assigned",
            "p",
            0,
            {"effective_from": str(START), "meals": [{"item": "lunch", "weekdays": ["mon", "wed"]}], "workouts": []},
        ),
    ]
    about += [("body.measured", f"b{n}", n, {"weight_kg": 82 - n / 10}) for n in (12, 15, 20, 33)]
    for number, (type_name, entity, day, data) in enumerate(about):
        at = f"{START + timedelta(days=day)}T12:00:00Z"
        event = {"specversion": "1.0", "id": f"x{number}", "source": "ios/5", "type": type_name, "subject": "late"}
        found.append(json.dumps(event | {"time": at, "entity": entity, "data": data}).encode())
    return found


@pytest.fixture(scope="module")
def world(stack: RunningStack) -> Iterator[World]:
    import asyncio
    import uuid

    name = f"t_{uuid.uuid4().hex[:12]}"
    admin = clickhouse_connect.get_client(dsn=stack.endpoints.clickhouse, autogenerate_session_id=False)
    admin.command(f"CREATE DATABASE {name}")
    url = urlunsplit(urlsplit(stack.endpoints.clickhouse)._replace(path=f"/{name}"))
    raw = population()
    try:
        asyncio.run(fill(stack.endpoints.postgres, url, raw))
        rows = {(user, date.fromisoformat(day)): row for (user, day), row in truth.daily_rows(raw).items()}
        live = [entity for entity in truth.winners(raw) if not entity.rank[1]]
        yield World(clickhouse_connect.get_client(dsn=url, autogenerate_session_id=False), rows, live)
    finally:
        admin.command(f"DROP DATABASE {name}")


async def fill(postgres: str, clickhouse: str, raw: list[bytes]) -> None:
    """As the streams and the sink of ClickHouse would, without Kafka in between."""
    await migrate(postgres, clickhouse)
    batch, ledger, progress = Batch(), Ledger(), Progress()
    by_family: dict[str, list[bytes]] = defaultdict(list)
    for value in raw:
        by_family[FAMILY_OF[json.loads(value)["type"]]].append(value)
    for topic in DAILY_SOURCES:
        values = by_family[topic.name]
        n = len(values)
        read = reader(topic.name)
        judged = [read(value, NOW_MS) for value in values]
        batch.events += [
            EventRow(topic.name, 0, at, NOW_MS, value, *got)
            for at, (value, got) in enumerate(zip(values, judged, strict=True))
            if not isinstance(got, Rejected)
        ]
        keys = [json.loads(value)["subject"].encode() for value in values]
        ledger.fold(Records(topic.name, 0, range(n), [NOW_MS] * n, keys, values))
    days = ledger.drain(version_of(GENERATION, 1)).rows["daily"]
    m = len(days)
    progress.fold(Records("daily", 0, range(m), [0] * m, [key for key, _ in days], [value for _, value in days]))
    batch.daily = [decode_daily(value or b"") for _, value in days]
    batch.progress = [
        decode_progress(value or b"") for _, value in progress.drain(version_of(GENERATION, 1)).rows["progress"]
    ]
    sink = sinks.build("clickhouse", clickhouse)
    await sink.open()
    try:
        await sink.write(batch)
    finally:
        await sink.close()


def asked(world: World, name: str) -> list[tuple[Any, ...]]:
    found = world.client.query(queries()[name], parameters={"first": FIRST, "last": LAST}).result_rows
    assert found, "a query that finds nothing shows nothing"
    return [tuple(row) for row in found]


def within(world: World) -> list[tuple[str, date, truth.Row]]:
    return [(user, day, row) for (user, day), row in world.rows.items() if FIRST <= day <= LAST]


def joined(world: World) -> dict[str, date]:
    found: dict[str, date] = {}
    for user, day in sorted(world.rows):
        found.setdefault(user, day)
    return found


def test_every_query_of_the_page_is_tested_here() -> None:
    names = {"active users", "retention by cohort", "adherence by cohort", "meals by hour", "weight trend"}
    assert set(queries()) == names | {"workout mix", "goals"}


def test_active_users(world: World) -> None:
    expected = []
    for ahead in range((LAST - FIRST).days + 1):
        day = FIRST + timedelta(days=ahead)
        today = {user for user, on in world.rows if on == day}
        week = {user for user, on in world.rows if day - timedelta(days=7) < on <= day}
        expected.append((day, len(today), len(week)))
    assert asked(world, "active users") == expected
    assert len({active for _, active, _ in expected}) > 1


def test_retention_by_cohort(world: World) -> None:
    began = {user: day for user, day in joined(world).items() if FIRST <= day <= LAST}
    monday = {user: day - timedelta(days=day.weekday()) for user, day in began.items()}
    sizes = Counter(monday.values())
    seen = {(monday[user], (day - began[user]).days // 7, user) for user, day, _ in within(world) if user in began}
    active = Counter((cohort, week) for cohort, week, _ in seen)
    expected = [(c, w, n, sizes[c], round(100 * n / sizes[c], 1)) for (c, w), n in sorted(active.items())]
    assert asked(world, "retention by cohort") == expected


def test_adherence_by_cohort(world: World) -> None:
    began = joined(world)
    scores: dict[date, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for user, _, row in within(world):
        for found, column in zip(scores[began[user].replace(day=1)], ("meal", "workout"), strict=True):
            if (score := row[f"{column}_plan_adherence_pct"]) is not None:
                found.append(score)
    expected = [
        (cohort, mean(meals) if meals else None, len(meals), mean(workouts) if workouts else None, len(workouts))
        for cohort, (meals, workouts) in sorted(scores.items())
    ]
    found = asked(world, "adherence by cohort")
    assert [tuple(pytest.approx(each) for each in row) for row in expected] == found
    assert sum(row[2] for row in found) > 3


def lived(entity: truth.Entity) -> tuple[int | None, date]:
    """The hour and the day that the event's own clock showed; without an offset no hour, and the day in UTC."""
    at = parse_instant(entity.event.time)
    minutes = at.ms // 60_000 + (at.offset_min or 0)
    hour = None if at.offset_min is None else minutes // 60 % 24
    return hour, date(1970, 1, 1) + timedelta(minutes=minutes)


def test_meals_by_hour(world: World) -> None:
    hours: dict[int | None, list[float]] = defaultdict(list)
    for entity in world.entities:
        hour, day = lived(entity)
        if entity.type == "meal.logged" and FIRST <= day <= LAST:
            data = entity.event.data
            kcal = [entity.value("energy_kcal", 1000, item, "items") for item in data.items]
            said = [cal / 1000 for cal in kcal if cal is not None]  # what is implausible is missing
            hours[hour].append(sum(said) * data.portion if said else float("nan"))
    found = {row[0]: row[1:] for row in asked(world, "meals by hour")}
    assert {hour: count for hour, (count, _) in found.items()} == {hour: len(meals) for hour, meals in hours.items()}
    for hour, meals in hours.items():
        there = [kcal for kcal in meals if kcal == kcal]
        assert found[hour][1] == (pytest.approx(mean(there), abs=0.06) if there else None)


def test_weight_trend(world: World) -> None:
    weights: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for user, day, row in within(world):
        if row["weight_kg"] is not None:
            weights[user].append(((day - FIRST).days, row["weight_kg"]))
    slopes = []
    for points in weights.values():
        if len(points) >= 2:
            x, y = mean(at for at, _ in points), mean(kg for _, kg in points)
            slopes.append(7 * sum((a - x) * (kg - y) for a, kg in points) / sum((a - x) ** 2 for a, _ in points))
    slopes.sort()
    [(people, average, median, losing)] = asked(world, "weight trend")
    assert (people, losing) == (len(slopes), sum(slope < 0 for slope in slopes))
    assert average == pytest.approx(mean(slopes), abs=0.001)
    assert median == pytest.approx(slopes[len(slopes) // 2], abs=0.001)
    assert people > 1


def test_workout_mix(world: World) -> None:
    kinds: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for entity in world.entities:
        if entity.type == "workout.completed" and FIRST <= lived(entity)[1] <= LAST:
            kinds[entity.event.data.kind].append((entity.event.subject, entity.value("duration_s", 1) or 0))
    found = {kind: tuple(row) for kind, *row in asked(world, "workout mix")}
    assert {kind: row[:2] for kind, row in found.items()} == {
        kind: (len(done), len({user for user, _ in done})) for kind, done in kinds.items()
    }
    for kind, done in kinds.items():
        assert found[kind][2] == pytest.approx(sum(seconds for _, seconds in done) / 3600, abs=0.06)


def test_goals(world: World) -> None:
    judged: dict[str, list[tuple[str, bool | None]]] = defaultdict(list)
    for user, _, row in within(world):
        for goal in (row["goals"] or {}).values():
            judged[goal["metric"]].append((user, goal["hit"]))
    found = asked(world, "goals")
    assert [row[0] for row in found] == sorted(judged)
    for metric, people, days, pct in found:
        hits = [hit for _, hit in judged[metric] if hit is not None]
        assert (people, days) == (len({user for user, _ in judged[metric]}), len(hits))
        assert pct == (pytest.approx(100 * mean(hits), abs=0.06) if hits else None)
    assert {"steps", "weight_kg"} <= set(judged)
