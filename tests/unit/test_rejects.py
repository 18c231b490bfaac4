"""How an operator names refused events, and what is judged before anything is sent again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import schemas
from daybook.commands.rejected import _printable, _readable
from daybook.errors import Misuse
from daybook.rejects import Place, Refusal, Selection, at, moment, ms
from daybook.replaying import Resend, judge
from schemas.codec import MAX_AHEAD_MS, Rejected
from schemas.instants import parse_instant
from schemas.rows import RejectedRow

MEAL = (Path(schemas.__file__).parent / "examples" / "events.jsonl").read_bytes().splitlines()[0]
AT = parse_instant("2026-03-01T12:31:00+01:00").ms
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def refusal(
    topic: str = "meals",
    raw: bytes | None = MEAL,
    key: bytes | None = b"u_1001",
    ms: int = AT,
    original: int | None = None,
) -> Refusal:
    return Refusal(RejectedRow(topic, 3, 41, ms, "why", "$", raw, key, original), None)


def test_what_holds_now_goes_back_to_its_partition_with_its_first_receipt() -> None:
    one = refusal()
    assert judge(one) == Resend(one, b"u_1001", 3, AT)
    again = refusal(ms=AT + 5, original=AT)
    assert judge(again) == Resend(again, b"u_1001", 3, AT)


@pytest.mark.parametrize(
    ("one", "says"),
    [
        (refusal(raw=b"{"), "Not JSON"),
        (refusal(raw=None), "without a value"),
        (refusal(topic="hints"), "no event"),
        (refusal(topic="body"), "belongs on topic meals"),
        (refusal(ms=AT + 9 * MAX_AHEAD_MS, original=AT - MAX_AHEAD_MS - 1), "24 h ahead"),
        (refusal(key=b"u_2"), "--rekey"),
        (refusal(key=None), "--rekey"),
    ],
)
def test_what_would_be_refused_again_is_not_sent(one: Refusal, says: str) -> None:
    judged = judge(one)
    assert isinstance(judged, Rejected)
    assert says in judged.reason


def test_a_wrong_key_is_mended_when_asked_for_and_its_partition_found_anew() -> None:
    one = refusal(key=b"u_2")
    assert judge(one, rekey=True) == Resend(one, b"u_1001", None, AT)


@pytest.mark.parametrize("text", ["meals", "meals/3", "meals/x@1", "meals/3@", "meals/3@1 ", "/3@1", "meals/3@-1"])
def test_what_is_no_place_is_misuse(text: str) -> None:
    with pytest.raises(Misuse, match="meals/3@41"):
        Place.of(text)


def test_times_are_written_as_people_do() -> None:
    assert moment("90m", NOW) == NOW - timedelta(minutes=90)
    assert moment("2026-03-01", NOW) == NOW.replace(hour=0)
    assert moment("2026-03-01T13:00+01:00", NOW) == NOW
    assert at(ms(NOW)) == NOW
    for text in ("", "yesterday", "5w", "-5m"):
        with pytest.raises(Misuse):
            moment(text, NOW)


def test_only_a_selection_that_selects_is_not_everything() -> None:
    assert Selection().is_everything
    assert Selection(replayed=False).is_everything
    assert not Selection(topic="meals").is_everything
    assert Selection(topic="meals", reason="x").where()[0].count("AND") == 1


def test_what_clients_write_cannot_command_a_terminal() -> None:
    assert _printable("a\x1b[2J\u202e\x9bü\ud800") == "a\\x1b[2J\\u202e\\x9bü\\ud800"
    assert _readable(b'{"a":"\\ud800\\u001b"}') == ["{", '  "a": "\\ud800\\u001b"', "}"]
    assert _readable(b"\xff[" + b"[" * 3) == ["\\xff[[[["]
    assert len(_printable("x" * 500, 160)) == 160
