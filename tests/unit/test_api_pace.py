"""Pace: over any window of a minute nobody is allowed much more than the limit, and whoever waits as told is let in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from api.pace import WINDOW_S, Local, judge

steps = st.lists(st.tuples(st.floats(0, 40), st.integers(1, 12)), min_size=1, max_size=80)


@given(steps)
def test_no_fixed_window_lets_more_than_the_limit_through_and_no_other_twice(moves: list[tuple[float, int]]) -> None:
    limit, now, allowed = 10, 1_000_000.0, []
    local = Local()
    for wait, cost in moves:
        now += wait
        if local.take("u", limit, cost, now).allowed:
            allowed.append((now, cost))
    for at, _ in allowed:
        fixed = at - at % WINDOW_S
        assert sum(cost for when, cost in allowed if fixed <= when < fixed + WINDOW_S) <= limit
        assert sum(cost for when, cost in allowed if at <= when < at + WINDOW_S) < 2 * limit


@given(steps, st.integers(1, 10))
def test_whoever_waits_as_told_is_let_in(moves: list[tuple[float, int]], cost: int) -> None:
    local, now = Local(), 1_000_000.0
    for wait, each in moves:
        now += wait
        local.take("u", 10, each, now)
    found = local.take("u", 10, cost, now)
    if not found.allowed:
        assert local.take("u", 10, cost, now + found.again_s).allowed


@given(st.integers(0, 20), st.integers(0, 20), st.integers(1, 9), st.floats(0, 1e6))
def test_what_is_left_may_be_sent(before: int, current: int, cost: int, now: float) -> None:
    found = judge(10, before, current, cost, now)
    if found.allowed and found.left:
        assert judge(10, before, current + cost, found.left, now).allowed


@given(steps)
def test_who_only_asks_whether_it_may_pays_nothing(moves: list[tuple[float, int]]) -> None:
    now, asking, other = 1_000_000.0, Local(), Local()
    for wait, cost in moves:
        now += wait
        assert asking.take("u", 10, 1, now, count=False) == other.take("u", 10, 1, now, count=False)
        assert asking.take("u", 10, cost, now) == other.take("u", 10, cost, now)
        asking.take("u", 10, 1, now, count=False)


def test_senders_do_not_share_a_pace_and_only_so_many_are_remembered() -> None:
    local = Local(most=2)
    assert [local.take(who, 1, 1, 5.0).allowed for who in ("a", "b", "a")] == [True, True, False]
    local.take("c", 1, 1, 5.0)
    assert local.take("b", 1, 1, 5.0).allowed, "forgotten, which is in its favour"
