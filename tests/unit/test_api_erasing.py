"""How the service erases: one at a time, asked again it goes on, and what it says. The erasure itself is made up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from api.config import Busy, Config, NotToBeHad
from api.erasing import Erasing
from api.keys import Secret
from api.problems import Problem


class Made:
    """An erasure that takes each step when it is let."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.first, self.last = threading.Event(), threading.Event()
        self.why: Exception | None = None
        self.found: dict[str, Any] | None = None

    def erase(self, user: str, say: Callable[[str], None]) -> None:
        self.asked.append(user)
        assert self.first.wait(30)
        if self.why is not None:
            raise self.why
        say("suppressed")
        assert self.last.wait(30)

    def service(self) -> Erasing:
        where = {"kafka": "k", "redis": "r", "postgres": "p"}
        return Erasing(Config(**where, keys=Secret("x" * 32), erase=self.erase, erasure=lambda user: self.found))


async def refused(begun: Any) -> int:
    with pytest.raises(Problem) as why:
        await begun
    return why.value.status


async def over(service: Erasing) -> None:
    while service._run is not None and not service._run.is_over:  # noqa: ASYNC110  # it ends in a thread
        await asyncio.sleep(0.01)


async def test_it_answers_after_the_first_step_and_asked_again_it_goes_on_with_the_same() -> None:
    made = Made()
    service = made.service()
    asking = [asyncio.create_task(service.begin("ann")) for _ in range(3)]
    done, _ = await asyncio.wait(asking, timeout=0.1)
    assert not done, "nothing is promised before the person is suppressed"
    assert await service.told("ann") == {"status": "under way", "step": ""}
    made.first.set()
    await asyncio.gather(*asking)
    assert await service.told("ann") == {"status": "under way", "step": "suppressed"}
    assert await refused(service.begin("bob")) == 409
    assert made.asked == ["ann"]
    made.last.set()
    await over(service)
    made.found = {"begun_at": "…", "receipt": {"kid": "…"}}
    assert (await service.told("ann"))["status"] == "done"
    await service.begin("bob")
    assert made.asked == ["ann", "bob"]
    await over(service)


@pytest.mark.parametrize(("why", "status"), [(Busy("another"), 409), (NotToBeHad("away"), 503), (KeyError("odd"), 503)])
async def test_one_that_did_not_begin_is_refused_and_may_be_asked_for_again(why: Exception, status: int) -> None:
    made = Made()
    service, made.why = made.service(), why
    made.first.set()
    assert await refused(service.begin("ann")) == status
    await over(service)
    made.why = None
    await service.begin("ann")
    made.last.set()
    await over(service)
    assert made.asked == ["ann", "ann"]


async def test_one_that_was_cut_short_says_that_it_was_begun_and_nobody_says_anything_of_others() -> None:
    made = Made()
    service = made.service()
    assert await refused(service.told("ann")) == 404
    made.found = {"begun_at": "2026-11-22T00:00:00.000Z"}
    assert await service.told("ann") == {"status": "begun", "begun_at": "2026-11-22T00:00:00.000Z"}


async def test_without_a_key_nothing_is_erased() -> None:
    service = Erasing(Config(kafka="k", redis="r", postgres="p", keys=Secret("x" * 32)))
    assert await refused(service.begin("ann")) == 501
    assert await refused(service.told("ann")) == 501
