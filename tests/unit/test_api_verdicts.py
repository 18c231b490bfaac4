"""Verdicts: one for each event, in order; what is accepted the streams accept too, and goes out as it was written."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from events import RECEIVED_MS, encode, events
from hypothesis import given
from hypothesis import strategies as st

from api.known import DIGEST_BYTES, Known
from api.parts import ANY, BATCH, LINES, SINGLE, is_deeper, split
from api.problems import Problem
from api.tokens import Who
from api.verdicts import judge, pointer
from schemas import codec
from schemas.families import FAMILY_OF
from schemas.suppression import Erased

EXAMPLES = (Path(__file__).parents[2] / "schemas" / "examples" / "events.jsonl").read_bytes().splitlines()
SERVICE = Who("importer", "service")
MEAL: dict[str, Any] = {
    "specversion": "1.0",
    "id": "m1",
    "source": "ios/5.2.0",
    "type": "meal.logged",
    "subject": "u_1",
    "time": "2026-03-01T12:31:00+01:00",
    "data": {"meal_type": "lunch", "items": [{"name": "Soup", "energy_kcal": 310}]},
}


def one(event: dict[str, Any] | bytes, who: Who = SERVICE, known: Known | None = None) -> Any:
    raw = event if isinstance(event, bytes) else json.dumps(event).encode()
    return judge([raw], who, known or Known(), now_ms=RECEIVED_MS, depth=32)


def test_every_example_is_accepted_and_goes_out_as_it_was_written() -> None:
    judged = judge(EXAMPLES, SERVICE, Known(), now_ms=RECEIVED_MS, depth=32)
    assert {verdict.status for verdict in judged.verdicts} == {"accepted"}
    assert [record.value for record in judged.records] == EXAMPLES
    for raw, record in zip(EXAMPLES, judged.records, strict=True):
        event = json.loads(raw)
        assert (record.topic, record.key) == (FAMILY_OF[event["type"]], event["subject"].encode())


def test_events_of_an_erased_subject_are_refused_and_only_those() -> None:
    erased = Erased("an installation's key of 32 bytes")
    erased.add(erased.hash_of(b"u_1"))
    raws = [json.dumps({**MEAL, "subject": subject}).encode() for subject in ("u_1", "u_12")]
    judged = judge(raws, SERVICE, Known(), now_ms=RECEIVED_MS, depth=32, erased=erased)
    assert [(v.status, v.pointer, v.reason) for v in judged.verdicts] == [
        ("refused", "/subject", "this subject was erased"),
        ("accepted", None, None),
    ]
    assert [record.key for record in judged.records] == [b"u_12"]


@given(st.lists(st.one_of(events.map(encode), st.binary(max_size=40), st.sampled_from(EXAMPLES)), max_size=12))
def test_there_is_a_verdict_for_every_event_and_the_streams_say_the_same(raws: list[bytes]) -> None:
    judged = judge(raws, SERVICE, Known(), now_ms=RECEIVED_MS, depth=32)
    assert [verdict.index for verdict in judged.verdicts] == list(range(len(raws)))
    for raw, verdict in zip(raws, judged.verdicts, strict=True):
        refused = isinstance(codec.decode(raw, received_ms=RECEIVED_MS), codec.Rejected)
        assert (verdict.status == "refused") == refused
        assert (verdict.reason is not None) == refused
    said = judged.answer()
    assert (said.accepted, said.accepted + said.duplicate + said.refused) == (len(judged.records), len(raws))


def test_what_is_wrong_is_told_with_its_place() -> None:
    meal = MEAL | {"data": {"meal_type": "lunch", "items": [{"name": "Soup"}, {"name": "Bread", "energy_kcal": -1}]}}
    (verdict,) = one(meal).verdicts
    assert (verdict.status, verdict.pointer) == ("refused", "/data/items/1/energy_kcal")
    assert verdict.reason
    (verdict,) = one(MEAL | {"time": "2099-01-01T00:00:00Z"}).verdicts
    assert (verdict.status, verdict.pointer) == ("refused", "/time")


def test_the_same_content_twice_is_a_duplicate_and_an_edit_is_none() -> None:
    again = MEAL | {"id": "m2", "entity": "m1", "sentat": "2026-03-01T12:32:00+01:00"}
    edit = MEAL | {"revision": 2}
    other = MEAL | {"subject": "u_2"}
    raws = [json.dumps(event).encode() for event in (MEAL, again, edit, other)]
    judged = judge(raws, SERVICE, Known(), now_ms=RECEIVED_MS, depth=32)
    assert [verdict.status for verdict in judged.verdicts] == ["accepted", "duplicate", "accepted", "accepted"]
    known = Known()
    known.add(judged.digests)
    later = judge(raws, SERVICE, known, now_ms=RECEIVED_MS, depth=32)
    assert {verdict.status for verdict in later.verdicts} == {"duplicate"}
    assert later.records == []


def _digests(numbers: range) -> list[bytes]:
    return [hashlib.blake2b(b"%d" % number, digest_size=DIGEST_BYTES).digest() for number in numbers]


@given(st.integers(1, 64), st.lists(st.integers(0, 99), max_size=60))
def test_what_was_never_added_is_not_known_and_the_latest_is(most: int, numbers: list[int]) -> None:
    known = Known(most)
    for number in numbers:
        known.add(_digests(range(number, number + 1)))
        assert _digests(range(number, number + 1))[0] in known
    strangers = set(range(100)) - set(numbers)
    assert not any(_digests(range(number, number + 1))[0] in known for number in strangers)


def test_the_latest_quarter_is_remembered_in_memory_that_does_not_grow() -> None:
    most = 16_384
    known = Known(most)
    begun = sys.getsizeof(known._table)
    digests = _digests(range(3 * most))
    known.add(digests)
    assert sys.getsizeof(known._table) == begun < most * DIGEST_BYTES + 100
    latest = digests[-most // 4 :]
    assert sum(digest in known for digest in latest) > 0.995 * len(latest)
    assert sum(digest in known for digest in digests) <= most


def test_a_user_writes_only_its_own_subject_and_canaries_nobody() -> None:
    assert one(MEAL, Who("u_1", "user")).verdicts[0].status == "accepted"
    (verdict,) = one(MEAL, Who("u_2", "user")).verdicts
    assert (verdict.status, verdict.pointer) == ("refused", "/subject")
    assert one(MEAL, Who("u_1", "user"), Known()).records
    assert one(MEAL | {"subject": "daybook.canary.3"}, Who("root", "admin")).verdicts[0].pointer == "/subject"


@pytest.mark.parametrize("twice", [b'"subject":"u_1","subject":"u_2"', b'"subject":"u_2","subj\\u0065ct":"u_1"'])
def test_no_user_passes_with_two_subjects_of_which_readers_may_take_either(twice: bytes) -> None:
    raw = json.dumps(MEAL).encode().replace(b'"subject": "u_1"', twice)
    for user in ("u_1", "u_2"):
        assert one(raw, Who(user, "user")).verdicts[0].status == "refused"


def test_what_lies_too_deep_is_refused_before_it_is_read() -> None:
    deep = json.dumps(MEAL | {"more": None}).encode().replace(b"null", b"[" * 40 + b"]" * 40)
    assert "deep" in one(deep).verdicts[0].reason
    wide = json.dumps(MEAL | {"more": [[] for _ in range(500)]}).encode()
    assert one(wide).verdicts[0].status == "accepted"
    assert is_deeper(b'["' + b"[" * 50 + b'\\"", {}]', 2) is False


def test_a_body_is_split_by_its_type() -> None:
    a, b = EXAMPLES[:2]
    assert split(SINGLE, a, 9) == [a]
    assert split(f"{ANY}; charset=utf-8", b" " + a + b"\n", 9) == [a]
    assert split(BATCH, b"[" + a + b",\n " + b + b"]", 9) == [a, b]
    assert split(ANY, b"[" + a + b"]", 9) == [a]
    for kind in LINES:
        assert split(kind.upper(), a + b"\r\n\n" + b, 9) == [a, b]


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("text/plain", b"{}", 415),
        ("", b"{}", 415),
        (f"{ANY}; charset=latin-1", b"{}", 415),
        (ANY, b"", 400),
        (LINES[0], b" \n \n", 400),
        (BATCH, b"[]", 400),
        (BATCH, b"[{}", 400),
        (BATCH, b"{}", 400),
        (BATCH, b"[" * 5_000, 400),
        (BATCH, b"[" + b",".join([b"{}"] * 10) + b"]", 413),
        (LINES[0], b"{}\n" * 10, 413),
    ],
)
def test_an_envelope_that_cannot_be_read_is_refused_as_a_whole(kind: str, body: bytes, status: int) -> None:
    with pytest.raises(Problem) as why:
        split(kind, body, 9)
    assert why.value.status == status


@given(st.text())
def test_a_pointer_comes_of_every_path(path: str) -> None:
    found = pointer(path)
    assert found == "" or found.startswith("/")
