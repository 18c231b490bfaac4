"""The archive on the real servers: what was dropped can be brought back, and nothing half written is ever listed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from keep_world import DAY_MS, World, meal, population, world

from daybook import growing
from daybook.errors import Problem
from daybook.keep import archiving, once, raw
from daybook.keep.archive import Archive
from daybook.keep.forget import forget
from daybook.keep.restore import restore
from daybook.keep.theirs import theirs
from sinks.clickhouse.client import connected

TODAY = datetime.now(UTC).date()
IN_TWO_YEARS = TODAY + timedelta(days=732)


@pytest.fixture
async def kept(stack: Any, tmp_path: Path) -> AsyncIterator[World]:
    async with world(stack.endpoints, archive=tmp_path / "archive") as found:
        yield found


async def rows_of(kept: World, table: str) -> list[Any]:
    async with connected(kept.settings.address("clickhouse")) as client:
        columns = "* EXCEPT (version)" if table == "daily" else "*"
        return sorted((await client.query(f"SELECT {columns} FROM {table} FINAL")).result_rows, key=repr)


async def test_what_left_comes_back_as_it_was_and_stays_for_a_while(kept: World) -> None:
    view = meal("ann", "2026-03-01T12:00:00+00:00", 0, type="view.recorded", data={"content": "v", "watched_s": 40})
    rows = [r for r in await kept.takes([*population(users=2, days=20), view]) if not r.is_null]
    before = {table: await rows_of(kept, table) for table in ("events", "daily")}
    once.keep(kept.settings, IN_TWO_YEARS)
    assert await rows_of(kept, "events") == await rows_of(kept, "daily") == []
    archive = Archive(kept.settings.archive or Path())
    found = {m.dataset: m for m in archive.list()}
    assert set(found) == {"raw", "views", "daily"}
    assert found["raw"].rows + found["views"].rows == len(before["events"])
    for manifest in found.values():
        assert archive.trouble(manifest) is None
        assert pyarrow.parquet.read_metadata(archive.path(manifest)).num_rows == manifest.rows

    own = [(n.partition("-")[0], dict(r)) for n, r in theirs(kept.settings, rows[0].user_id)]
    named = {"events": "subject", "daily": "user_id"}
    async with connected(kept.settings.address("clickhouse")) as client:
        described = {t: (await client.query(f"DESCRIBE {t}")).result_rows for t in named}
    at = {t: [name for name, *_ in described[t]].index(column) for t, column in named.items()}
    for table, datasets in (("events", ("raw", "views")), ("daily", ("daily",))):
        there = [r for r in before[table] if r[at[table]] == rows[0].user_id]
        assert len([r for n, r in own if n in datasets]) == len(there) > 0, "an export has what left"
    assert {r.get("subject", r.get("user_id")) for _, r in own} == {rows[0].user_id}
    assert list(theirs(kept.settings, "nobody")) == []

    some = next(r for r in rows if r.meals_logged)
    await kept.takes([meal(some.user_id, f"{some.date}T12:00:00+00:00", 95)])
    for name in ("raw", "views", "daily", "daily"):  # twice changes nothing
        await asyncio.to_thread(restore, kept.settings, found[name].name, 30, IN_TWO_YEARS)
    assert kept.differences() == [], "the day that changed since kept what it says now"
    assert await kept.count("postgres", "user_metrics_daily WHERE entities IS NOT NULL") == len(rows)
    late = f"subject = '{some.user_id}' AND raw LIKE '%keepsake%'"
    async with connected(kept.settings.address("clickhouse")) as client:
        await client.command(f"ALTER TABLE events DELETE WHERE {late} SETTINGS mutations_sync = 2")
    assert await rows_of(kept, "events") == before["events"]
    changed = [
        r for r in await rows_of(kept, "daily") if r[:2] == (some.user_id, datetime.fromisoformat(some.date).date())
    ]
    others = [r for r in before["daily"] if r[:2] != changed[0][:2]]
    assert [r for r in await rows_of(kept, "daily") if r not in changed] == others

    did = {each.what for each in once.keep(kept.settings, IN_TWO_YEARS + timedelta(days=30)) if each.rows}
    assert not did & {"raw", "views"}, "what was restored is held"
    once.keep(kept.settings, IN_TWO_YEARS + timedelta(days=31))
    assert await rows_of(kept, "events") == []
    assert {m.name for m in archive.list() if m.dataset != "daily"} == {found["raw"].name, found["views"].name}, (
        "what is archived already is not archived again"
    )


async def test_nothing_is_dropped_that_was_not_read_back(kept: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await kept.takes(population(users=1, days=3))
    whole = Archive.part

    def torn(self: Archive, dataset: str, name: str, chunks: Any) -> Any:
        path, *_ = whole(self, dataset, name, chunks)
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
        return path, len(content) // 2, "0" * 64

    before = await rows_of(kept, "events"), await rows_of(kept, "daily")
    with monkeypatch.context() as patched:
        patched.setattr(Archive, "part", torn)
        with pytest.raises(Exception, match=r"(?i)parquet|archived"):
            once.keep(kept.settings, IN_TWO_YEARS)
    assert (await rows_of(kept, "events"), await rows_of(kept, "daily")) == before
    archive = Archive(kept.settings.archive or Path())
    assert archive.list() == []
    once.keep(kept.settings, IN_TWO_YEARS)
    assert await rows_of(kept, "events") == await rows_of(kept, "daily") == []
    assert list(archive.folder.glob("*/*.part")) == [], "what was left behind is cleared away"


async def test_a_crash_between_the_archive_and_the_drop_archives_nothing_twice(
    kept: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await kept.takes(population(users=1, days=3))

    def crash(*_: object) -> None:
        raise ConnectionError("cut")

    for where in ("daybook.keep.archiving.drop_day", "daybook.keep.days.register"):
        with monkeypatch.context() as patched:
            patched.setattr(where, crash)
            with pytest.raises(ConnectionError):
                once.keep(kept.settings, IN_TWO_YEARS)
    once.keep(kept.settings, IN_TWO_YEARS)
    archive = Archive(kept.settings.archive or Path())
    names = [m.name for m in archive.list()]
    assert sorted(m.dataset for m in archive.list()) == ["daily", "raw"], names
    assert kept.differences() == []


async def test_what_comes_in_while_it_is_archived_stays_and_is_archived_next_time(kept: World) -> None:
    at = int(datetime.combine(TODAY, datetime.min.time(), UTC).timestamp() * 1000) - 100 * DAY_MS
    await kept.takes([meal("ann", "2026-03-01T12:00:00+00:00", 100)], at)
    with once.opened(kept.settings) as (client, _):
        (each,) = raw.due(client, kept.settings, TODAY)
        archive = Archive(kept.settings.archive or Path())
        archiving.archive_day(client, archive, each)
        await kept.takes([meal("bob", "2026-03-01T12:00:00+00:00", 100)], at)
        archiving.drop_day(client, each)
    assert await kept.count("clickhouse", "events WHERE subject = 'bob'") == 1
    assert await kept.count("clickhouse", "events") == 1
    once.keep(kept.settings, TODAY)
    assert [m.rows for m in archive.list()] == [1, 1]


@pytest.mark.slow
async def test_a_person_is_taken_out_of_every_file_and_nobody_else(kept: World) -> None:
    users = ("o'neil \\", "ann", "bob")
    await kept.takes([meal(user, "2026-03-01T12:00:00+00:00", 100) for user in users[:2]])
    once.keep(kept.settings, IN_TWO_YEARS)
    await kept.takes([meal(user, "2026-03-02T12:00:00+00:00", 100) for user in users])
    once.keep(kept.settings, IN_TWO_YEARS + timedelta(days=1))
    archive = Archive(kept.settings.archive or Path())
    assert [m.rows for m in archive.list()] == [2, 3, 2, 3]
    with once.opened(kept.settings) as (client, _):
        assert sorted(archiving.without(client, archive, users[:1]).values()) == [1, 1, 1, 1]
        assert archiving.without(client, archive, users[:1]) == {}
        assert [m.rows for m in archive.list()] == [1, 2, 1, 2]
        assert [archive.trouble(m) for m in archive.list()] == [None] * 4
        files = list(archive.folder.glob("*/*.parquet"))
        assert len(files) == 4
        for path in files:
            column = "subject" if path.parent.name == "raw" else "user_id"
            assert users[0] not in pyarrow.parquet.read_table(path, columns=[column])[column].to_pylist()
    assert forget(kept.settings, "ann") == {"raw": 2, "daily": 2}
    assert [m.rows for m in archive.list()] == [1, 1], "a file in which nothing is left goes"
    name = next(m.name for m in archive.list() if m.dataset == "daily")
    assert await asyncio.to_thread(restore, kept.settings, name, 30) == 1, "the register names the new file"
    assert await kept.count("postgres", "user_metrics_daily WHERE user_id = 'bob'") == 1


async def test_a_damaged_file_is_named_and_never_restored(kept: World) -> None:
    await kept.takes([meal("ann", "2026-03-01T12:00:00+00:00", 100)])
    once.keep(kept.settings, IN_TWO_YEARS)
    archive = Archive(kept.settings.archive or Path())
    manifest = next(m for m in archive.list() if m.dataset == "daily")
    path = archive.path(manifest)
    content = path.read_bytes()
    for damaged in (content[:-1], bytes([content[0] ^ 1]) + content[1:]):
        path.write_bytes(damaged)
        assert str(path) in str(archive.trouble(manifest))
        with pytest.raises(Problem, match="parquet"):
            await asyncio.to_thread(restore, kept.settings, manifest.name, 30)
    path.unlink()
    assert "No such file" in str(archive.trouble(manifest))
    assert await kept.count("clickhouse", "daily") == 0
    with pytest.raises(Problem, match="has no daily-1"):
        await asyncio.to_thread(restore, kept.settings, "daily-1", 30)


async def test_growth_tells_every_table_of_every_store_and_where_looks_lead(kept: World) -> None:
    rows = await kept.takes([meal("ann", "2026-03-01T12:00:00+00:00", 100)])
    once.keep(kept.settings, IN_TWO_YEARS - timedelta(days=365))  # the raw events go into the archive
    found = {(each.store, each.name): each for each in growing.look(kept.settings)}
    assert found["clickhouse", "daily"].rows == len(rows)
    assert found["clickhouse", "daily"].bytes > 100
    assert found["postgres", "user_metrics_daily"].bytes > 8_192
    assert found["redis", "keys"].bytes > 100_000
    assert found["archive", "raw"].rows == 1
    unknown = next(t for t in growing.report(kept.settings, 30).tables if (t.store, t.name) == ("clickhouse", "daily"))
    assert unknown.bytes_a_day is None
    before = datetime.now(UTC) - timedelta(days=2)
    at = f"{before:%Y-%m-%d %H:%M:%S}"
    async with connected(kept.settings.address("clickhouse")) as client:
        names = "store, name, hour, at, rows, bytes"
        await client.command(
            f"INSERT INTO growth ({names}) SELECT 'clickhouse', 'daily', toStartOfHour(toDateTime('{at}', 'UTC')),"
            f" toDateTime64('{at}', 3, 'UTC'), 0, 0"
        )
    known = next(t for t in growing.report(kept.settings, 30).tables if (t.store, t.name) == ("clickhouse", "daily"))
    assert known.rows_a_day == pytest.approx(len(rows) / 2, rel=0.05)
