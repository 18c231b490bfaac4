"""The compiled path of views and the Python path are one definition: what one decides and counts, the other does."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trending_rig import HOUR, T0, event
from wild_json import CHANGES, Change, broken, wild

from bench.trending.load import views
from producers import audience
from schemas.trending import unpack_bundle
from streams.state import Records
from streams.trending.core import Viewings
from streams.trending.events import Decided, judge, unpack_winner
from streams.trending.firsts import LANE
from streams.trending.reading import best_path, python_path
from streams.trending.viewers import MOST_HASHES, Viewers, distinct, hash_of, unpacked

pytest.importorskip("streams.trending.native", reason="the extension was not built", exc_type=ImportError)


def python_says(raw: bytes, key: bytes) -> Decided | None:
    return judge(Records("views", 0, [0], [T0], [key], [raw]), None)[0][0]


def same_or_left(raw: bytes, key: bytes) -> bool:
    """Whether the compiled reader took it; if so, Python must say the same, to the byte and the type."""
    reader = best_path().reader
    assert reader is not None
    decided, left, latest = reader.read([raw], [T0], [key])
    if left:
        assert (decided, left, latest) == ([None], [0], 0)
        return False
    said = python_says(raw, key)
    assert decided == [said]
    assert list(map(type, decided[0] or ())) == list(map(type, said or ()))
    assert latest == T0
    return True


texts = st.text(max_size=8) | st.sampled_from(["v1", "Müsli", "寿司", "", "x" * 200, "ü" * 201])
numbers = st.sampled_from([0, 1, 29.9, 30, 30.0, 61.25, 86_400, 86_401.5, 1e7, 1e8, -1, -0.0, 0.1, None, "30", True])
data = st.fixed_dictionaries(
    {"content": texts, "watched_s": numbers},
    optional={
        "creator": texts | st.none(),
        "hashtags": st.lists(texts, max_size=3) | st.just(["t"] * 15) | st.just(["t"] * 51) | st.none(),
        "sound": texts | st.none(),
        "category": texts | st.none(),
        "region": st.sampled_from(["DE", "AA", "ZZ", "de", "D", "DEU", "", None, "Ü"]),
        "length_s": numbers,
        "note": texts,
    },
)
times = st.sampled_from(
    [
        "2026-03-01T12:17:00Z",
        "2026-03-01T12:22:00.001Z",
        "2026-02-28T12:16:59.999Z",
        "2026-03-02T13:00:00+00:00",
        "2026-03-01T23:59:59.123456789+05:45",
        "1970-01-01T23:00:00Z",
        "1969-01-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
    ]
)
envelope = st.fixed_dictionaries(
    {
        "specversion": st.sampled_from(["1.0"] * 9 + ["0.3"]),
        "id": texts,
        "source": st.sampled_from(["ios/5.2.0", "ü/1", "a/" + "b" * 198]),
        "type": st.sampled_from(["view.recorded"] * 9 + ["reaction.recorded", "meal.logged"]),
        "subject": st.sampled_from(["u_1", "ü"]),
        "time": times,
        "data": data,
    },
    optional={
        "entity": texts | st.none(),
        "revision": st.sampled_from([1, 2, 2_147_483_647, 2_147_483_648, 0, 1.0]),
        "timezone": st.sampled_from(["Europe/Berlin", "Mars/Base", "", None]),
        "sentat": times | st.none(),
        "dataschema": st.sampled_from([None, "2", "urn:daybook:view.recorded:1", "urn:daybook:view.recorded:2"]),
        "extra": st.sampled_from([1, 1.5, True, None, [], {}]),
    },
)


@settings(max_examples=400, deadline=None)
@given(envelope, st.randoms(use_true_random=False), st.sampled_from([None, b"u_2"]))
def test_what_it_decides_python_decides_too(said: dict[str, Any], chance: random.Random, key: bytes | None) -> None:
    raw = wild(said, chance)
    same_or_left(raw, said["subject"].encode() if key is None else key)


SAMPLES = list(views(41, 20, T0 - 1000, 1000, hot=0.0))


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 40), CHANGES)
def test_broken_bytes_are_never_taken_for_something_else(number: int, changes: list[Change]) -> None:
    key, raw = SAMPLES[number]
    same_or_left(broken(raw, changes), key)


def test_plain_views_are_all_taken() -> None:
    assert all([same_or_left(raw, key) for key, raw in views(2_000, 100, T0 - 1000, 1000, hot=0.1)])


def test_what_is_common_is_taken() -> None:
    key, raw = SAMPLES[0]
    for old, new in [
        (b'"entity"', b'"datacontenttype":"application/json","timezone":"Asia/Kathmandu","entity"'),
        (b'"entity"', b'"sentat":"2026-03-01T12:31:00Z","revision":7,"entity"'),
        (b'"music"', '"Müsli"'.encode()),
        (b'"sound"', b'"note":1,"sound"'),
        (b'"category"', b'"hashtag":"x","category"'),
    ]:
        assert old in raw
        assert same_or_left(raw.replace(old, new, 1), key), new
    said = json.loads(raw)
    for name in ("creator", "hashtags", "sound", "category", "region", "length_s"):
        less = {**said, "data": {n: v for n, v in said["data"].items() if n != name}}
        assert same_or_left(json.dumps(less).encode(), key), name
    assert same_or_left(json.dumps(dict(reversed(said.items()))).encode(), key), "the data before the type"


def drained(state: Viewings, chance: random.Random, records: list[tuple[bytes, bytes, int]]) -> Iterator[Any]:
    """What is counted and written when these are folded in pieces."""
    version = 1 << 41
    while records:
        size = chance.choice([1, 7, 60, 500])
        keys, raws, times = zip(*records[:size], strict=True)
        records = records[size:]
        yield state.fold(Records("views", 0, range(len(keys)), times, keys, raws))
        if chance.random() < 0.5 or not records:
            version += 1
            yield state.drain(version)


@pytest.mark.parametrize("seed", range(6))
def test_both_paths_count_and_write_the_same(seed: int) -> None:
    faults = audience.Faults(bot=0.1, twice=0.2)
    span = 30 * HOUR if seed % 2 else HOUR // 60
    sent = audience.events(
        users=40 if seed < 3 else 2_000,
        views=3_000,
        start_ms=T0 - span,
        span_ms=span,
        seed=seed,
        catalogue=12,
        faults=faults,
    )
    records = [(str(json.loads(raw)["subject"]).encode(), raw, T0) for raw in sent]
    edits = [
        (one.key or b"", one.raw, T0)
        for n in range(200)
        for one in [
            event(f"u{n % 40:06}", T0 - n * 60_000, T0, entity=f"e{n}", revision=2, content="v00001", watched_s=n)
        ]
    ]
    records += edits
    random.Random(seed).shuffle(records)
    native, python = Viewings(0, 3), Viewings(0, 3, path=python_path())
    assert native.path.apply is not None
    for ours, theirs in zip(
        drained(native, random.Random(seed), records), drained(python, random.Random(seed), records), strict=True
    ):
        assert ours == theirs
    again = Viewings(0, 3)
    for user in python.users.values():
        again.restore(list(user.entities), list(user.entities.values()))
    counted = {
        (cell.code, native.names[cell.item], cell.lanes) for row in native.cells.values() for cell in row.values()
    }
    restored = {
        (cell.code, again.names[cell.item], cell.lanes) for row in again.cells.values() for cell in row.values()
    }
    assert {one for one in restored if one[2]} == {one for one in counted if one[2]}


def test_a_cell_with_many_viewers_tells_all_of_them_each_time_and_looks_at_each_once() -> None:
    for path in (best_path(), python_path()):
        state = Viewings(path=path)
        for flush in range(3):
            users = [f"u{flush}-{n}" for n in range(MOST_HASHES)]
            sent = [event(user, T0, T0, entity="e", content="x") for user in users]
            keys, raws, times, _ = zip(*sent, strict=True)
            state.fold(Records("views", 0, range(len(sent)), times, keys, raws))
            (records,) = [rows for to, rows in state.drain((1 << 41) + flush).rows.items() if isinstance(to, tuple)]
            told = Viewers()
            for _, record in records:
                for _, count in unpack_bundle(record or b""):
                    told.join(unpacked(count.viewers))
            assert distinct([told]) == pytest.approx(MOST_HASHES * (flush + 1), rel=0.05)


def test_a_winner_says_what_was_decided() -> None:
    key, raw = SAMPLES[3]
    said = python_says(raw, key)
    assert said is not None
    winner, shown = unpack_winner(said[2]), json.loads(raw)["data"]
    assert said[2].endswith(said[6])
    assert (winner.ms, winner.slot, winner.content, winner.creator) == (
        said[3],
        said[4],
        shown["content"],
        shown["creator"],
    )
    assert (list(winner.hashtags), winner.sound, winner.region) == (shown["hashtags"], shown["sound"], shown["region"])


codes = st.integers(1, 2**40)
firsts = codes | st.lists(codes, min_size=2, max_size=4).map(tuple)
places = st.integers(0, 40) | st.integers(0, 3).map(lambda slot: slot << 40 | 7) | st.integers(0, 2**43)


@given(st.lists(st.tuples(places, firsts | st.none()), max_size=120))
def test_a_users_firsts_are_a_dict(changes: list[tuple[int, Any]]) -> None:
    ours, theirs = best_path().user(b"u"), python_path().user(b"u")
    for at, have in changes:
        for user in (ours, theirs):
            if have is None:
                user.drop_first(at)
            else:
                user.set_first(at, have)
        assert ours.first_of(at) == theirs.first_of(at) == have
    assert dict(ours.all_firsts()) == dict(theirs.all_firsts())
    assert len(ours.all_firsts()) == len(theirs.all_firsts())


viewers = st.integers(0, 9).map(lambda n: hash_of(b"%d" % n))


@given(
    st.lists(st.tuples(st.sampled_from(["came", "came", "came", "left"]), viewers)),
    st.tuples(*[st.integers(0, 99)] * 4),
)
def test_a_cell_has_the_viewers_that_came_and_did_not_leave(
    moves: list[tuple[str, bytes]], lanes: tuple[int, ...]
) -> None:
    ours, theirs = best_path().cell(5, 7), python_path().cell(5, 7)
    for what, who in moves:
        for cell in (ours, theirs):
            getattr(cell, what)(who)
        assert ours.plain() == theirs.plain()
    ours.lanes = packed = sum(lane << LANE * number for number, lane in enumerate(lanes))
    assert ours.lanes == packed
    ours.clear()
    assert ours.plain() == b""


def test_short_cuts_to_minutes_that_are_over_are_forgotten_and_leave_no_empty_cell() -> None:
    """One user sees one video in every minute of an hour: it counts once, and only that is kept."""
    state = Viewings(path=best_path())
    for minute in range(60):
        at = T0 // HOUR * HOUR + minute * 60_000
        key, raw, time, _ = event("u", at, at, entity=f"e{minute}", content="x")
        state.fold(Records("views", 0, [minute], [time], [key], [raw]))
        state.drain((1 << 41) + minute)
    assert len(state.places) <= 2
    assert sum(map(len, state.cells.values())) <= 3
    assert len(state.cells) <= 3
