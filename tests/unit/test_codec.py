"""What the codec accepts, what it refuses, and that the public models and the fast Structs never disagree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from events import encode, events
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

import schemas
from schemas import codec, export
from schemas.codec import MAX_AHEAD_MS, MAX_EVENT_BYTES, Rejected, canonical, decode
from schemas.families import FAMILIES, FAMILY_OF, MODEL_OF
from schemas.instants import parse_instant
from schemas.topics import SOURCES

EXAMPLES = (Path(schemas.__file__).parent / "examples" / "events.jsonl").read_bytes().splitlines()
MEAL = json.loads(EXAMPLES[0])


def pydantic_accepts(raw: bytes, type_name: str) -> bool:
    try:
        MODEL_OF[type_name].model_validate_json(raw)
    except ValidationError:
        return False
    return True


def reject(raw: bytes | None, **kwargs: Any) -> Rejected:
    got = decode(raw, **kwargs)
    assert isinstance(got, Rejected), got
    return got


def meal(**changes: Any) -> bytes:
    return encode({**MEAL, **changes})


@pytest.mark.parametrize("raw", EXAMPLES, ids=lambda raw: json.loads(raw)["type"])
def test_every_example_is_accepted_as_it_stands(raw: bytes) -> None:
    event = decode(raw, family=FAMILY_OF[json.loads(raw)["type"]], received_ms=1_790_000_000_000)
    assert not isinstance(event, Rejected), event
    assert pydantic_accepts(raw, json.loads(raw)["type"])


def test_the_examples_show_every_type_that_is_not_a_plain_delete_of_body_data() -> None:
    shown = {json.loads(raw)["type"] for raw in EXAMPLES}
    assert set(MODEL_OF) - shown == {"body.deleted", "water.deleted", "activity.deleted", "sleep.deleted"}


broken_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-10, 10),
    st.integers(2**31 - 2, 2**63 + 2),
    st.floats(allow_nan=False),
    st.sampled_from(["", "x", "a\x00b", "2026-02-30", "24:00", "2026-03-01T00:00:00", "Europe/Nowhere", "é" * 201]),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in parsed JSON where something can be changed."""
    found = [path] if path else []
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        found += paths_of(part, (*path, name))
    return found


@given(st.data())
def test_models_and_structs_accept_and_refuse_the_same(data: st.DataObject) -> None:
    event = json.loads(data.draw(st.sampled_from(EXAMPLES)))
    kind = event["type"]
    for path in data.draw(st.lists(st.sampled_from(paths_of(event)), min_size=1, max_size=2)):
        if path == ("type",):
            continue
        place = event
        try:
            for step in path[:-1]:
                place = place[step]
            if data.draw(st.booleans()):
                del place[path[-1]]
            else:
                place[path[-1]] = data.draw(broken_values)
        except (KeyError, IndexError, TypeError):
            continue
    raw = encode(event)
    assert pydantic_accepts(raw, kind) == (not isinstance(decode(raw, family=FAMILY_OF[kind]), Rejected)), raw


@given(events)
def test_generated_events_are_accepted_by_both(event: dict[str, Any]) -> None:
    raw = encode(event)
    assert not isinstance(decode(raw), Rejected)
    assert pydantic_accepts(raw, event["type"])


@given(st.binary(max_size=300))
@example(b"[" * 100_000)
@example(b'{"a":' * 50_000)
@example(b'{"type":"meal.logged","x":' + b"[" * 50_000)
@example(b"\xef\xbb\xbf{}")
def test_no_bytes_can_raise(raw: bytes) -> None:
    assert isinstance(decode(raw, family="meals", received_ms=0), Rejected)


spoiled = st.tuples(
    st.sampled_from(EXAMPLES), st.integers(0, 600), st.integers(0, 8), st.binary(max_size=8) | st.just(b"\\u0000")
).map(lambda cut: cut[0][: cut[1]] + cut[3] + cut[0][cut[1] + cut[2] :])
"""Examples with some bytes replaced: nearly events."""


@given(spoiled, st.sampled_from([*FAMILIES, None]))
@example(b'{"type":"body.measured", bad', "meals")
@example(b'{"type":"body.measured","x":1e999}', "meals")
@example(b'{"type":"body.measured","x":"\xff"}', "meals")
@example(b'{"type":"body.measured","x":' + b"[" * 5_000, "meals")
def test_nearly_events_cannot_raise_either(raw: bytes, family: str | None) -> None:
    assert decode(raw, family=family, received_ms=0) is not None


@given(st.lists(st.one_of(spoiled, st.sampled_from(EXAMPLES), st.none()), max_size=6), st.sampled_from([0, 2 * 10**12]))
def test_a_chunk_is_judged_as_its_records_are_one_by_one(raws: list[bytes | None], received_ms: int) -> None:
    for family in FAMILIES:
        one_by_one = [codec.reader(family)(raw, received_ms) for raw in raws]
        assert codec.chunk_reader(family)(raws, [received_ms] * len(raws)) == one_by_one


@pytest.mark.parametrize(
    ("raw", "path", "says"),
    [
        (b"{", "$", "Not JSON"),
        (meal(subject=""), "$.subject", "length >= 1"),
        (meal(time="2026-03-01T12:31:00"), "$.time", "offset"),
        (meal(time="2026-02-30T12:31:00Z"), "$.time", "day"),
        (meal(time="1970-01-01T00:00:00Z"), "$.time", "never set"),
        (meal(timezone="Mars/Olympus"), "$.timezone", "IANA"),
        (meal(revision=0), "$.revision", ">= 1"),
        (meal(data={**MEAL["data"], "portion": 3}), "$.data.portion", "<= 2"),
        (meal(data={**MEAL["data"], "items": [{"name": "a\x00b"}]}), "$.data.items[0].name", "U+0000"),
        (meal(note="\x00"), "$.note", "U+0000"),
        (meal(type="meal.eaten"), "$.type", "meal.eaten"),
        (encode({**MEAL, "note": "x" * MAX_EVENT_BYTES}), "$", "bytes"),
    ],
)
def test_a_refusal_says_what_and_where(raw: bytes, path: str, says: str) -> None:
    got = reject(raw, family="meals")
    assert got.path == path
    assert says in got.reason


def test_an_escaped_backslash_before_u0000_is_text() -> None:
    assert not isinstance(decode(meal(note="\\u0000")), Rejected)


def test_a_record_without_a_value_is_refused() -> None:
    assert "without a value" in reject(None).reason


def test_an_event_on_the_wrong_topic_is_told_where_it_belongs() -> None:
    assert reject(EXAMPLES[0], family="body").reason == "meal.logged belongs on topic meals, not on body"


def test_more_than_a_day_ahead_of_the_broker_is_refused_and_any_age_is_taken() -> None:
    at = parse_instant(MEAL["time"]).ms
    assert not isinstance(decode(EXAMPLES[0], received_ms=at - MAX_AHEAD_MS), Rejected)
    assert reject(EXAMPLES[0], received_ms=at - MAX_AHEAD_MS - 1).path == "$.time"
    assert not isinstance(decode(meal(time="1970-01-02T00:00:00+14:00"), received_ms=at), Rejected)


def accepted(raw: bytes) -> codec.Event:
    event = decode(raw)
    assert not isinstance(event, Rejected), event
    return event


def test_the_same_content_written_otherwise_has_the_same_digest() -> None:
    one = canonical(accepted(EXAMPLES[0]))
    spaced = json.dumps({**dict(reversed(MEAL.items())), "id": "other", "sentat": None, "unknown": 1}, indent=1)
    assert canonical(accepted(spaced.encode())) == one
    as_float = EXAMPLES[0].replace(b'"energy_kcal":120,', b'"energy_kcal":120.0,')
    assert as_float != EXAMPLES[0]
    assert canonical(accepted(as_float)) == one


@pytest.mark.parametrize(
    "change",
    [{"time": "2026-03-01T11:31:00Z"}, {"source": "ios/5.2.1"}, {"data": {"meal_type": "dinner"}}, {"timezone": None}],
)
def test_other_content_has_another_digest(change: dict[str, Any]) -> None:
    assert canonical(accepted(meal(**change))) != canonical(accepted(EXAMPLES[0]))


@given(events)
def test_encoding_and_decoding_keep_what_an_event_says(event: dict[str, Any]) -> None:
    first = accepted(encode(event))
    assert canonical(accepted(codec.encode(first))) == canonical(first)


@pytest.mark.parametrize("name", sorted(export.MODELS))
def test_the_committed_json_schema_is_what_the_model_says(name: str) -> None:
    assert (export.FOLDER / f"{name}.json").read_text(encoding="utf-8") == export.json_schema(name), (
        "run: python -m schemas.export"
    )


UNIT_OF_SUFFIX = {"kcal": "kcal", "g": "g", "kg": "kg", "s": "s", "m": "m", "ml": "ml", "cm": "cm", "bpm": "1/min"}


def test_every_quantity_names_its_unit() -> None:
    named = 0
    for name in MODEL_OF:
        schema = json.loads(export.json_schema(name))
        for model in (schema, *schema.get("$defs", {}).values()):
            for field, about in model.get("properties", {}).items():
                unit = UNIT_OF_SUFFIX.get(field.rpartition("_")[2]) if "_" in field else None
                if unit is not None:
                    assert f"[{unit}" in about["description"], (name, field)
                    named += 1
    assert named > 20


def test_every_family_has_a_source_topic_of_its_name() -> None:
    assert {topic.name for topic in SOURCES} == set(FAMILIES)
