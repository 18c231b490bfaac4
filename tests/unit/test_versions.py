"""Events of older versions count as events of today do, for everybody who reads them; unknown versions are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from events import RECEIVED_MS, encode, events
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import schemas
from daybook.recompute import EventRow, recompute
from producers import truth
from schemas.codec import Event, Rejected, canonical, chunk_reader, decode, reader
from schemas.families import MODEL_OF
from schemas.meals import KJ_PER_KCAL
from schemas.refusal import filed
from sinks.batch import EventRow as SinkRow
from sinks.clickhouse.events import columns
from streams.daily.core import Ledger
from streams.state import Counts, Records

OLD = (Path(schemas.__file__).parent / "examples" / "older.jsonl").read_bytes().strip()
NEW_EXAMPLES = (Path(schemas.__file__).parent / "examples" / "events.jsonl").read_bytes().splitlines()
V1: dict[str, Any] = json.loads(OLD)
AS_OF_TODAY = {
    **{name: value for name, value in V1.items() if name != "dataschema"},
    "data": {
        "meal_type": "lunch",
        "rating": 4,
        "items": [{"name": "Lentil soup", "energy_kcal": 310.5, "protein_g": 18.2, "carbs_g": 40, "fat_g": 8.1}],
    },
}


def accepted(raw: bytes) -> Event:
    event = decode(raw, family="meals", received_ms=RECEIVED_MS)
    assert not isinstance(event, Rejected), event
    return event


def refused(**changes: Any) -> Rejected:
    got = decode(encode({**V1, **changes}), family="meals", received_ms=RECEIVED_MS)
    assert isinstance(got, Rejected), got
    return got


def test_an_event_of_version_1_says_the_same_as_its_translation() -> None:
    assert canonical(accepted(OLD)) == canonical(accepted(encode(AS_OF_TODAY)))
    assert accepted(OLD).data.items[0].energy_kcal == 310.5 == round(1299.132 / KJ_PER_KCAL, 3)


def test_an_event_of_version_1_and_its_translation_count_once() -> None:
    ledger = Ledger()
    raws = [OLD, encode(AS_OF_TODAY)]
    records = Records("meals", 0, [1, 2], [RECEIVED_MS] * 2, [b"u_1002"] * 2, raws)
    assert ledger.fold(records) == Counts(applied=1, duplicate=1)


def test_stream_truth_recomputation_and_clickhouse_agree_about_version_1() -> None:
    wanted = truth.daily_rows([OLD])
    assert wanted["u_1002", "2026-03-01"]["energy_kcal"] == 310.5
    ledger = Ledger()
    ledger.fold(Records("meals", 0, [1], [RECEIVED_MS], [b"u_1002"], [OLD]))
    assert ledger.drain(1).rows["rejected"] == []
    rows = recompute([], [EventRow("meals", RECEIVED_MS, "u_1002", "meal_2", "", OLD.decode())]).rows
    row = rows["u_1002", "2026-03-01"]
    assert (row.energy_kcal, row.protein_g, row.fibre_g) == (310.5, 18.2, None)
    assert wanted["u_1002", "2026-03-01"]["protein_g"] == row.protein_g
    got = reader("meals")(OLD, RECEIVED_MS)
    assert not isinstance(got, Rejected)
    shown = columns([SinkRow("meals", 0, 1, RECEIVED_MS, OLD, *got)])
    assert (list(shown["energy_kcal"]), list(shown["raw"])) == ([310.5], [OLD])


@pytest.mark.parametrize(
    ("changes", "path", "says"),
    [
        ({"dataschema": "urn:daybook:meal.logged:3"}, "$.dataschema", "version 3 of meal.logged is not known here"),
        ({"dataschema": "urn:daybook:meal.logged:3"}, "$.dataschema", "urn:daybook:meal.logged:VERSION with 1, 2"),
        ({"dataschema": "urn:daybook:water.logged:1"}, "$.dataschema", "is not known here"),
        ({"dataschema": "urn:daybook:meal.logged:01"}, "$.dataschema", "is not known here"),
        ({"dataschema": "https://schemas.example/meal.json"}, "$.dataschema", "is not known here"),
        ({"dataschema": ""}, "$.dataschema", "is not known here"),
        ({"dataschema": 1}, "$.dataschema", "got `int`"),
        ({"data": {**V1["data"], "energy_kj": "many"}}, "$.data.energy_kj", "got `str`"),
        ({"data": {**V1["data"], "energy_kj": 500_000}}, "$.data.energy_kj", "<= 400000"),
        ({"data": AS_OF_TODAY["data"]}, "$.data", "required field `name`"),
        ({"time": "2099-03-01T12:31:00+01:00"}, "$.time", "24 h ahead"),
        ({"timezone": "Mars/Olympus"}, "$.timezone", "IANA"),
    ],
)
def test_a_refusal_of_another_version_says_what_and_where(changes: dict[str, Any], path: str, says: str) -> None:
    got = refused(**changes)
    assert got.path == path
    assert says in got.reason


def test_version_1_without_its_name_is_judged_as_of_today() -> None:
    assert decode(encode({n: v for n, v in V1.items() if n != "dataschema"})) == decode(
        encode({**AS_OF_TODAY, "data": {"meal_type": "lunch", "rating": 4}})
    ), "unknown attributes are ignored: dataschema decides what they mean"


def test_an_older_version_on_the_wrong_topic_is_told_where_it_belongs() -> None:
    got = decode(OLD, family="body")
    assert isinstance(got, Rejected)
    assert got.reason == "meal.logged belongs on topic meals, not on body"


@pytest.mark.parametrize("raw", NEW_EXAMPLES, ids=lambda raw: json.loads(raw)["type"])
def test_the_current_version_may_be_named(raw: bytes) -> None:
    event = json.loads(raw)
    urn = f"urn:daybook:{event['type']}:{MODEL_OF[event['type']].version}"
    named = accepted_anywhere(encode({**event, "dataschema": urn}))
    assert canonical(named) == canonical(accepted_anywhere(raw))
    MODEL_OF[event["type"]].model_validate_json(encode({**event, "dataschema": urn}))
    with pytest.raises(ValidationError):
        MODEL_OF[event["type"]].model_validate_json(encode({**event, "dataschema": urn + "0"}))


def accepted_anywhere(raw: bytes) -> Event:
    event = decode(raw)
    assert not isinstance(event, Rejected), event
    return event


spoiling = st.sampled_from([{}, {"energy_kj": -1}, {"energy_kj": None}, {"name": 7}, {"meal_type": ""}, {"rating": 9}])


@given(spoiling, st.sampled_from(["urn:daybook:meal.logged:1", "urn:daybook:meal.logged:2", "urn:daybook:x:1", None]))
def test_the_public_model_takes_older_versions_as_the_codec_does(
    change: dict[str, Any], dataschema: str | None
) -> None:
    raw = encode({**V1, "dataschema": dataschema, "data": {**V1["data"], **change}})
    try:
        MODEL_OF["meal.logged"].model_validate_json(raw)
        taken = True
    except ValidationError:
        taken = False
    assert taken == (not isinstance(decode(raw), Rejected)), raw


@given(st.lists(st.one_of(st.just(OLD), st.just(b"{"), st.none(), events.map(encode)), max_size=8))
def test_older_and_bad_events_leave_the_others_of_a_chunk_alone(raws: list[bytes | None]) -> None:
    times = [RECEIVED_MS] * len(raws)
    assert chunk_reader("meals")(raws, times) == [reader("meals")(raw, RECEIVED_MS) for raw in raws]


def test_a_refusal_keeps_both_times_of_a_replay() -> None:
    row = filed(Rejected("why"), "meals", 0, 1, 2_000, b"", None, 1_000)
    assert (row.received_ms, row.original_ms) == (2_000, 1_000)
    assert filed(Rejected("why"), "meals", 0, 1, 2_000, b"", None, 2_000).original_ms is None
