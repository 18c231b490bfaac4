"""Bodies: whatever way they are packed and cut, they come out whole or are refused, and never larger than the limit."""

from __future__ import annotations

import gzip
import itertools
import tracemalloc
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from api.body import Body
from api.problems import Problem

PACK = {
    "identity": lambda data: data,
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}
LIMIT = 4 << 20


def unpack(coding: str, packed: bytes, cuts: list[int], limit: int = LIMIT) -> bytes:
    body = Body(coding, limit)
    places = [0, *sorted(cut % (len(packed) + 1) for cut in cuts), len(packed)]
    grown = sum(body.feed(packed[a:b]) for a, b in itertools.pairwise(places))
    assert grown == body.size
    return body.whole()


@given(
    st.sampled_from(sorted(PACK)),
    st.lists(st.binary(max_size=3_000), min_size=1, max_size=3),
    st.lists(st.integers(0, 9_999), max_size=4),
)
def test_a_body_comes_out_whole_however_it_is_packed_and_cut(coding: str, parts: list[bytes], cuts: list[int]) -> None:
    packed = b"".join(map(PACK[coding], parts))
    assert unpack(coding, packed, cuts) == b"".join(parts)


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_a_body_that_is_cut_off_or_is_something_else_is_refused(coding: str) -> None:
    packed = PACK[coding](b'{"a": 1}' * 500)
    for wrong in (packed[:-3], b'{"a": 1}', packed + b"more", packed[: len(packed) // 2]):
        with pytest.raises(Problem, match="is not what Content-Encoding") as why:
            unpack(coding, wrong, [])
        assert why.value.status == 400


@pytest.mark.parametrize("coding", sorted(PACK))
def test_a_body_has_at_most_its_limit(coding: str) -> None:
    assert len(unpack(coding, PACK[coding](bytes(1_000)), [500], 1_000)) == 1_000
    with pytest.raises(Problem) as why:
        unpack(coding, PACK[coding](bytes(1_001)), [500], 1_000)
    assert why.value.status == 413


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_what_packs_well_takes_no_more_memory_than_the_limit(coding: str) -> None:
    packed = {
        "gzip": zlib.compressobj(9, zlib.DEFLATED, 31),
        "zstd": zstandard.ZstdCompressor(level=19).compressobj(),
    }[coding]
    bomb = b"".join(packed.compress(bytes(1 << 20)) for _ in range(200)) + packed.flush()
    assert len(bomb) < 1 << 20
    tracemalloc.start()
    with pytest.raises(Problem):
        unpack(coding, bomb, [])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * LIMIT


def test_a_coding_that_nobody_knows_is_refused_by_name() -> None:
    with pytest.raises(Problem, match="gzip, zstd") as why:
        Body("br", LIMIT)
    assert why.value.status == 415
