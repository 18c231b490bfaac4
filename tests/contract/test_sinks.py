"""Everyone who makes the promise of `sinks.base.Sink` passes the same tests, on real servers."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sink_kit import Kept, by_key, make, null_row, row, user

from schemas.rows import Best, GoalDay, PlannedDay, RejectedRow, ReplayedRow
from sinks import aside, patience
from sinks.base import Behind, Refused, Retry
from sinks.batch import Batch
from sinks.migrate import migrate
from sinks.patience import Patience

SERVERS = ["postgres", "clickhouse", "redis"]


_migrated: list[object] = []


@pytest.fixture(params=["memory", *SERVERS])
async def kept(request: pytest.FixtureRequest) -> AsyncIterator[Kept]:
    endpoints = None if request.param == "memory" else request.getfixturevalue("stack").endpoints
    if endpoints is not None and endpoints not in _migrated:
        await migrate(endpoints.postgres, endpoints.clickhouse)
        _migrated.append(endpoints)
    made = make(request.param, endpoints)
    await made.sink.open()
    yield made
    await made.sink.close()


FULL = {
    "energy_kcal": 0.1 + 0.2,
    "protein_g": 1e-7,
    "fat_g": 123456789.12345679,
    "meals_logged": 2**53 + 1,
    "estimated_1rm_kg": {'Bench "flat", \\ {x}': 93.33333333333333, "Kniebeuge ü": 0.1},
    "bests": {'reps:Bench "flat", \\ {x}': Best(12.0, "w'\\"), "workout_minutes": Best(1 / 3, "ü")},
    "weight_kg": 5e-324,
    "rest_day": False,
    "rest_days": ["sat", "sun"],
    "planned": {"meal:lunch 'ü'": PlannedDay("as planned", 100.0, "m'\\"), "workout:a": PlannedDay("missed", 0.0)},
    "goals": {
        "g \"'\\": GoalDay("steps", 8000.0, "at_least", 5.5, "2026-03-01", 7600.0, -400.0, True),
        "mood": GoalDay("mood", 0.001, "around", 0.0, "0001-01-01"),
        "": GoalDay("energy_kcal", 1e9, "at_most", 100.0, "9999-12-31", 1 / 3, 1 / 7, False),
    },
    "left_out": {"workout:w'2": 'w"1', "sleep:": "s"},
    "coverage": "partial",
    "meals_coverage": "absent",
    "sources": ['a "b", \\c', "{ios}", "ü"],
    "first_event_ms": 1772364660123,
    "last_event_ms": 1,
}


async def test_what_is_written_is_read_back_to_the_last_bit(kept: Kept) -> None:
    rows = [row(user(), 2**62, **FULL), row(user(), 1, "1970-01-02"), row(user(), 1, "2149-06-06", water_ml=1.5e300)]
    await kept.sink.write(Batch(daily=rows))
    assert await kept.stored(rows) == by_key(rows)


async def test_writing_twice_changes_nothing(kept: Kept) -> None:
    rows = [row(user(), 7, **FULL), row(user(), 7), null_row(user(), 7)]
    await kept.sink.write(Batch(daily=rows))
    once = await kept.stored(rows)
    await kept.sink.write(Batch(daily=rows))
    assert await kept.stored(rows) == once == by_key(rows[:2])


@pytest.mark.parametrize("versions", [(9, 10), (10, 9), (2**40 + 1, 2**41), (2**41, 2**40 + 1), (2**53, 2**53 + 1)])
async def test_an_older_version_never_overwrites(kept: Kept, versions: tuple[int, int]) -> None:
    who, newer = user(), max(versions)
    for version in versions:
        await kept.sink.write(Batch(daily=[row(who, version, energy_kcal=float(version))]))
    both = row(who, newer, energy_kcal=float(newer))
    assert await kept.stored([both]) == by_key([both])


async def test_of_many_versions_in_one_batch_the_highest_stays(kept: Kept) -> None:
    who = user()
    rows = [row(who, version, steps=version) for version in (3, 11, 5)]
    await kept.sink.write(Batch(daily=rows))
    assert await kept.stored(rows) == by_key([rows[1]])


async def test_what_became_null_disappears(kept: Kept) -> None:
    who = user()
    await kept.sink.write(Batch(daily=[row(who, 1, **FULL)]))
    after = row(who, 2, water_ml=250.0)
    await kept.sink.write(Batch(daily=[after]))
    assert await kept.stored([after]) == by_key([after])


async def test_a_day_that_lost_everything_is_no_day_and_stays_so(kept: Kept) -> None:
    who = user()
    await kept.sink.write(Batch(daily=[row(who, 5, **FULL)]))
    await kept.sink.write(Batch(daily=[null_row(who, 6)]))
    await kept.sink.write(Batch(daily=[row(who, 4), row(who, 5)]))
    assert await kept.stored([null_row(who, 6)]) == {}
    await kept.sink.write(Batch(daily=[row(who, 7)]))
    assert await kept.stored([row(who, 7)]) == by_key([row(who, 7)])


async def test_any_order_of_any_batches_ends_with_the_highest_versions(kept: Kept) -> None:
    chance = random.Random(4)
    users = [user() for _ in range(4)]
    rows = [row(u, v, f"2026-0{m}-28", energy_kcal=v / 7) for u in users for m in (1, 2) for v in range(1, 6)]
    rows += chance.choices(rows, k=40)
    chance.shuffle(rows)
    while rows:
        size = chance.randint(1, 20)
        await kept.sink.write(Batch(daily=rows[:size]))
        rows = rows[size:]
    last = [row(u, 5, f"2026-0{m}-28", energy_kcal=5 / 7) for u in users for m in (1, 2)]
    assert await kept.stored(last) == by_key(last)


async def test_a_batch_is_all_or_nothing(kept: Kept) -> None:
    good = [row(user(), 1) for _ in range(20)]
    bad = row(user(), 1, "2026-02-31")
    with pytest.raises(Refused):
        await kept.sink.write(Batch(daily=[*good[:10], bad, *good[10:]]))
    assert await kept.stored(good) == {}


async def test_a_row_that_the_store_refuses_is_set_aside_and_the_others_go_on(kept: Kept) -> None:
    good = [row(user(), 1) for _ in range(20)]
    bad = [row(user(), 1, "2026-02-31"), row(user(), 1, "soon")]
    refused = await aside.write(kept.sink, Batch(daily=[bad[0], *good[:10], bad[1], *good[10:]]))
    assert [found for found, _ in refused] == bad
    assert await kept.stored(good) == by_key(good)


async def test_an_empty_batch_is_welcome(kept: Kept) -> None:
    await kept.sink.write(Batch())


async def test_a_closed_sink_opens_again(kept: Kept) -> None:
    rows = [row(user(), 1)]
    await kept.sink.close()
    await kept.sink.open()
    await kept.sink.write(Batch(daily=rows))
    assert await kept.stored(rows) == by_key(rows)


@pytest.mark.parametrize("kept", ["memory", "postgres", "clickhouse"], indirect=True)
async def test_refused_events_are_kept_once_with_their_bytes(kept: Kept) -> None:
    topic, now = f"t-{user()}", int(time.time() * 1000)
    rows = [
        RejectedRow(topic, 0, 7, now, "no\x00NUL", "$.data.a\x00b", b'{"\xff\x00', b"\xfe"),
        RejectedRow(topic, 0, 8, now, "Expected an event", "$", None, None),
    ]
    await kept.sink.write(Batch(rejected=rows))
    await kept.sink.write(Batch(rejected=rows[::-1]))
    assert await kept.rejected(topic) == [(7, b'{"\xff\x00', b"\xfe"), (8, None, None)]


@pytest.mark.parametrize("kept", ["memory", "postgres", "clickhouse"], indirect=True)
async def test_each_replay_is_kept_once_and_none_replaces_another(kept: Kept) -> None:
    topic, now = f"t-{user()}", int(time.time() * 1000)
    rows = [ReplayedRow(topic, 0, 7, 0, 90, now), ReplayedRow(topic, 0, 7, 1, 91, now + 5)]
    refused = RejectedRow(topic, 1, 91, now, "again", "$", b"{", b"u", original_ms=now - 5)
    await kept.sink.write(Batch(replayed=rows[:1], rejected=[refused]))
    await kept.sink.write(Batch(replayed=rows[::-1]))
    assert await kept.replayed(topic) == rows
    if kept.reader is not None:
        assert await kept.reader.rejected(topic) == [refused]


@pytest.mark.parametrize("how", ["stop", "kill"])
@pytest.mark.parametrize("role", SERVERS)
async def test_the_server_stops_in_the_middle_and_comes_back(stack: Any, role: str, how: str) -> None:
    await migrate(stack.endpoints.postgres, stack.endpoints.clickhouse)
    kept = make(role, stack.endpoints)
    await kept.sink.open()
    batches = [[row(user(), n, energy_kcal=n / 3) for _ in range(300)] for n in range(1, 9)]
    place = f"t-{user()}", 0
    await kept.sink.resume({place: 0})

    async def write_all() -> None:
        """As the runner does it: what a store was told and does not hold any more is read and written again. Valkey
        (appendfsync everysec) puts writes off while it syncs, so a kill may cost what it had acknowledged."""
        at, patience = 0, Patience(role, asyncio.Event())
        while at < len(batches):
            batch = Batch(daily=batches[at], through={place: at + 1})
            try:
                await patience.until_done(lambda batch=batch: kept.sink.write(batch))
                at += 1
            except Behind:
                begin = await patience.until_done(lambda at=at: kept.sink.resume({place: at}))
                assert begin is not None
                at = begin[place]
            if at == 2:
                halfway.set()

    halfway = asyncio.Event()
    writing = asyncio.create_task(write_all())
    await asyncio.wait_for(halfway.wait(), 30)
    await asyncio.to_thread(getattr(stack.stack, how), role)
    with pytest.raises(Retry):
        await open_and_write(make(role, stack.endpoints))
    await asyncio.to_thread(stack.stack.start, role)
    await asyncio.wait_for(writing, 60)
    everything = [r for rows in batches for r in rows]
    assert await kept.stored(everything) == by_key(everything)
    await kept.sink.close()


@pytest.mark.parametrize("role", SERVERS)
async def test_a_frozen_server_is_not_waited_for_without_end(
    stack: Any, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrate(stack.endpoints.postgres, stack.endpoints.clickhouse)
    monkeypatch.setattr(patience, "ANSWER_S", 0.4)
    kept, rows, calm = make(role, stack.endpoints), [row(user(), 1)], Patience(role, asyncio.Event())
    await kept.sink.open()
    stack.stack.kill(role, signal.SIGSTOP)
    try:
        writing = asyncio.create_task(calm.until_done(lambda: kept.sink.write(Batch(daily=rows))))
        await asyncio.sleep(0.8)
    finally:
        monkeypatch.setattr(patience, "ANSWER_S", 20.0)
        stack.stack.kill(role, signal.SIGCONT)
    await asyncio.wait_for(writing, 30)
    assert calm.retries > 0
    assert await kept.stored(rows) == by_key(rows)
    await kept.sink.close()


async def open_and_write(other: Kept) -> None:
    try:
        await other.sink.open()
        await other.sink.write(Batch(daily=[row(user(), 1)]))
    finally:
        await other.sink.close()
