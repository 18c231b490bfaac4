"""The position record: what stands in the changelog beside the state."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.positions import Position, decode_position, encode_position, is_position, version_of

numbers = st.integers(0, 2**62)
positions = st.builds(
    Position,
    generation=st.integers(1, 1000),
    flush=st.integers(0, 2**40 - 1),
    topic_id=st.text(max_size=30),
    next_offset=numbers,
    received=numbers,
    applied=numbers,
    duplicate=numbers,
    superseded=numbers,
    rejected=numbers,
)


@given(st.from_regex(r"[a-zA-Z0-9._-]{1,40}", fullmatch=True), positions)
def test_a_position_reads_back_as_it_was_written(topic: str, position: Position) -> None:
    key, value = encode_position(topic, position)
    assert is_position(key)
    assert decode_position(key, value) == (topic, position)


def test_what_is_no_position_says_so() -> None:
    with pytest.raises(ValueError, match="not a position record"):
        decode_position(b"user", b"{}")
    with pytest.raises(ValueError, match="unreadable position record"):
        decode_position(encode_position("meals", Position(1, 1, "id", 0))[0], b"{}")


@given(
    st.tuples(st.integers(1, 1000), st.integers(0, 2**40 - 1)),
    st.tuples(st.integers(1, 1000), st.integers(0, 2**40 - 1)),
)
def test_versions_order_like_generation_then_flush(a: tuple[int, int], b: tuple[int, int]) -> None:
    assert (version_of(*a) < version_of(*b)) == (a < b)
