"""Nothing that a client sends raises anywhere on its way: bytes, nearly events, keys and headers of any kind."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fuzz_ways import EXAMPLES, TOPICS, Hostile, key_of, through
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from schemas.receipt import HEADER

json_texts = st.text(st.characters(codec=None, categories=None), max_size=8)
"""With lone surrogates and U+0000: what JSON can spell and UTF-8 cannot."""
values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.sampled_from([2**31, 2**53, 2**63, 2**64, -(2**63), 10**400, 10**4000]),
        st.floats(),
        json_texts,
        st.sampled_from(
            [
                *("9999-12-31", "0001-01-01", "1970-01-01", "2026-02-30", "12:00", "24:00", "x" * 201, ""),
                *("2026-03-01T12:00:00.999999999-23:59", "9999-12-31T23:59:59Z", "1970-01-02T00:00:00+14:00"),
                *("Europe/Berlin", "Pacific/Apia", "../../etc/passwd", "\ud800", "a\x00"),
                *("urn:daybook:meal.logged:1", "urn:daybook:meal.logged:2", "urn:daybook:meal.logged:99"),
            ]
        ),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(json_texts, inner, max_size=3),
    max_leaves=6,
)


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        found += paths_of(part, (*path, name))
    return found


@st.composite
def mutants(draw: st.DrawFn) -> bytes:
    """An example with some places changed, dropped or added to, written as JSON in some way."""
    event = json.loads(draw(st.sampled_from(EXAMPLES)))
    for path in draw(st.lists(st.sampled_from(paths_of(event)), max_size=3)):
        place = event
        try:
            for step in path[:-1]:
                place = place[step]
            match draw(st.sampled_from(["change", "drop", "add"])):
                case "change":
                    place[path[-1]] = draw(values)
                case "drop":
                    del place[path[-1]]
                case "add":
                    place[draw(json_texts)] = draw(values)
        except (KeyError, IndexError, TypeError):
            continue
    try:
        return json.dumps(event, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
    except ValueError:  # numbers of more digits than Python writes
        return b"{}"


@st.composite
def cuts(draw: st.DrawFn) -> bytes:
    """An example with some of its bytes replaced by others."""
    raw, at, size = draw(st.sampled_from(EXAMPLES)), draw(st.integers(0, 700)), draw(st.integers(0, 9))
    patch = draw(st.binary(max_size=9) | st.sampled_from([b"\\u0000", b"\\ud800", b"1e999", b"-0", b"[" * 2_000]))
    return raw[:at] + patch + raw[at + size :]


raws = st.one_of(mutants(), mutants(), cuts(), st.binary(max_size=200), st.none(), st.sampled_from(EXAMPLES))
header_names = st.sampled_from([HEADER, "", "traceparent"]) | st.text(max_size=5)
headers = st.lists(st.tuples(header_names, st.none() | st.binary(max_size=20) | st.just(b"1772364660000")), max_size=2)


@st.composite
def hostile(draw: st.DrawFn) -> Hostile:
    raw = draw(raws)
    honest = st.just(key_of(raw or b""))
    return draw(honest | honest | honest | st.none() | st.binary(max_size=9)), raw, tuple(draw(headers))


DEEP = b'{"specversion":"1.0","type":"meal.logged","subject":"u_1001","x":' + b'{"a":' * 50_000


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=200)
@given(st.sampled_from(TOPICS), st.lists(hostile(), max_size=5))
@example("meals", [(b"u_1001", DEEP, ()), (b"u_1001", b"[" * 100_000, ()), (b"u_1001", EXAMPLES[0], ())])
@example("meals", [(b"u_1001", EXAMPLES[0].replace(b'"entity"', b'"\\ud800\\u0000":1,"entity"'), ())])
@example("meals", [(b"u_1001", EXAMPLES[0].replace(b"meal.logged", b"meal\\u0000"), ())])
@example("meals", [(b"u_1001", EXAMPLES[0].replace(b"Bread", b"\\ud800"), ())])
@example("meals", [(b"u_1001", EXAMPLES[0].replace(b'"entity"', b'"n":' + b"9" * 5_000 + b',"entity"'), ())])
@example("meals", [(b"u_1001", EXAMPLES[0] + b" " * 300_000, ()), (b"\xff" * 2_000, b"\xff" * 300_000, ())])
def test_nothing_that_a_client_sends_raises(topic: str, given: list[Hostile]) -> None:
    through(topic, given)


@pytest.mark.parametrize("topic", TOPICS)
def test_hostile_records_do_not_take_good_ones_with_them(topic: str) -> None:
    bad: list[Hostile] = [(b"u_1001", DEEP, ()), (None, None, ()), (b"\xff\x00", b"\xff", ((HEADER, None),))]
    good: list[Hostile] = [(key_of(raw), raw, ()) for raw in EXAMPLES]
    belongs = [raw for raw in EXAMPLES if through(topic, [(key_of(raw), raw, ())])]
    assert belongs
    assert through(topic, [*bad, *good, *bad]) == len(belongs)
