"""Taking partitions over while they move again: nobody is left with half of them, and nothing is admitted too early."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from faust.tables.recovery import RebalanceAgain
from faust.types import TP
from runtime_counting import Counting

from streams.runtime import chunked_topic, fold_table, make_app
from streams.runtime.fence import Fence


class Producer:
    """Starts when it is let."""

    def __init__(self, number: int, gate: asyncio.Event) -> None:
        self.number, self._gate, self.open = number, gate, False

    async def start(self, topics: Sequence[str]) -> None:
        self.open = True
        if self.number:
            await self._gate.wait()

    async def stop(self) -> None:
        self.open = False


class Rig:
    """A fence whose producers, but for the first, wait at a gate."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.made: list[Producer] = []
        self.fence = Fence(self.new, ["rows"])

    def new(self, number: int) -> Any:
        self.made.append(Producer(number, self.gate))
        return self.made[-1]

    @property
    def open(self) -> list[int]:
        return [producer.number for producer in self.made if producer.open]


async def test_partitions_released_while_they_are_taken_are_nobodys() -> None:
    rig = Rig()
    taking = asyncio.create_task(rig.fence.take([0, 1, 2]))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await rig.fence.release()
    rig.gate.set()
    assert await taking is False
    assert rig.open == []
    assert await rig.fence.take([1, 2]) is True
    assert rig.open == [rig.fence.producer(1).number, rig.fence.producer(2).number]  # type: ignore[attr-defined]


async def test_a_take_that_is_cancelled_leaves_no_producer_open() -> None:
    rig = Rig()
    taking = asyncio.create_task(rig.fence.take([0, 1, 2]))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    assert rig.open == []


async def test_a_recovery_that_a_rebalance_overtook_begins_anew_and_admits_nothing() -> None:
    app = make_app("t", "127.0.0.1:1", generation=1)
    chunked_topic(app, "meals")
    table = fold_table(app, "counts", 8, Counting, outputs=["out"])
    recovery = app.tables.recovery
    recovery.add_active(table, TP(table.changelog_topic_name, 0))  # of the new assignment: nothing is read of it yet
    recovery.active_highwaters[TP(table.changelog_topic_name, 0)] = 7
    recovery.signal_recovery_start.set()
    with pytest.raises(RebalanceAgain):
        await recovery.on_recovery_completed(1)
