"""The client's parts: nothing leaves the outbox before its fate is known; waiting grows, and never ends by itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.answers import LONGEST_S, back_off_s, step
from producers.outbox import Full, Outbox

statuses = st.one_of(st.none(), st.sampled_from([202, 400, 401, 413, 415, 429, 503]), st.integers(100, 599))


@given(
    statuses, st.one_of(st.just(1), st.integers(1, 500)), st.integers(0, 5_000), st.floats(0, 1), st.text(max_size=12)
)
def test_events_leave_only_with_verdicts_or_when_one_alone_is_refused(
    status: int | None, events: int, failures: int, dice: float, after: str
) -> None:
    found = step(status, {"retry-after": after}, events=events, failures=failures, dice=dice)
    assert (found.do == "settle") == (status == 202)
    assert found.do != "set aside" or (events == 1 and status in (400, 413, 415, 422))
    assert found.do != "halve" or events > 1
    assert status not in (400, 413, 415, 422) or found.do == ("halve" if events > 1 else "set aside")
    if found.do in ("again", "new token"):
        assert 0.05 <= found.wait_s <= 3_600
    else:
        assert found.wait_s == 0


def test_what_the_service_asks_for_is_waited_for() -> None:
    assert step(429, {"retry-after": "17"}, events=5, failures=0, dice=0.5).wait_s == 17
    assert step(503, {"retry-after": "Fri, 31 Dec 1999 23:59:59 GMT"}, events=5, failures=0, dice=1).wait_s == 0.5
    assert [back_off_s(n, 1.0) for n in (0, 1, 2, 9, 10_000)] == [0.5, 1, 2, LONGEST_S, LONGEST_S]


def test_the_outbox_keeps_what_waits_over_a_restart_in_its_order(tmp_path: Path) -> None:
    file = tmp_path / "app" / "outbox.sqlite"
    box = Outbox(file, most=4)
    box.add([b"a", b"b"])
    box.add([b"c"])
    with pytest.raises(Full):
        box.add([b"d", b"e"])
    one, two, _ = box.first(9, 9)
    box.settle([one.number], [(two, "/time", "why")])
    del box  # as a process that is killed: nothing is closed
    again = Outbox(file)
    assert [each.event for each in again.first(9, 9)] == [b"c"]
    assert len(again) == 1
    assert again.refused() == [(b"b", "/time", "why")]
    again.forget()
    again.add([b"f"])
    assert [each.event for each in again.first(1, 9)] == [b"c"]
    assert [each.event for each in again.first(9, 0)] == [b"c"], "one at least, however large"
    assert again.refused() == []
    again.close()
