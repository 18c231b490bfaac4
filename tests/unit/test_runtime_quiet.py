"""A worker's log stays readable while a broker is away."""

from __future__ import annotations

import logging

from streams.runtime.quiet import Seldom


def line(name: str, text: str, second: float) -> logging.LogRecord:
    record = logging.LogRecord(name, logging.ERROR, "", 0, text, (), None)
    record.created = second
    return record


def test_a_library_repeats_itself_once_per_pause_and_says_how_often_it_did() -> None:
    seldom = Seldom(10.0)
    assert seldom.filter(line("aiokafka", "unable to connect", 0.0))
    assert not any(seldom.filter(line("aiokafka", "unable to connect", second)) for second in (0.1, 5.0, 9.9))
    again = line("aiokafka", "unable to connect", 10.0)
    assert seldom.filter(again)
    assert again.getMessage() == "unable to connect (3 lines like it or others were left out)"


def test_another_line_is_not_held_back() -> None:
    seldom = Seldom()
    assert seldom.filter(line("aiokafka", "unable to connect", 0.0))
    assert seldom.filter(line("aiokafka.consumer", "rejoining", 0.1))


def test_our_own_lines_always_pass() -> None:
    seldom = Seldom()
    assert all(seldom.filter(line("streams.runtime.recovery", "ready", second)) for second in (0.0, 0.1))
