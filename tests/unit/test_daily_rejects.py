"""What the daily stream refuses: with the reason, where it came from, and the bytes, whatever they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from events import RECEIVED_MS

import schemas
from schemas.codec import MAX_EVENT_BYTES
from schemas.refusal import MAX_KEY_BYTES
from schemas.rows import RejectedRow, decode_rejected
from streams.daily.core import Ledger
from streams.state import Counts, Records

MEAL = (Path(schemas.__file__).parent / "examples" / "events.jsonl").read_bytes().splitlines()[0]


def refuse(raw: bytes | None, key: bytes | None = b"u_1001", topic: str = "meals") -> RejectedRow:
    """Fold one record that must be refused; what is filed."""
    ledger = Ledger()
    assert ledger.fold(Records(topic, 3, [41], [RECEIVED_MS], [key], [raw])) == Counts(rejected=1)
    drained = ledger.drain(1)
    assert drained.state == drained.rows["daily"] == []
    ((_, value),) = drained.rows["rejected"]
    assert value is not None
    return decode_rejected(value)


@pytest.mark.parametrize("raw", [b"", b"\xff\x00", b"[]", b"null", MEAL[:-1], None, b"\x00" * 10])
def test_bad_bytes_are_filed_as_they_came(raw: bytes | None) -> None:
    filed = refuse(raw)
    assert (filed.topic, filed.partition, filed.offset, filed.received_ms) == ("meals", 3, 41, RECEIVED_MS)
    assert filed.raw == raw
    assert filed.reason


@pytest.mark.parametrize("key", [None, b"", b"u_1", b"u_1001 ", b"\xff"])
def test_a_key_that_is_not_the_subject_is_refused(key: bytes | None) -> None:
    filed = refuse(MEAL, key)
    assert (filed.reason, filed.path, filed.key) == ("Expected the Kafka key to be the subject", "$.subject", key)


def test_an_event_on_another_familys_topic_is_refused() -> None:
    assert refuse(MEAL, topic="body").reason == "meal.logged belongs on topic meals, not on body"


def test_a_refusal_fits_a_kafka_record_however_large_the_event_was() -> None:
    filed = refuse(b'{"x":"' + b"x" * 8_000_000 + b'"}', b"k" * 1_000_000)
    assert filed.raw is not None
    assert filed.key is not None
    assert (len(filed.raw), len(filed.key)) == (MAX_EVENT_BYTES, MAX_KEY_BYTES)
    assert "got 8000008" in filed.reason


def test_good_events_around_a_bad_one_count() -> None:
    ledger = Ledger()
    good = MEAL.replace(b"meal_1", b"meal_2")
    records = Records("meals", 0, [1, 2, 3], [RECEIVED_MS] * 3, [b"u_1001"] * 3, [MEAL, b"{", good])
    assert ledger.fold(records) == Counts(applied=2, rejected=1)


def test_a_text_with_u0000_is_refused_wherever_it_stands_in_a_chunk() -> None:
    bad = MEAL.replace(b"Bread", b"a\\u0000b").replace(b"meal_1", b"meal_3")
    ledger = Ledger()
    records = Records("meals", 0, [1, 2, 3], [RECEIVED_MS] * 3, [b"u_1001"] * 3, [MEAL, bad, MEAL])
    assert ledger.fold(records) == Counts(applied=1, duplicate=1, rejected=1)
    ((_, value),) = ledger.drain(1).rows["rejected"]
    assert decode_rejected(value or b"").path == "$.data.items[1].name"
