"""The disk spool: what was promised is read again in its order, whatever a crash cuts off; what was not may go."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import blocks, spool
from api.problems import Problem
from api.spool import Spool, SpoolInUse
from producers.publish import Record

MUCH = 1 << 20
events = st.lists(
    st.builds(Record, st.sampled_from(["meals", "body"]), st.binary(max_size=9), st.binary(max_size=40)),
    min_size=1,
    max_size=4,
)
written = st.lists(events, min_size=1, max_size=5)


def numbered(first: int, last: int) -> list[Record]:
    return [Record("meals", b"u", f'{{"n": {n}}}'.encode()) for n in range(first, last)]


def read(data: bytes) -> list[Record]:
    return [record for block in blocks.scan(data).blocks for record in blocks.records(data, block)]


async def all_of(kept: Spool) -> list[Record]:
    """Everything, as a replay takes it."""
    found: list[Record] = []
    while kept.left:
        chunk = await kept.read()
        found += chunk.records
        kept.drop(chunk)
    return found


async def opened(folder: Path, most: int = MUCH, **more: int) -> Spool:
    kept = Spool(folder, most, **more)
    kept.open()
    return kept


@given(written, st.data())
def test_cut_at_any_byte_all_blocks_before_are_there_and_nothing_else_is(
    each: list[list[Record]], data: st.DataObject
) -> None:
    parts = [blocks.encode(records) for records in each]
    whole = b"".join(parts)
    assert all(len(part) <= blocks.size(records) for part, records in zip(parts, each, strict=True))
    cut = data.draw(st.integers(0, len(whole)))
    found = blocks.scan(whole[:cut])
    kept = [n for n in range(len(parts)) if len(b"".join(parts[: n + 1])) <= cut]
    assert read(whole[:cut]) == [record for n in kept for record in each[n]]
    assert (found.torn, found.damaged) == (cut - len(b"".join(parts[: len(kept)])), 0)


@given(written, st.data())
def test_a_changed_byte_is_noticed_and_costs_its_own_block_alone(each: list[list[Record]], data: st.DataObject) -> None:
    parts = [blocks.encode(records) for records in each]
    hit = data.draw(st.integers(0, len(parts) - 1))
    at = data.draw(st.integers(0, len(parts[hit]) - 1))
    changed = bytearray(parts[hit])
    changed[at] ^= data.draw(st.integers(1, 255))
    whole = b"".join([*parts[:hit], bytes(changed), *parts[hit + 1 :]])
    found = blocks.scan(whole)
    assert read(whole) == [record for n, records in enumerate(each) if n != hit for record in records]
    lost = len(parts[hit])
    assert (found.torn, found.damaged) == ((lost, 0) if hit == len(parts) - 1 else (0, lost))


async def test_a_crash_at_any_byte_of_a_write_loses_nothing_that_was_promised(tmp_path: Path) -> None:
    kept = await opened(tmp_path / "kept")
    await kept.append(numbered(0, 3))
    promised = kept.bytes
    await kept.append(numbered(3, 5))
    whole = next((tmp_path / "kept").glob("*.spool")).read_bytes()
    await kept.close()
    for cut in range(promised, len(whole) + 1):
        folder = tmp_path / str(cut)
        folder.mkdir()
        (folder / f"{1:016}.spool").write_bytes(whole[:cut])
        again = await opened(folder)
        await again.append(numbered(5, 6))
        last = 5 if cut == len(whole) else 3
        assert again.events == last + 1
        assert await all_of(again) == numbered(0, last) + numbered(5, 6), "and what comes later comes behind"
        assert again.damaged == 0
        await again.close()
        assert not list(folder.glob("*.spool"))


async def test_nobody_is_told_before_the_disk_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reached, go = threading.Event(), threading.Event()
    flush = spool._to_disk

    def slowly(file: int) -> None:
        reached.set()
        go.wait(10)
        flush(file)

    monkeypatch.setattr(spool, "_to_disk", slowly)
    kept = await opened(tmp_path)
    first = asyncio.create_task(kept.append(numbered(0, 1)))
    await asyncio.to_thread(reached.wait, 10)
    behind = [asyncio.create_task(kept.append(numbered(n, n + 1))) for n in range(1, 50)]
    await asyncio.sleep(0)
    assert not first.done()
    assert (kept.events, kept.is_empty) == (0, False)
    go.set()
    await asyncio.gather(first, *behind)
    assert await all_of(kept) == numbered(0, 50)
    await kept.close()


async def test_what_the_disk_refuses_is_refused_and_what_comes_later_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = await opened(tmp_path)
    await kept.append(numbered(0, 2))
    with monkeypatch.context() as broken:

        def fails(file: int) -> None:
            raise OSError(5, "Input/output error")

        broken.setattr(spool, "_to_disk", fails)
        for _ in range(3):
            with pytest.raises(Problem) as why:
                await kept.append(numbered(2, 3))
            assert why.value.status == 503
    await kept.append(numbered(3, 4))
    await kept.close()
    again = await opened(tmp_path)
    assert await all_of(again) == numbered(0, 2) + numbered(3, 4)
    await again.close()


async def test_it_stays_below_its_bytes_and_takes_again_when_kafka_has_some(tmp_path: Path) -> None:
    kept = await opened(tmp_path, 4_000, file_bytes=1_000)
    taken = 0
    while kept.bytes + blocks.size(numbered(taken, taken + 10)) <= 4_000:
        await kept.append(numbered(taken, taken + 10))
        taken += 10
    with pytest.raises(Problem) as why:
        await kept.append(numbered(taken, taken + 10))
    assert (why.value.status, why.value.headers["Retry-After"]) == (503, "5")
    assert taken > 20
    assert sum(path.stat().st_size for path in tmp_path.glob("*.spool")) == kept.bytes <= 4_000
    chunk = await kept.read()
    assert chunk.records == numbered(0, len(chunk.records))
    kept.drop(chunk)
    await kept.append(numbered(taken, taken + 10))
    assert await all_of(kept) == numbered(len(chunk.records), taken + 10)
    assert (kept.bytes, kept.events, kept.is_empty) == (0, 0, True)
    await kept.close()


async def test_one_process_at_a_time_and_what_was_left_is_given_also_when_nothing_is_taken(tmp_path: Path) -> None:
    kept = await opened(tmp_path)
    await kept.append(numbered(0, 3))
    with pytest.raises(SpoolInUse):
        await opened(tmp_path)
    await kept.close()
    off = await opened(tmp_path, 0)
    assert (off.events, off.has_room) == (3, False)
    with pytest.raises(Problem):
        await off.append(numbered(3, 4))
    assert await all_of(off) == numbered(0, 3)
    await off.close()


async def test_what_was_promised_and_is_damaged_is_said_and_kept_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = await opened(tmp_path)
    for n in range(3):
        await kept.append(numbered(n, n + 1))
    await kept.close()
    (path,) = tmp_path.glob("*.spool")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    again = await opened(tmp_path)
    assert again.damaged == len(data) // 3
    assert "cannot be read any more" in caplog.text
    assert await all_of(again) == numbered(0, 1) + numbered(2, 3)
    await again.append(numbered(3, 4))
    assert await all_of(again) == numbered(3, 4)
    await again.close()
    assert [path.suffix for path in sorted(tmp_path.iterdir())] == [".aside", ""]


steps = st.lists(st.sampled_from(["write", "write", "read", "drop", "crash"]), max_size=30)


@given(steps)
def test_whatever_happens_first_sights_are_in_order_and_nothing_is_missing(moves: list[str]) -> None:
    async def run(folder: Path) -> None:
        kept = await opened(folder, file_bytes=60)
        wrote, seen, chunk = 0, [], None
        for move in moves:
            if move == "write":
                await kept.append(numbered(wrote, wrote + 2))
                wrote += 2
            elif move == "crash":
                await kept.close()  # what it would have to remember is on the disk alone
                kept, chunk = await opened(folder, file_bytes=60), None
            elif move == "read" and kept.left:
                chunk = await kept.read()
                seen += chunk.records
            elif move == "drop" and chunk is not None:
                kept.drop(chunk)
                chunk = None
        seen += await all_of(kept)
        await kept.close()
        assert list(dict.fromkeys(seen)) == numbered(0, wrote)

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder)))
