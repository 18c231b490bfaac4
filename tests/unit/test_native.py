"""The compiled reader and the Python path are one definition: what one takes, the other says too, to the byte."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from events import RECEIVED_MS, grams, kcal
from hypothesis import example, given, settings
from hypothesis import strategies as st
from wild_json import CHANGES, Change, broken, wild

from producers.bench_events import meal_events
from streams.daily import core
from streams.daily.reading import native_reader
from streams.state import Records

native = pytest.importorskip("streams.daily.native", reason="the extension was not built", exc_type=ImportError)


def reader() -> Any:
    found = native_reader("meals")
    assert found is not None
    return found


def python_says(raw: bytes, key: bytes | None) -> core.Decided | None:
    decided, _ = core._judge(Records("meals", 0, [0], [RECEIVED_MS], [key], [raw]), [RECEIVED_MS], [0])
    return decided[0] if decided else None


def native_says(raw: bytes, key: bytes | None) -> core.Decided | None:
    decided, left = reader().read([raw], [RECEIVED_MS], [key])
    assert left == [] if decided[0] is not None else left == [0]
    return decided[0]


def same_or_left(raw: bytes, key: bytes | None) -> bool:
    """Whether the native reader took it; fails where it took it and says something else than Python."""
    got = native_says(raw, key)
    if got is not None:
        said = python_says(raw, key)
        assert got == said
        assert list(map(type, got)) == list(map(type, said or ()))
    return got is not None


# -- meals as clients write them: any order of names, any spacing, any form of a number

texts = st.text(max_size=12) | st.sampled_from(["Soup", "Müsli", "寿司", "\U0001f957", "", "x" * 200, "ü" * 201])
names = texts | st.just("lunch")
nothing = st.just(None)
item = st.fixed_dictionaries(
    {"name": texts},
    optional={
        "energy_kcal": kcal,
        "protein_g": grams,
        "carbs_g": grams,
        "fat_g": grams,
        "fibre_g": grams,
        "brand": texts,
    },
)
meal = st.fixed_dictionaries(
    {"meal_type": names},
    optional={
        "from_plan": st.booleans(),
        "planned_item": texts | nothing,
        "portion": st.sampled_from([0.5, 1, 1.0, 1.25, 1.333, 2, 2.5]),
        "items": st.lists(item, max_size=3) | st.lists(st.just({"name": "a", "fat_g": 0.1}), min_size=14, max_size=18),
        "rating": st.sampled_from([1, 4.5, 5, 0]) | nothing,
        "note": texts,
    },
)
times = st.sampled_from(
    [
        "2026-03-01T12:31:00+01:00",
        "2026-03-01T12:31:00Z",
        "2026-03-01T23:59:59.123456789-05:45",
        "2026-03-01T00:00:00.5Z",
        "2024-02-29T00:00:00Z",
        "2025-02-29T00:00:00Z",
        "2100-02-28T00:00:00Z",
        "1970-01-01T23:00:00Z",
        "1970-01-02T00:00:00+14:00",
        "2026-03-01T24:00:00Z",
        "2026-03-01T12:60:00Z",
        "2026-03-01T12:31:60Z",
        "2026-04-31T12:31:00Z",
        "2026-03-01T12:31:00+24:00",
        "2026-03-01T12:31:00-00:00",
        "2026-03-01T12:31:00.1234567891Z",
        "2026-03-01t12:31:00Z",
        "2026-03-01T12:31:00",
        "9999-12-31T23:59:59Z",
    ]
) | st.datetimes().map(lambda at: at.isoformat() + "+02:00")
event = st.fixed_dictionaries(
    {
        "specversion": st.just("1.0"),
        "id": names,
        "source": st.sampled_from(["ios/5.2.0", "watch", "ü/1", "a/" + "b" * 198]),
        "type": st.sampled_from(["meal.logged"] * 9 + ["meal.deleted", "water.logged"]),
        "subject": st.sampled_from(["u_1", "ü"]),
        "time": times,
        "data": meal,
    },
    optional={
        "entity": names | nothing,
        "revision": st.sampled_from([1, 2, 2_147_483_647, 2_147_483_648, 0, 1.0, True]),
        "timezone": st.sampled_from(["Europe/Berlin", "Mars/Base", "", None]),
        "sentat": times | nothing,
        "dataschema": st.sampled_from([None, "2", "urn:daybook:meal.logged:1", "urn:daybook:meal.logged:2"]),
        "datacontenttype": st.just("application/json"),
        "traceparent": texts,
        "extra": st.sampled_from([1, 1.5, True, None, [], {}]),
    },
)


@settings(max_examples=1500, deadline=None)
@given(event, st.randoms(use_true_random=False), st.sampled_from([None, b"u_2"]))
def test_what_it_takes_python_says_too(event: dict[str, Any], random: Any, key: bytes | None) -> None:
    raw = wild(event, random)
    same_or_left(raw, event["subject"].encode() if key is None else key)


@settings(max_examples=1500, deadline=None)
@given(st.integers(0, 40), CHANGES)
def test_broken_bytes_are_never_taken_for_something_else(number: int, changes: list[Change]) -> None:
    key, raw = SAMPLES[number]
    same_or_left(broken(raw, changes), key)


SAMPLES = list(meal_events(41, 20, seed=3))


@given(st.floats(0, 100_000, allow_nan=False) | st.decimals(0, 100_000, places=3) | st.integers(0, 100_000))
@example(0.0005)
@example(99999.9995)
@example(5e-324)
def test_numbers_are_read_to_the_last_bit(value: Any) -> None:
    key, raw = SAMPLES[0]
    assert b'"protein_g":' in raw
    head, _, tail = raw.partition(b'"protein_g":')
    same_or_left(head + b'"protein_g":' + str(value).encode() + tail[tail.index(b",") :], key)


def test_plain_meals_are_all_taken() -> None:
    events = list(meal_events(5000, 100))
    keys, raws = [key for key, _ in events], [raw for _, raw in events]
    decided, left = reader().read(raws, [RECEIVED_MS] * len(raws), keys)
    assert left == []
    for i in range(0, 5000, 7):
        assert decided[i] == python_says(raws[i], keys[i])


@pytest.mark.parametrize(
    "change",
    [
        (b'"specversion"', b'"datacontenttype":"application/json","specversion"'),
        (b'"entity"', b'"timezone":"Asia/Kathmandu","entity"'),
        (b'"entity"', b'"sentat":"2026-03-01T12:31:00Z","revision":7,"entity"'),
        (b"Greek", "Grüner".encode()),
        (b'"ios/5.2.0"', b'"android/1"'),
        (b'"portion":2.0', b'"rating":4.5'),
        (b'{"specversion":"1.0",', b'{"data":{"meal_type":"x","items":[]},"specversion":"1.0","was":'),
    ],
)
def test_what_is_common_is_taken(change: tuple[bytes, bytes]) -> None:
    for key, raw in SAMPLES:
        if change[0] in raw:
            changed = raw.replace(*change, 1)
            if change[1].endswith(b'"was":'):
                changed = (
                    changed.replace(b'"data":{"meal_type":"lunch"', b'"old":1}', 1).partition(b'"old":1}')[0]
                    + b'"old":1}'
                )
                changed = changed.replace(b'"was":"id"', b'"id"', 1).replace(b'"was":', b"", 1)
            assert same_or_left(changed, key), changed
            return
    raise AssertionError(f"no sample holds {change[0]!r}")


@pytest.mark.parametrize("zone", ["Z", "+01:00"])
@pytest.mark.parametrize("digits", [1, 3, 9, 10, 14])
def test_a_time_has_at_most_nine_decimals_whatever_its_offset(digits: int, zone: str) -> None:
    head = (
        b'{"specversion":"1.0","id":"0","source":"ios/1","data":{"meal_type":"0"},"subject":"u_1","type":"meal.logged",'
    )
    same_or_left(head + f'"time":"2026-03-01T12:31:00.{"1" * digits}{zone}"}}'.encode(), b"u_1")


@pytest.mark.parametrize(("version", "taken"), [("2", True), ("1", False), ("3", False), ("22", False)])
def test_an_event_that_names_the_current_version_is_taken_as_one_that_names_none(version: str, taken: bool) -> None:
    head = (
        b'{"specversion":"1.0","id":"0","source":"ios/1","data":{"meal_type":"0"},"subject":"u_1","type":"meal.logged",'
    )
    raw = head + f'"time":"2026-03-01T12:31:00Z","dataschema":"urn:daybook:meal.logged:{version}"}}'.encode()
    assert same_or_left(raw, b"u_1") == taken


@given(st.binary(max_size=5_000))
def test_a_digest_is_hashlibs_in_every_way_there_is(data: bytes) -> None:
    ways = native.digests(data)
    assert ways == [hashlib.sha256(data).digest()] * len(ways)
    assert ways
