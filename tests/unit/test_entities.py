"""A user's winners in one block of memory: whatever is done to them, a dict would say the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

native = pytest.importorskip("streams.daily.native_ledger", reason="the extension was not built", exc_type=ImportError)
from streams.daily.entities import PythonEntities  # noqa: E402

keys = st.integers(0, 60).map(lambda n: b"u_1\0m\0" + b"e" * (n % 7) + str(n).encode())
winners = st.binary(max_size=40) | st.builds(
    lambda head, lanes, tail: head + b"".join(n.to_bytes(8, "little") for n in lanes) + tail,
    st.binary(min_size=32, max_size=32),
    st.lists(st.integers(0, 2**20) | st.integers(0, 2**64 - 1), max_size=40),
    st.binary(max_size=300),
)


class Both(RuleBasedStateMachine):
    """The compiled one beside the definition."""

    def __init__(self) -> None:
        super().__init__()
        self.fast: Any = native.Entities()
        self.slow = PythonEntities()
        self.handles: dict[bytes, int] = {}

    @rule(key=keys, winner=winners)
    def put(self, key: bytes, winner: bytes) -> None:
        self.fast[key] = self.slow[key] = winner
        assert self.handles.setdefault(key, self.fast.handle(key)) == self.fast.handle(key), "good until it leaves"

    @rule(key=keys)
    def take_away(self, key: bytes) -> None:
        assert self.fast.pop(key, None) == self.slow.pop(key, None)
        self.handles.pop(key, None)

    @rule(key=keys)
    def take_away_what_must_be_there(self, key: bytes) -> None:
        if key in self.slow:
            del self.fast[key], self.slow[key]
            del self.handles[key]
        else:
            with pytest.raises(KeyError):
                del self.fast[key]

    @rule(key=keys)
    def ask(self, key: bytes) -> None:
        assert self.fast.get(key) == self.slow.get(key)
        assert (key in self.fast) == (key in self.slow)

    @rule(count=st.integers(1, 80), winner=winners)
    def put_many(self, count: int, winner: bytes) -> None:
        for n in range(count):
            self.put(b"u_1\0b\0%d" % n, winner)

    @rule()
    def take_all_away(self) -> None:
        for key in list(self.slow):
            del self.fast[key], self.slow[key]
        self.handles.clear()

    @invariant()
    def same(self) -> None:
        assert len(self.fast) == len(self.slow)
        assert dict(self.fast.items()) == self.slow
        assert set(self.fast) == set(self.slow)
        assert sorted(self.fast.values()) == sorted(self.slow.values())
        assert dict(self.fast.pick(self.handles.values())) == {key: self.slow[key] for key in self.handles}


Both.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestBoth = Both.TestCase


def test_an_entity_of_another_user_is_refused() -> None:
    entities = native.Entities()
    entities[b"u\0m\0a"] = b"1"
    assert b"v\0m\0a" not in entities
    assert entities.get(b"u") is None
    with pytest.raises(ValueError, match=r"b'v\\x00m\\x00a' is of another user than b'u\\x00'"):
        entities[b"v\0m\0a"] = b"1"
    with pytest.raises(KeyError):
        entities[b"u\0m\0b"]
    assert entities == {b"u\0m\0a": b"1"}


def test_an_empty_block_is_like_new() -> None:
    entities = native.Entities()
    entities[b"u\0m\0a"] = b"1" * 400
    del entities[b"u\0m\0a"]
    assert not entities
    assert list(entities) == []
    entities[b"u\0m\0b"] = b"2"
    assert entities == {b"u\0m\0b": b"2"}
