"""Progress rows in every store: whole, newest first, never older, and gone when no day is left."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import psycopg
import pytest
from sink_kit import Kept, make, row, user

from schemas.progress import ProgressRow, Record, Streak, Strength, Window
from sinks import aside
from sinks.base import Refused
from sinks.batch import Batch
from sinks.migrate import migrate

SERVERS = ["postgres", "clickhouse", "redis"]
ODD = 'Bench "flat": \\ {x} ü'


@pytest.fixture(params=["memory", *SERVERS])
async def kept(request: pytest.FixtureRequest) -> AsyncIterator[Kept]:
    endpoints = None if request.param == "memory" else request.getfixturevalue("stack").endpoints
    if endpoints is not None:
        await migrate(endpoints.postgres, endpoints.clickhouse)
    made = make(request.param, endpoints)
    await made.sink.open()
    yield made
    await made.sink.close()


def full(who: str, version: int, as_of: str = "2026-03-01", value: float = 93.33333333333333) -> ProgressRow:
    return ProgressRow(
        who,
        version,
        as_of,
        "2025-12-31",
        2**53 + 1,
        0.1 + 0.2,
        1e-7,
        123456789.12345679,
        {"steps": Window(5.0, 5 / 3, 3, 7.0, 1.75, 4, -12.5), "weight_kg": Window(None, 71.2, 1, None, 71.2, 1)},
        {ODD: Strength(100.0, 80.0, 25.0), "Squat": Strength(None, 5e-5)},
        {"meals": Streak(0, "2026-01-01", "2026-02-01", 32, "2026-01-01", "2026-02-01")},
        {
            "steps": Record(12_345.0, "2026-02-28"),
            f"heaviest_kg:{ODD}": Record(value, "2026-02-28", "w'\\", 80.0, "2026-01-01", "ü"),
            "reps:a:b": Record(5.0, "2026-02-28", "w"),
        },
    )


def null(who: str, version: int) -> ProgressRow:
    return ProgressRow(who, version)


def bare(who: str, version: int, as_of: str = "2026-03-01") -> ProgressRow:
    return ProgressRow(who, version, as_of, as_of, 1)


async def test_what_is_written_is_read_back_to_the_last_bit(kept: Kept) -> None:
    rows = [full(user(), 2**62), bare(user(), 1, "1970-01-02"), bare(user(), 1, "2149-06-06")]
    await kept.sink.write(Batch(progress=rows))
    assert await kept.progress(rows) == {r.user_id: r for r in rows}


async def test_writing_twice_changes_nothing_and_users_keep_to_themselves(kept: Kept) -> None:
    rows = [full(user(), 7), full(user(), 8, value=1.5), bare(user(), 7), null(user(), 7)]
    for _ in range(2):
        await kept.sink.write(Batch(progress=rows))
        assert await kept.progress(rows) == {r.user_id: r for r in rows[:3]}


@pytest.mark.parametrize("versions", [(9, 10), (10, 9), (2**53, 2**53 + 1)])
async def test_an_older_version_never_overwrites_a_part_of_a_newer(kept: Kept, versions: tuple[int, int]) -> None:
    who = user()
    rows = {version: full(who, version, f"2026-03-0{1 + version % 2}", value=version / 7) for version in versions}
    for each in rows.values():
        await kept.sink.write(Batch(progress=[each]))
    assert await kept.progress(rows.values()) == {who: rows[max(versions)]}


async def test_what_a_newer_row_does_not_say_any_more_is_gone(kept: Kept) -> None:
    who = user()
    await kept.sink.write(Batch(progress=[full(who, 1)]))
    less = full(who, 2)
    less.records = {"steps": Record(1.0, "2026-02-27")}
    less.streaks = None
    less.windows = None
    less.acute_load = None
    await kept.sink.write(Batch(progress=[less]))
    assert await kept.progress([less]) == {who: less}
    await kept.sink.write(Batch(progress=[bare(who, 3)]))
    assert await kept.progress([less]) == {who: bare(who, 3)}


async def test_a_user_who_lost_every_day_is_none_and_stays_so(kept: Kept) -> None:
    who = user()
    await kept.sink.write(Batch(progress=[full(who, 5)]))
    await kept.sink.write(Batch(progress=[null(who, 6)]))
    await kept.sink.write(Batch(progress=[full(who, 4), full(who, 5)]))
    assert await kept.progress([null(who, 6)]) == {}
    await kept.sink.write(Batch(progress=[full(who, 7, "2026-02-01")]))
    assert await kept.progress([null(who, 6)]) == {who: full(who, 7, "2026-02-01")}


async def test_any_order_of_any_batches_ends_with_the_highest_versions(kept: Kept) -> None:
    chance = random.Random(4)
    users = [user() for _ in range(4)]
    rows = [full(u, v, f"2026-03-0{chance.randint(1, 9)}", v / 7) for u in users for v in range(1, 7)]
    last = {r.user_id: r for r in rows}
    rows += chance.choices(rows, k=20)
    chance.shuffle(rows)
    while rows:
        size = chance.randint(1, 9)
        await kept.sink.write(Batch(progress=rows[:size], daily=[row(users[0], 1)]))
        rows = rows[size:]
    assert await kept.progress(last.values()) == last


async def test_a_day_that_is_none_is_set_aside_and_the_others_go_on(kept: Kept) -> None:
    good, bad = [bare(user(), 1) for _ in range(9)], bare(user(), 1, "2026-02-31")
    with pytest.raises(Refused):
        await kept.sink.write(Batch(progress=[*good[:4], bad]))
    refused = await aside.write(kept.sink, Batch(progress=[*good[:4], bad, *good[4:]]))
    assert [found for found, _ in refused] == [bad]
    assert await kept.progress(good) == {r.user_id: r for r in good}


@pytest.mark.parametrize("kept", ["postgres"], indirect=True)
async def test_who_reads_for_one_user_sees_that_users_progress_alone(kept: Kept, stack: object) -> None:
    one, other = user(), user()
    await kept.sink.write(Batch(progress=[full(one, 1), full(other, 1)]))
    url = stack.endpoints.postgres  # type: ignore[attr-defined]
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.execute("SET ROLE daybook_reader")
        for table, n in (("user_progress", 1), ("user_streaks", 1), ("user_records", 3)):
            assert await (await connection.execute(f"SELECT * FROM {table}")).fetchall() == []
            await connection.execute("SELECT set_config('app.user', %s, false)", (one,))
            rows = await (await connection.execute(f"SELECT user_id FROM {table}")).fetchall()
            assert rows == [(one,)] * n
            await connection.execute("SELECT set_config('app.user', '', false)")
