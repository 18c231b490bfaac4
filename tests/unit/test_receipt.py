"""A replay is judged by its first receipt, by everybody; nobody gains by setting the header."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

import schemas
from schemas.codec import MAX_AHEAD_MS
from schemas.instants import parse_instant
from schemas.receipt import HEADER, first_ms, header, judged_by
from schemas.rows import decode_rejected
from sinks.intake import Taken, take
from streams.daily.core import Ledger
from streams.state import Counts, Records

VIEW = next(
    raw
    for raw in (Path(schemas.__file__).parent / "examples" / "events.jsonl").read_bytes().splitlines()
    if b"view.recorded" in raw
)
MEAL = (Path(schemas.__file__).parent / "examples" / "events.jsonl").read_bytes().splitlines()[0]
AT = parse_instant(json.loads(MEAL)["time"]).ms
TOO_EARLY, LATER = AT - MAX_AHEAD_MS - 1, AT + 10 * MAX_AHEAD_MS

anything = st.lists(
    st.tuples(
        st.sampled_from([HEADER, "traceparent", ""]),
        st.one_of(st.none(), st.binary(max_size=20), st.integers(-10, 10**20).map(lambda n: str(n).encode())),
    ),
    max_size=4,
)


@given(st.integers(0, 2**53), anything)
def test_a_header_can_only_make_the_judge_stricter(append_ms: int, headers: list[tuple[str, bytes | None]]) -> None:
    first = first_ms(append_ms, headers)
    assert first is None or 0 <= first < append_ms
    assert judged_by([7], [append_ms], {7: headers}) == [append_ms if first is None else first]


def fold(append_ms: int, *headers: tuple[str, bytes | None]) -> tuple[Counts, list[tuple[int, int | None]]]:
    ledger = Ledger()
    counts = ledger.fold(Records("meals", 0, [7], [append_ms], [b"u_1001"], [MEAL], {7: headers}))
    refused = [decode_rejected(value or b"") for _, value in ledger.drain(1).rows["rejected"]]
    return counts, [(row.received_ms, row.original_ms) for row in refused]


def test_a_replay_is_judged_by_its_first_receipt() -> None:
    assert fold(LATER) == (Counts(applied=1), [])
    assert fold(LATER, header(AT)) == (Counts(applied=1), [])
    assert fold(LATER, header(TOO_EARLY)) == (Counts(rejected=1), [(LATER, TOO_EARLY)])


def test_a_header_from_the_future_does_not_lift_the_rule_of_24_hours() -> None:
    assert fold(TOO_EARLY, header(LATER)) == (Counts(rejected=1), [(TOO_EARLY, None)])


def test_the_sink_judges_a_replay_as_the_stream_does() -> None:
    for topic, raw, key in (("meals", MEAL, b"u_1001"), ("views", VIEW, b"u_1001")):
        into = Taken()
        records = [
            SimpleNamespace(offset=n, timestamp=LATER, key=key, value=raw, headers=headers)
            for n, headers in enumerate([(), (header(TOO_EARLY),), (header(LATER + 1),)])
        ]
        take(into, topic, 0, records)
        assert [row.offset for row in into.batch.events] == [0, 2]
        assert {row.received_ms for row in into.batch.events} == {LATER}
        filed = [(row.offset, row.received_ms, row.original_ms) for row in into.refused_views]
        assert filed == ([(1, LATER, TOO_EARLY)] if topic == "views" else [])
