"""When a worker is started again: always after a kill, never after a refusal, ever more slowly, and not without end."""

from __future__ import annotations

import doctest

from daybook import restarts
from daybook.restarts import FIRST_S, LONGEST_S, MOST, WITHIN_S, Again, Leave, verdict


def test_the_examples_in_the_docstrings_run() -> None:
    assert doctest.testmod(restarts).attempted
    assert not doctest.testmod(restarts).failed


def test_a_worker_that_keeps_ending_is_started_ever_more_slowly_and_then_left() -> None:
    now, starts, waits = 1_000.0, [], []
    while isinstance(said := verdict(70, starts, now), Again):
        waits.append(said.after_s)
        now += said.after_s
        starts.append(now)
    assert waits[0] == FIRST_S
    assert waits == sorted(waits)
    assert max(waits) == LONGEST_S
    assert len(waits) == MOST
    assert said == Leave("it was started 10 times in 10 minutes")
    assert verdict(70, starts, now + WITHIN_S) == Again(FIRST_S), "long ago does not count"


def test_who_refused_is_left_at_once_and_who_was_killed_is_not() -> None:
    assert isinstance(verdict(78, [], 0.0), Leave)
    assert isinstance(verdict(2, [], 0.0), Leave)
    assert all(verdict(code, [], 0.0) == Again(FIRST_S) for code in (None, 70, 1, 0))
