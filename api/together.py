"""Questions that wait at the same time go to a store as one, and each gets its own answer.

What a question to Redis costs is mostly the way there: under load many share it, and a quiet service waits for nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")


class Together(Generic[Q, A]):
    """Used from one event loop."""

    def __init__(
        self, ask: Callable[[Sequence[Q]], Awaitable[Sequence[A]]], *, at_once: int = 2, most: int = 16
    ) -> None:
        """`ask`: an answer for each question, in order. `at_once`: how many calls of it are under way at a time.
        `most`: questions of one call; what they come to is worked on in one go."""
        self._ask, self._at_once, self._most = ask, at_once, most
        self._waiting: list[tuple[Q, asyncio.Future[A]]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, question: Q) -> A:
        """Its answer. Raises what the call raised in which it was asked; who stops waiting stops nobody else."""
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, answer))
        if len(self._tasks) < self._at_once:
            task = asyncio.create_task(self._all())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await answer

    async def _all(self) -> None:
        while self._waiting:
            now, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            now = [(question, answer) for question, answer in now if not answer.done()]
            if not now:
                continue
            try:
                found = await self._ask([question for question, _ in now])
            except Exception as why:
                for _, answer in now:
                    if not answer.done():
                        answer.set_exception(why)
                        answer.exception()  # whoever asked may have left
                continue
            for (_, answer), each in zip(now, found, strict=True):
                if not answer.done():
                    answer.set_result(each)
