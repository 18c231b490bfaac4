"""Questions that go together: each gets its own answer, however many share a call; one that leaves is alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from api.together import Together


class Store:
    """Doubles numbers when it is let, and is told which calls there were."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.under_way = self.most_under_way = 0
        self.open = asyncio.Event()

    async def ask(self, questions: Sequence[int]) -> list[int]:
        self.calls.append(list(questions))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await self.open.wait()
        self.under_way -= 1
        if -1 in questions:
            raise OSError("away")
        return [2 * question for question in questions]


@given(st.lists(st.integers(0, 9), max_size=30), st.integers(1, 4), st.integers(1, 8))
def test_each_gets_its_own_answer_and_calls_are_few(questions: list[int], at_once: int, most: int) -> None:
    async def run() -> None:
        store = Store()
        together = Together(store.ask, at_once=at_once, most=most)
        asking = [asyncio.create_task(together.ask(question)) for question in questions]
        await asyncio.sleep(0)
        store.open.set()
        assert await asyncio.gather(*asking) == [2 * question for question in questions]
        assert sorted(question for call in store.calls for question in call) == sorted(questions)
        assert len(store.calls) == -(-len(questions) // most), "what waits together goes together"
        assert store.most_under_way <= at_once

    asyncio.run(run())


async def test_a_call_that_fails_fails_its_own_and_one_that_leaves_takes_nobody_along() -> None:
    store = Store()
    together = Together(store.ask, at_once=1, most=2)
    bad = [asyncio.create_task(together.ask(question)) for question in (-1, 5)]
    good = [asyncio.create_task(together.ask(question)) for question in (1, 2, 3, 4)]
    await asyncio.sleep(0)
    good[1].cancel()
    await asyncio.sleep(0)
    store.open.set()
    said = await asyncio.gather(*bad, *good, return_exceptions=True)
    assert [type(each) for each in said] == [OSError, OSError, int, asyncio.CancelledError, int, int]
    assert [each for each in said if isinstance(each, int)] == [2, 6, 8]
    assert await together.ask(7) == 14, "it goes on"
