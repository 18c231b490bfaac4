"""Stage two's compiled path and Python's are one definition: after any counts both hold and tell the same."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from trending_histories import histories, months
from trending_rig import HOUR, LOW, PARTITIONS, T0, Rig, event, plain

from schemas.positions import version_of
from schemas.topics import TRENDING_COUNTS, TRENDING_GENERATION
from schemas.trending import CLAIM, MINUTE_MS, Bundle, Count, CountKey, mark, pack
from streams.state import Counts, Drained, Records
from streams.trending import boards, offline, ranking
from streams.trending.merge import Lists
from streams.trending.offline import Received
from streams.trending.scoring import Params
from streams.trending.summing import best_path, python_path
from streams.trending.viewers import exactly, hash_of, packed

native = pytest.importorskip(
    "streams.trending.native_lists", reason="the extension was not built", exc_type=ImportError
)
PHASES = [Phase.explicit, Phase.reuse, Phase.generate]
NOW, VERSION = T0 // MINUTE_MS, version_of(TRENDING_GENERATION, 0)


class Both:
    """A partition of stage two on both paths; whatever one answers, the other must."""

    def __init__(self, partition: int, params: Params = LOW, sources: int = PARTITIONS) -> None:
        paths = best_path(params), python_path(params)
        assert paths[0].take is not None
        self.each = [Lists(partition, sources, params, path) for path in paths]

    def _same(self, method: str, *arguments: Any) -> Any:
        ours, theirs = (getattr(lists, method)(*arguments) for lists in self.each)
        assert ours == theirs
        return ours

    def fold(self, records: Records) -> Counts:
        return self._same("fold", records)  # type: ignore[no-any-return]

    def drain(self, version: int) -> Drained:
        return self._same("drain", version)  # type: ignore[no-any-return]

    def restore(self, keys: Any, values: Any) -> None:
        self._same("restore", keys, values)

    @property
    def owes(self) -> bool:
        ours, theirs = (lists.owes for lists in self.each)
        assert ours == theirs
        return ours

    @property
    def clock_ms(self) -> int:
        return self.each[0].clock_ms


class BothRig(Rig):
    def new_two(self, partition: int) -> Any:
        return Both(partition, self.params)


def as_records(values: list[bytes]) -> Records:
    n = len(values)
    return Records(TRENDING_COUNTS.name, 0, range(n), [T0] * n, [b"0"] * n, values)


@pytest.fixture
def short_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """So short that a handful of items goes over the bar, is capped, falls and is looked for again."""
    for module in (boards, ranking, offline):
        monkeypatch.setattr(module, "LIST_SIZE", 2)
    monkeypatch.setattr(boards, "ROOM", 2)


def told(rig: Rig, history: list[Received], chance: random.Random) -> None:
    while history:
        size = chance.choice([1, 3, 20])
        rig.send(history[:size])
        del history[:size]
        rig.flush_one()
        rig.flush_two(chance)
        if chance.random() < 0.1:
            rig.crash()
    rig.flush_one()
    rig.flush_two()


@pytest.mark.usefixtures("short_lists")
@settings(deadline=None, max_examples=15, phases=PHASES)
@given(histories(), st.randoms(use_true_random=False))
def test_both_paths_make_the_lists_of_one_plain_pass_also_where_a_bar_hides_most_items(
    history: list[Received], chance: random.Random
) -> None:
    rig = BothRig()
    told(rig, list(history), chance)
    assert rig.shown() == plain(history, now_ms=max(two.clock_ms for two in rig.two))


@pytest.mark.usefixtures("short_lists")
@settings(deadline=None, max_examples=12, phases=PHASES)
@given(months(), st.randoms(use_true_random=False))
def test_both_paths_forget_and_expect_the_same_over_weeks(history: list[Received], chance: random.Random) -> None:
    rig = BothRig(by_event_time=True)
    told(rig, list(history), chance)
    assert rig.shown() == plain(history, by_event_time=True)


def test_what_rises_falls_and_is_capped_within_a_minute_is_ranked_as_in_one_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(boards, "ROOM", 120)
    sent = [
        event(f"u{n}", T0, T0, entity=f"e{v}", content=f"v{v:03}", creator=f"c{v % 30 if v < 200 else v}")
        for v in range(260)
        for n in range(2 + v % 7)
    ]
    late = [event(f"w{n}", T0, T0, entity="late", content="v000", creator="c0") for n in range(9)]
    rig = BothRig()
    for some in (sent[::2], sent[1::2], late):
        rig.send(some)
        rig.flush_one()
        rig.flush_two()
        assert len(rig.shown()["videos", "all", "1h"]) == 100
    assert rig.shown() == plain([*sent, *late])


names = st.sampled_from(["a", "", "x" * 31, "x" * 32, "ü" * 130, "x" * 300])
lanes = st.integers(0, 5) | st.sampled_from([127, 128, 255, 256, 65_535, 65_536, (1 << 20) - 1, 1 << 30])
viewers = st.integers(0, 200).map(lambda n: packed([hash_of(b"%d" % i) for i in range(n)])) | st.just(b"")
keys = st.builds(
    CountKey,
    st.integers(0, 3),
    names,
    st.sampled_from(["", "DE", "ZZ"]),
    st.integers(NOW - 70, NOW + 6) | st.sampled_from([0, NOW - 9 * 1_440 - 1, CLAIM, NOW - 1_500]),
    st.integers(0, 2),
)
versions = st.integers(1, 6).map(lambda n: VERSION + n) | st.sampled_from([1, 200, VERSION * 2])
counts = st.builds(
    Count, versions, st.just(T0), st.tuples(lanes, lanes, lanes), lanes, viewers, st.sampled_from([None, "c"])
)
marks = st.builds(mark, st.integers(0, 2), versions, st.sampled_from([T0 - HOUR, T0, T0 + 60_000]), st.booleans())
bundles = st.lists(st.tuples(keys, counts) | marks, max_size=20)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(bundles, max_size=3), max_size=4))
@example(
    [
        [[mark(n, VERSION, T0, True) for n in range(3)]],
        [[(CountKey(0, "a", "DE", NOW, 0), Count(VERSION, T0, (1, 1, 1), 0, b"", None))]],
    ]
)
def test_any_counts_marks_and_claims_are_taken_alike(flushes: list[list[Bundle]]) -> None:
    both, log = Both(0, sources=3), list[tuple[bytes, bytes | None]]()
    for number, said in enumerate(flushes):
        both.fold(as_records([pack(bundle) for bundle in said]))
        log += both.drain(number + 1).state
    again = Both(0, sources=3)
    again.restore([key for key, _ in log], [value for _, value in log])
    again.drain(99)


@given(st.data())
def test_what_is_no_bundle_is_refused_and_leaves_everything_as_it_was(data: st.DataObject) -> None:
    one = CountKey(0, "a", "DE", NOW, 0), Count(VERSION, T0, (1, 1, 1), 0, b"", None)
    good = pack([one, mark(0, VERSION, T0, True)])
    cut, noise = st.integers(0, len(good) - 1).map(lambda n: good[:n]), st.binary(max_size=9)
    bad = data.draw(cut | st.just(good + b"\0") | noise.filter(lambda raw: raw not in (b"\x90", b"\xdc\0\0")))
    both = Both(0, sources=1)
    for lists in both.each:
        with pytest.raises((msgspec.DecodeError, msgspec.ValidationError)):
            lists.fold(as_records([good, bad]))
        assert not lists._counts
    assert both.drain(1) == Drained([], {"trending": []})


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.lists(st.integers(0, 300), min_size=1, max_size=128)).map(
            lambda one: (one[0], packed([(n % 250).to_bytes(8, "big") for n in one[1]]))
        ),
        max_size=40,
    ),
    st.integers(-1, 9),
    st.integers(0, 9),
)
def test_few_viewers_are_counted_exactly_on_both_paths(
    waiting: list[tuple[int, bytes]], after: int, through: int
) -> None:
    assert native.few(waiting, after, through) == exactly(waiting, after, through)
