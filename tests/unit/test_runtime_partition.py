"""One owned partition: positions move with the state, and both come back from what was drained."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from runtime_counting import Counting

from schemas.positions import decode_position, encode_position, is_position, version_of
from streams.runtime.partition import BrokenFold, OwnedPartition
from streams.state import Counts, Drained, Records

CHANGELOG = "app-counts-changelog"


def partition(state: Counting | None = None) -> OwnedPartition:
    return OwnedPartition(3, CHANGELOG, 1, state or Counting(3))


def records(topic: str, start: int, keys: list[bytes], value: bytes = b"x") -> Records:
    count = len(keys)
    return Records(topic, 3, range(start, start + count), [0] * count, keys, [value] * count)


folds = st.lists(
    st.tuples(
        st.sampled_from(["meals", "body"]), st.lists(st.sampled_from([b"a", b"b", b"c"]), max_size=5), st.booleans()
    )
)


@given(folds)
def test_what_was_drained_restores_state_and_positions(steps: list[tuple[str, list[bytes], bool]]) -> None:
    state = Counting(3)
    owned = partition(state)
    for topic in ("meals", "body"):
        owned.open(topic, f"id of {topic}", 0)
    changelog: list[tuple[bytes, bytes | None]] = []
    for topic, keys, drain in [*steps, ("meals", [], True)]:
        start = owned.positions[topic].next_offset
        owned.fold(records(topic, start, keys), start + len(keys))
        if drain:
            changelog += owned.drain().records[CHANGELOG]
    again = Counting(3)
    restored = partition(again)
    restored.restore([key for key, _ in changelog], [value for _, value in changelog], 99)
    assert again.totals == state.totals
    assert restored.flush_number == owned.flush_number
    assert restored.changelog_offset == 99
    for topic, position in restored.positions.items():
        assert position == owned.positions[topic]
        assert position.received == position.applied + position.duplicate + position.superseded + position.rejected


def test_a_flush_carries_state_rows_and_watermark_under_one_number() -> None:
    owned = partition()
    owned.open("meals", "id", 10)
    owned.fold(records("meals", 10, [b"a", b"b"]), 12)
    owned.waiting.append(lambda: None)
    flush = owned.drain()
    state = {key: value for key, value in flush.records[CHANGELOG] if not is_position(key)}
    assert state == {b"a": b"1", b"b": b"1"}
    [(key, value)] = [pair for pair in flush.records[CHANGELOG] if is_position(pair[0])]
    assert value is not None
    topic, position = decode_position(key, value)
    assert (topic, position.next_offset, position.flush, position.received) == ("meals", 12, 1, 2)
    assert {int(value.split()[1]) for _, value in flush.records["out"] if value} == {version_of(1, 1)}
    assert len(flush.acks) == 1
    assert not owned.dirty
    assert not owned.waiting


def test_a_chunk_without_records_moves_the_watermark() -> None:
    owned = partition()
    owned.open("meals", "id", 10)
    owned.fold(records("meals", 10, []), 14)
    assert owned.dirty
    assert owned.next_offset("meals") == 14


class Listening(Counting):
    """A state that wants to know how far it is."""

    def __init__(self) -> None:
        super().__init__(3)
        self.heard: list[tuple[str, int, int]] = []

    def reached(self, topic: str, next_offset: int, end: int) -> None:
        self.heard.append((topic, next_offset, end))


def test_a_state_that_listens_hears_where_it_begins_and_how_far_each_fold_came() -> None:
    state = Listening()
    owned = partition(state)
    owned.open("in", "id", 5, 9)
    assert not owned.dirty
    owned.begin("in", 9)
    assert owned.dirty, "what it says by that is flushed"
    owned.drain()
    owned.fold(records("in", 5, [b"a"]), 6, 9)
    owned.fold(records("in", 6, []), 9, 9)
    assert state.heard == [("in", 5, 9), ("in", 6, 9), ("in", 9, 9)]


def test_a_fold_that_raises_moves_nothing() -> None:
    owned = partition()
    owned.open("meals", "id", 10)
    with pytest.raises(ValueError, match="poison"):
        owned.fold(records("meals", 10, [b"a"], b"POISON"), 11)
    assert owned.next_offset("meals") == 10
    assert not owned.dirty


class Careless(Counting):
    """Loses count."""

    def fold(self, records: Records) -> Counts:
        return Counts(applied=1)

    def drain(self, version: int) -> Drained:
        return Drained([], {})


def test_a_fold_that_does_not_account_for_every_record_is_an_error() -> None:
    owned = partition(Careless(3))
    owned.open("meals", "id", 0)
    with pytest.raises(BrokenFold, match="2 records up to offset 1"):
        owned.fold(records("meals", 0, [b"a", b"b"]), 2)


def test_a_watermark_never_goes_back() -> None:
    owned = partition()
    owned.open("meals", "id", 10)
    with pytest.raises(BrokenFold):
        owned.fold(records("meals", 5, []), 9)
    assert owned.next_offset("meals") == 10


@pytest.mark.parametrize("key", [None, b"", b"\0nonsense\0x"])
def test_a_record_that_nobody_wrote_is_refused(key: bytes | None) -> None:
    with pytest.raises(ValueError, match="which is not ours"):
        partition().restore([key], [b"1"], 0)


def test_positions_are_kept_out_of_the_state() -> None:
    state = Counting(3)
    owned = partition(state)
    owned.open("meals", "id", 5)
    key, value = encode_position("meals", owned.positions["meals"])
    owned.restore([b"a", key, b"b"], [b"1", value, b"2"], 7)
    assert state.totals == {b"a": 1, b"b": 2}


def test_what_was_there_before_the_state_began_is_marked_as_history_and_so_is_what_is_made_of_it() -> None:
    seen: list[int] = []

    class Watching(Counting):
        def fold(self, records: Records) -> Counts:
            seen.append(sum(records.is_history(i) for i in range(len(records.offsets))))
            return super().fold(records)

    owned = partition(Watching(3))
    owned.open("meals", "id", 10, 13)
    owned.fold(records("meals", 10, [b"a", b"b"]), 12)
    assert owned.drain().is_history
    restored = partition(Watching(3))
    restored.positions["meals"] = owned.positions["meals"]
    restored.fold(records("meals", 12, [b"a", b"b"]), 14)
    restored.fold(records("meals", 14, [b"a"]), 15)
    assert seen == [2, 1, 0]
    assert restored.drain().is_history
    restored.fold(records("meals", 15, [b"a"]), 16)
    assert not restored.drain().is_history


class Owing(Counting):
    """A state that tells half of it with the next flush."""

    def __init__(self) -> None:
        super().__init__(3)
        self.owes = False


def test_what_is_owed_is_told_by_the_next_flush_and_counts_as_done_only_then() -> None:
    state, done = Owing(), list[str]()
    owned = partition(state)
    owned.open("meals", "id", 10)
    owned.ready = True
    for number, name in enumerate("ab"):
        owned.fold(records("meals", 10 + number, [b"a"]), 11 + number)
        owned.waiting.append(lambda name=name: done.append(name))  # type: ignore[misc]
        state.owes = True
        for acknowledge in owned.drain().acks:
            acknowledge()
        assert done == list("ab"[:number])
        assert owned.dirty
    state.owes = False
    owned.fold(records("meals", 12, []), 13)
    owned.waiting.append(lambda: done.append("c"))
    last = owned.drain()
    for acknowledge in last.acks:
        acknowledge()
    assert (done, owned.dirty) == (["a", "b", "c"], False)


def test_a_flush_of_what_is_owed_says_how_far_it_is_though_nothing_moved() -> None:
    state = Owing()
    owned = partition(state)
    owned.open("meals", "id", 10)
    state.owes = True
    assert not owned.dirty, "before it is ready it makes no work"
    owned.ready = True
    assert owned.dirty
    assert [key for key, _ in owned.drain().records[CHANGELOG] if is_position(key)]
