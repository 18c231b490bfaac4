"""A chunk: everything that one Kafka fetch of one partition gave, as parallel lists.

Walks aiokafka's fetched batches directly: building one ConsumerRecord per record would cost several times more.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, cast

import faust
from aiokafka.consumer.fetcher import READ_COMMITTED
from aiokafka.errors import CorruptRecordException
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from streams.runtime.transport.filling import fill
from streams.state import Headers, Records

MAX_RECORDS = 20_000
"""A chunk ends at the first batch boundary after this many records; the rest is the next chunk."""


class Chunk:
    """Consecutive records ``start <= offset < next_offset`` of one partition; offsets may have holes."""

    __slots__ = ("ack", "end", "headers", "keys", "next_offset", "offsets", "start", "timestamps", "tp", "values")

    def __init__(self, tp: TP, start: int) -> None:
        self.tp = tp
        self.start = start
        """The offset that was asked for: chunks of one partition follow each other without a gap."""
        self.next_offset = start
        """The offset to ask for next: beyond compacted records, aborted batches and control records too."""
        self.end = start
        """Where the partition ended when this was fetched, for those who read committed records."""
        self.offsets: list[int] = []
        self.timestamps: list[int] = []
        self.keys: list[bytes | None] = []
        self.values: list[bytes | None] = []
        self.headers: dict[int, Headers] = {}
        self.ack: Callable[[], object] = _nobody_waits

    def __len__(self) -> int:
        return len(self.offsets)

    def __repr__(self) -> str:
        return f"{self.tp.topic}/{self.tp.partition} offsets {self.start} to {self.next_offset - 1}"

    def records(self, start: int, stop: int) -> Records:
        """Return the records at positions ``start`` to ``stop`` (not offsets)."""
        return Records(
            self.tp.topic,
            self.tp.partition,
            self.offsets[start:stop],
            self.timestamps[start:stop],
            self.keys[start:stop],
            self.values[start:stop],
            self.headers,
        )


def _nobody_waits() -> None:
    return None


class ChunkMessage(ConsumerMessage):
    """What Faust carries a chunk in; ``offset`` is the last one covered, so recovery passes holes and markers."""

    delivered_at: float

    @property
    def chunk(self) -> Chunk:
        """The value, typed."""
        return cast(Chunk, self.value)

    @classmethod
    def of(cls, chunk: Chunk, generation_id: int) -> ChunkMessage:
        """Wrap ``chunk`` for the conductor."""
        tp, stamps = chunk.tp, chunk.timestamps
        message = cls(
            tp.topic,
            tp.partition,
            chunk.next_offset - 1,
            stamps[-1] / 1000 if stamps else 0.0,
            0,
            None,
            None,
            cast(Any, chunk),
            None,
            0,
            0,
            tp,
            generation_id=generation_id,
        )
        message.delivered_at = time.monotonic()
        return message


class ChunkSchema(faust.Schema[Any, Any]):
    """Marks a topic as chunked; keys and values stay bytes."""

    def compile(self, app: Any, **_: Any) -> Any:
        """Return the decoder that Faust calls once per message, here once per chunk."""
        create_event = app.create_event

        async def decode(message: Any, *, propagate: bool = False) -> Any:
            return create_event(None, message.value, None, message)

        return decode


def take_chunk(tp: TP, fetched: Any, limit: int = MAX_RECORDS) -> Chunk | None:
    """Take a chunk out of one partition's ``FetchResult``; None where there is nothing (any more).

    Runs in the consumer's thread. Follows ``PartitionRecords._unpack_records`` of aiokafka 0.14: skips aborted and
    control batches under read_committed. The position moves after the whole chunk was read, so an error loses none.
    """
    if not fetched.check_assignment(tp) or not fetched.has_more():
        return None
    part = fetched._partition_records
    chunk = Chunk(tp, part.next_fetch_offset)
    batches, position, more = part._records, chunk.start, True
    while more and batches.has_next():
        batch = batches.next_batch()
        if part._check_crcs and not batch.validate_crc():
            raise CorruptRecordException(f"Invalid CRC - {tp}")
        after = max(position, batch.next_offset)
        if not _is_data(part, batch):
            position = after
            continue
        fill(chunk, batch, position)
        position = after
        more = len(chunk.offsets) < limit
    chunk.next_offset = part.next_fetch_offset = position
    chunk.end = fetched._assignment.state_value(fetched._topic_partition).lso or position
    fetched._update_position()
    if not batches.has_next():
        fetched._partition_records = None
    return chunk if position > chunk.start else None


def _is_data(part: Any, batch: Any) -> bool:
    if part._isolation_level == READ_COMMITTED and batch.producer_id is not None:
        part._consume_aborted_up_to(batch.base_offset)
        if batch.is_control_batch and part._contains_abort_marker(batch):
            part._aborted_producers.discard(batch.producer_id)
        if batch.is_transactional and batch.producer_id in part._aborted_producers:
            return False
    return not batch.is_control_batch
