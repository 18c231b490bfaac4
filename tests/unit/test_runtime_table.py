"""Folding chunks onto a watermark: what is covered is skipped, what is missing ends the process. No broker."""

from __future__ import annotations

import asyncio
from typing import Any, NoReturn

import pytest
from faust.types import TP
from runtime_counting import Counting

from streams.runtime import ChunkTable, chunked_topic, fold_table, make_app
from streams.runtime import table as table_module
from streams.runtime.transport import Chunk
from streams.state import Counts, Records


class Stopped(Exception):
    """Stands for the end of the process."""


class Flusher:
    """Notes that it was woken."""

    def __init__(self, partition: Any) -> None:
        self.partition, self.uncommitted, self.woken = partition, 0, 0

    def wake(self) -> None:
        self.woken += 1


class Folding:
    """A table with one owned partition, whose state can be told to fail."""

    def __init__(self, **settings: Any) -> None:
        app = make_app("t", "127.0.0.1:1", generation=1, retry_pause_s=0.0, **settings)
        chunked_topic(app, "meals")
        self.fails = 0
        self.state = Counting(0)
        self.asked = 0
        self.acked: list[int] = []
        real = self.state.fold

        def fold(records: Records) -> Counts:
            if self.fails:
                self.fails -= 1
                raise ValueError("not now")
            return real(records)

        async def check_topics(_: ChunkTable) -> None:
            self.asked += 1

        self.state.fold = fold  # type: ignore[method-assign]
        app.check_topics = check_topics  # type: ignore[method-assign,assignment]
        self.table = fold_table(app, "counts", 1, lambda _: self.state, outputs=["out"])
        self.partition = self.table.store.open(0)
        self.partition.open("meals", "id", 100)
        self.partition.ready = True
        self.flusher = Flusher(self.partition)
        self.table._flushers[0] = self.flusher  # type: ignore[assignment]

    async def fold(self, start: int, stop: int, next_offset: int | None = None, topic: str = "meals") -> None:
        chunk = Chunk(TP(topic, 0), start)
        chunk.offsets = list(range(start, stop))
        chunk.timestamps = [0] * len(chunk.offsets)
        chunk.keys = [b"%d" % offset for offset in chunk.offsets]
        chunk.values = [b"x"] * len(chunk.offsets)
        chunk.next_offset = next_offset or stop
        chunk.ack = lambda: self.acked.append(start)
        await self.table.fold(chunk)

    @property
    def counted(self) -> dict[int, int]:
        return {int(key): count for key, count in self.state.totals.items()}


@pytest.fixture(autouse=True)
def stop(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(reason: str, error: BaseException | None = None) -> NoReturn:
        raise Stopped(reason)

    monkeypatch.setattr(table_module, "stop_process", stopped)


async def test_a_chunk_is_folded_in_slices_and_acknowledged_only_by_its_flush() -> None:
    folding = Folding(slice_records=30)
    await folding.fold(100, 200)
    assert folding.counted == dict.fromkeys(range(100, 200), 1)
    assert folding.partition.next_offset("meals") == 200
    assert folding.acked == []
    assert folding.flusher.woken == 1
    for acknowledge in folding.partition.drain().acks:
        acknowledge()
    assert folding.acked == [100]


async def test_between_slices_the_event_loop_lives() -> None:
    folding = Folding(slice_records=10)
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count_turns())
    await folding.fold(100, 200)
    counting.cancel()
    assert turns >= 9


async def test_a_chunk_that_begins_below_the_watermark_counts_only_what_is_new() -> None:
    folding = Folding()
    await folding.fold(90, 110)
    assert folding.counted == dict.fromkeys(range(100, 110), 1)
    assert folding.asked == 1, "a topic that was made again starts below the watermark too"


async def test_a_chunk_that_is_covered_moves_nothing_back() -> None:
    folding = Folding()
    await folding.fold(80, 95)
    assert folding.counted == {}
    assert folding.partition.next_offset("meals") == 100
    assert not folding.partition.dirty
    assert folding.acked == [80]


async def test_a_gap_before_a_chunk_ends_the_process() -> None:
    folding = Folding()
    with pytest.raises(Stopped, match="jumped from offset 100 to 101"):
        await folding.fold(101, 110)


async def test_markers_behind_the_last_record_are_passed() -> None:
    folding = Folding()
    await folding.fold(100, 110, next_offset=112)
    await folding.fold(112, 113)
    assert folding.partition.next_offset("meals") == 113


async def test_a_slice_that_stumbles_is_folded_once_when_it_succeeds() -> None:
    folding = Folding(attempts=3)
    folding.fails = 2
    await folding.fold(100, 110)
    assert folding.counted == dict.fromkeys(range(100, 110), 1)


async def test_a_slice_that_keeps_failing_ends_the_process_with_what_came_before_it_intact() -> None:
    folding = Folding(attempts=3, slice_records=5)
    await folding.fold(100, 105)
    folding.fails = 3
    with pytest.raises(Stopped, match="at attempt 3"):
        await folding.fold(105, 115)
    assert folding.partition.next_offset("meals") == 105


async def test_a_fold_that_does_not_account_for_its_records_is_not_tried_again() -> None:
    folding = Folding()
    folding.state.fold = lambda records: Counts()  # type: ignore[method-assign]
    with pytest.raises(Stopped, match="at attempt 1"):
        await folding.fold(100, 110)


async def test_a_chunk_of_a_partition_or_topic_that_is_not_ours_ends_the_process() -> None:
    folding = Folding()
    with pytest.raises(Stopped, match="none of its sources"):
        await folding.fold(100, 110, topic="strange")
    folding.partition.ready = False
    with pytest.raises(Stopped, match="not owned"):
        await folding.fold(100, 110)
