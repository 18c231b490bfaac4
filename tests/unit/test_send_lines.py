"""A verdict for every line, by the schemas' own rules, with the bytes left as they were."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.publish import Record, route
from producers.send import Verdict, judge
from schemas.codec import MAX_AHEAD_MS, Rejected, decode, type_name
from schemas.families import FAMILY_OF
from schemas.instants import parse_instant

EXAMPLES = (Path(__file__).parents[2] / "schemas" / "examples" / "events.jsonl").read_bytes().splitlines()
NOON = "2026-03-01T12:00:00+01:00"
NOW_MS = parse_instant("2026-03-15T00:00:00Z").ms


def water(**changes: object) -> bytes:
    event = {"specversion": "1.0", "id": "1", "source": "ios/1", "type": "water.logged", "subject": "u", "time": NOON}
    return json.dumps({**event, "data": {"ml": 250}, **changes}).encode()


def verdicts(*lines: bytes, now_ms: int = NOW_MS) -> list[Verdict]:
    return list(judge(lines, now_ms=now_ms))


def test_the_example_events_are_accepted_as_they_stand() -> None:
    for verdict, line in zip(verdicts(*EXAMPLES), EXAMPLES, strict=True):
        assert isinstance(verdict.outcome, Record)
        assert verdict.outcome.value == line
        assert verdict.outcome.key == b"u_1001"
        assert verdict.outcome == route(line)


def test_blank_lines_are_skipped_and_counted() -> None:
    found = verdicts(b"\n", water() + b"\r\n", b"  \t\r\n", b"{}\n", b"")
    assert [(v.line, v.accepted) for v in found] == [(2, True), (4, False)]


def test_line_ends_and_a_byte_order_mark_are_no_part_of_an_event() -> None:
    for line in (water() + b"\r\n", b"\xef\xbb\xbf" + water(), b"  " + water() + b"\n"):
        (verdict,) = verdicts(line)
        assert isinstance(verdict.outcome, Record)
        assert verdict.outcome.value == water()


@pytest.mark.parametrize(
    ("line", "reason", "path"),
    [
        (b'{"specversion":"1.0",', "Not JSON", "$"),
        (b"[1, 2]", "Expected `object`", "$"),
        (b"\xff\xfe", "Not JSON", "$"),
        (water(data={"ml": "much"}), "Expected `float`, got `str`", "$.data.ml"),
        (water(data={"ml": -1}), "Expected `float` >= 0", "$.data.ml"),
        (water(time="2026-03-01T12:00:00"), "RFC 3339", "$.time"),
        (water(type="water.spilled"), "Invalid value 'water.spilled'", "$.type"),
        (water(subject="u\0"), "U+0000", "$.subject"),
        (water(timezone="Europe/Nowhere"), "IANA", "$.timezone"),
    ],
)
def test_a_refusal_says_why_and_where(line: bytes, reason: str, path: str) -> None:
    (verdict,) = verdicts(line)
    assert isinstance(verdict.outcome, Rejected)
    assert reason in verdict.outcome.reason
    assert verdict.outcome.path == path


def test_a_time_is_refused_once_it_is_more_than_a_day_ahead_of_now() -> None:
    at = parse_instant(NOON).ms
    assert verdicts(water(), now_ms=at - MAX_AHEAD_MS)[0].accepted
    (verdict,) = verdicts(water(), now_ms=at - MAX_AHEAD_MS - 1)
    assert verdict.outcome == Rejected("time is more than 24 h ahead of this machine's clock", "$.time")


def test_lines_are_judged_as_they_are_asked_for() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield water()

    assert next(judge(endless(), now_ms=NOW_MS)).accepted


@given(st.lists(st.one_of(st.binary(max_size=60), st.sampled_from(EXAMPLES)), max_size=8))
def test_any_bytes_get_a_verdict_and_only_what_decodes_is_sent(lines: list[bytes]) -> None:
    found = verdicts(*lines)
    assert [v.line for v in found] == [n for n, line in enumerate(lines, 1) if line.strip()]
    for verdict in found:
        event = decode(lines[verdict.line - 1])
        if isinstance(verdict.outcome, Record):
            assert not isinstance(event, Rejected)
            assert verdict.outcome.topic == FAMILY_OF[type_name(event)]
            assert verdict.outcome.key == event.subject.encode()
        else:
            assert isinstance(event, Rejected)


def test_broken_events_are_routed_by_what_they_show() -> None:
    assert route(b'{"type": "meal.logged", "subject" : "u_1", "data": NaN') == Record(
        "meals", b"u_1", b'{"type": "meal.logged", "subject" : "u_1", "data": NaN'
    )
    for unknown in (b"", b"null", b'{"type":"meal.logged"}', b'{"type":"meal.eaten","subject":"u"}'):
        with pytest.raises(ValueError, match="known type and a subject"):
            route(unknown)
