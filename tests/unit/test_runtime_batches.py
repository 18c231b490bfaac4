"""Batches built for a transaction, read back with aiokafka's own reader."""

from __future__ import annotations

from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given
from hypothesis import strategies as st

from streams.runtime.batches import CODECS, FilledBatch, build_batches

pairs = st.lists(st.tuples(st.binary(min_size=1, max_size=40), st.none() | st.binary(max_size=300)), max_size=200)


def read(batch: FilledBatch) -> list[tuple[bytes | None, bytes | None]]:
    batch._set_producer_state(7, 1, 0)
    records = MemoryRecords(bytes(batch._build()))
    found = records.next_batch()
    assert found is not None
    assert found.is_transactional
    assert found.producer_id == 7
    assert found.validate_crc()
    assert not records.has_next()
    return [(record.key, record.value) for record in found]


@given(pairs, st.integers(200, 5_000), st.sampled_from([codec for codec in CODECS if codec != "snappy"]))
def test_every_record_comes_back_in_order_however_it_is_split(
    given_pairs: list[tuple[bytes, bytes | None]], max_bytes: int, codec: str | None
) -> None:
    batches = build_batches(given_pairs, 1_700_000_000_000, max_bytes=max_bytes, compression=codec)
    assert sum(batch.record_count() for batch in batches) == len(given_pairs)
    assert [pair for batch in batches for pair in read(batch)] == given_pairs


def test_a_record_larger_than_a_batch_has_one_of_its_own() -> None:
    large = (b"k", b"x" * 5_000)
    batches = build_batches([(b"a", b"1"), large, (b"b", b"2")], 0, max_bytes=1_000)
    assert [read(batch) for batch in batches] == [[(b"a", b"1")], [large], [(b"b", b"2")]]


def test_no_records_make_no_batch() -> None:
    assert build_batches([], 0) == []


def test_headers_are_on_every_record() -> None:
    [batch] = build_batches([(b"a", b"1"), (b"b", None)], 0, headers=[("history", b"1")])
    batch._set_producer_state(7, 1, 0)
    found = MemoryRecords(bytes(batch._build())).next_batch()
    assert found is not None
    assert [list(record.headers) for record in found] == [[("history", b"1")]] * 2
