"""State of the format before is read, a newer one is refused, and which is written is one number for all workers."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybook.errors import Misuse
from daybook.topics import migrate
from producers import generate
from schemas.families import FAMILY_OF
from schemas.generations import Generations, decode, encode
from schemas.positions import NEWEST, READABLE, Position, UnknownFormat, decode_position, encode_position, unreadable
from schemas.topics import GENERATION, LEDGER
from sinks.base import Refusal
from sinks.intake import Taken, take
from streams.daily.core import Ledger
from streams.runtime.partition import OwnedPartition
from streams.state import Records

OLD = Path(__file__).parents[1] / "state" / "format-1.jsonl"
"""A ledger's changelog as the version before this number wrote it: the first half of EVENTS."""
EVENTS = list(generate.events(users=3, days=5, seed=5))
HALF = len(EVENTS) // 2
RECEIVED_MS = 1_773_000_000_000


def changelog() -> list[tuple[bytes, bytes | None]]:
    lines = [json.loads(line) for line in OLD.read_text().splitlines()]
    return [(base64.b64decode(key), value and base64.b64decode(value)) for key, value in lines]


def partition(state_format: int = NEWEST) -> OwnedPartition:
    return OwnedPartition(0, LEDGER.name, GENERATION, Ledger(), state_format=state_format)


def fold(owned: OwnedPartition, events: list[bytes]) -> dict[bytes, bytes | None]:
    """The rows that these events lead to, each topic's at once."""
    for topic in ("body", "meals", "plans", "workouts"):
        own = [event for event in events if FAMILY_OF[json.loads(event)["type"]] == topic]
        if topic not in owned.positions:
            owned.open(topic, f"id-of-{topic}", 0)
        first = owned.positions[topic].next_offset
        offsets = range(first, first + len(own))
        keys = [json.loads(event)["subject"].encode() for event in own]
        owned.fold(Records(topic, 0, offsets, [RECEIVED_MS] * len(own), keys, own), offsets.stop)
    return dict(owned.drain().records["daily"])


def without_version(rows: dict[bytes, bytes | None]) -> dict[bytes, object]:
    return {key: {**json.loads(row or b"{}"), "version": 0} for key, row in rows.items()}


@pytest.mark.parametrize("written", READABLE)
def test_a_worker_goes_on_from_what_the_version_before_wrote_whatever_it_writes_itself(written: int) -> None:
    old = changelog()
    assert all(value[:1] == b"{" for key, value in old if value and key.startswith(b"\0position"))
    owned = partition(written)
    owned.restore([key for key, _ in old], [value for _, value in old], len(old) - 1)
    assert sum(position.received for position in owned.positions.values()) == HALF
    rows, whole = fold(owned, EVENTS[HALF:]), fold(partition(), EVENTS)
    assert rows
    assert without_version(rows).items() <= without_version(whole).items()


def test_either_version_goes_on_from_the_others_state_as_often_as_they_take_turns() -> None:
    """A rolling upgrade, and back: partitions change hands between workers that write 1 and such that write 2."""
    log = changelog()
    owned = partition()
    for turn, written in enumerate((1, 2, 1, 2)):
        owned = partition(written)
        owned.restore([key for key, _ in log], [value for _, value in log], len(log) - 1)
        at = HALF + turn * 10
        topics = {FAMILY_OF[json.loads(event)["type"]] for event in EVENTS[at : at + 10]}
        for topic in sorted(topics):
            own = [e for e in EVENTS[at : at + 10] if FAMILY_OF[json.loads(e)["type"]] == topic]
            first = owned.positions[topic].next_offset
            keys = [json.loads(event)["subject"].encode() for event in own]
            offsets = range(first, first + len(own))
            owned.fold(Records(topic, 0, offsets, [RECEIVED_MS] * len(own), keys, own), offsets.stop)
        log += owned.drain().records[LEDGER.name]
        assert {(value or b"")[:1] == b"{" for key, value in log[-len(topics) :]} == {written == 1}
    again = partition()
    again.restore([key for key, _ in log], [value for _, value in log], len(log) - 1)
    assert again.positions == owned.positions
    assert sum(position.received for position in again.positions.values()) == HALF + 40


numbers = st.integers(0, 2**62)


@given(
    st.builds(
        Position,
        *(st.integers(1, 10_000), numbers, st.text(max_size=30), numbers),
        **dict.fromkeys(("received", "applied", "duplicate", "superseded", "rejected", "pending"), numbers),
        **dict.fromkeys(("recent", "recent_rejected", "rejected_run", "history"), numbers),
    ),
    st.sampled_from(READABLE),
)
def test_a_position_reads_back_from_every_format(position: Position, written: int) -> None:
    key, value = encode_position("meals", position, written)
    assert decode_position(key, value) == ("meals", position)
    assert len(value) <= len(encode_position("meals", position, 1)[1])


def test_a_newer_format_is_refused_by_owner_and_sink_with_what_to_do() -> None:
    key, value = encode_position("meals", Position(1, 1, "id", 0))
    newer = bytes([NEWEST + 1]) + value[1:]
    said = f"the state is written in format {NEWEST + 1}, and this version reads 1 to {NEWEST}"
    with pytest.raises(UnknownFormat, match=said):
        partition().restore([key], [newer], 0)

    class Record:
        offset, timestamp, headers = 0, 0, ()

    record = Record()
    record.key, record.value = key, newer  # type: ignore[attr-defined]
    with pytest.raises(Refusal, match=said) as refused:
        take(Taken(), LEDGER.name, 0, [record])  # type: ignore[list-item]
    assert refused.value.exit_code == 78


def test_what_is_written_is_said_to_all_workers_and_never_what_they_cannot_read() -> None:
    assert decode(b'{"rebuilds":0,"partitions":8,"topics":{}}').state_format == 1, "a cluster of before this number"
    assert decode(encode(Generations(0, 8, {}, NEWEST))).state_format == NEWEST
    assert unreadable(NEWEST + 1)
    with pytest.raises(Misuse, match="--state-format"):
        migrate("nowhere:1", None, print, NEWEST + 1)
