"""Who sends tokens that do not count is soon told nothing: limits by address, over all processes, behind proxies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest
from api_rig import Service, service, token

from stack.stack import Stack

LIMIT = 6
PATH = "/v1/users/u_a/explain"
"""Answers 400 to whoever may ask: no store is needed."""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A Redis that these tests may stop."""
    stack = Stack(tmp_path_factory.mktemp("strangers-stack"))
    try:
        stack.up(["redis"])
        yield stack
    finally:
        stack.down()


@pytest.fixture(scope="module")
def both(own: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Service]]:
    """Two processes; the second knows of proxies in front."""
    told: dict[str, Any] = {"redis": own.endpoints().redis, "api_stranger_requests": LIMIT}
    home = tmp_path_factory.mktemp("strangers")
    with ExitStack() as held:
        first = held.enter_context(service(home / "a", "127.0.0.1:1", **told))
        second = service(home / "b", "127.0.0.1:1", **told, api_proxies="127.0.0.1,10.0.0.0/8")
        yield [first, held.enter_context(second)]


async def ask(api: Service, who: str | None, by: str | None = None) -> tuple[int, str, Mapping[str, str]]:
    said = {} if who is None else {"Authorization": f"Bearer {who}"}
    said |= {} if by is None else {"X-Forwarded-For": by}
    async with api.session() as session, session.get(PATH, headers=said | {"X-Request-Id": "1"}) as answer:
        return answer.status, await answer.text(), answer.headers.copy()


def forged(number: int) -> str:
    return token("u_a", lifetime_s=900 + number)[:-4] + "AAAA"


async def test_beyond_the_limit_no_guess_is_looked_at_and_who_was_known_before_goes_on(
    own: Stack, both: list[Service]
) -> None:
    first, second = both
    known = token("u_a")
    assert (await ask(first, known))[0] == 400
    tries = [None, forged(1), "x", forged(2), None, forged(3)]
    assert [(await ask(each, who))[0] for each, who in zip([first, second] * 3, tries, strict=True)] == [401] * LIMIT
    fresh = token("u_a", lifetime_s=901)
    refused = [await ask(each, who) for each in both for who in (None, forged(4), fresh)]
    assert {status for status, _, _ in refused} == {429}
    assert len({text for _, text, _ in refused}) == 1, "a good guess and a bad one are told the same"
    assert 1 <= int(refused[0][2]["Retry-After"]) <= 120
    assert refused[0][2]["RateLimit-Policy"] == f'"requests";q={LIMIT};w=60'
    assert (await ask(first, known))[0] == 400, "it was seen to count before"
    async with first.session() as session, session.get("/healthz") as answer:
        assert answer.status == 200


async def test_behind_a_proxy_each_client_is_counted_for_itself_and_none_can_say_it_is_another(
    own: Stack, both: list[Service]
) -> None:
    first, second = both
    statuses = [
        (await ask(second, forged(10 + n), f"203.0.113.{n}, 198.51.100.9, 10.1.2.3"))[0] for n in range(LIMIT + 1)
    ]
    assert statuses == [401] * LIMIT + [429], "what a client writes there itself is not believed"
    assert (await ask(second, forged(20), "198.51.100.10"))[0] == 401
    assert (await ask(second, token("u_a", lifetime_s=902), "198.51.100.10"))[0] == 400
    six = [(await ask(second, forged(30 + n), f"2001:db8::{n}"))[0] for n in range(LIMIT + 1)]
    assert six == [401] * LIMIT + [429], "one customer has many addresses of IPv6"
    assert (await ask(second, forged(40), "2001:db8:0:1::1"))[0] == 401
    await ask(first, forged(50), "198.51.100.11")
    assert "DAYBOOK_API_PROXIES" in first.log.read_text()


async def test_a_token_of_another_time_is_no_guess_and_without_redis_each_process_counts_alone(
    own: Stack, both: list[Service]
) -> None:
    _, second = both
    own.stop("redis")
    old = token("u_a", lifetime_s=-600)
    assert {(await ask(second, old, "198.51.100.20"))[0] for _ in range(2 * LIMIT)} == {401}
    statuses = [(await ask(second, forged(60 + n), "198.51.100.20"))[0] for n in range(LIMIT + 1)]
    assert statuses == [401] * LIMIT + [429]
