"""Kafka records to rows: parsed once, here; inside the sinks data is already good."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import msgspec

from schemas import topics
from schemas.affinity import decode_recommendations, decode_tastes
from schemas.canary import SUBJECT_BYTES
from schemas.codec import Rejected, reader
from schemas.ledger import split_key, unpack_winner
from schemas.positions import UnknownFormat, decode_position, is_position
from schemas.progress import decode_progress
from schemas.receipt import Headers, first_ms
from schemas.refusal import WRONG_KEY, filed
from schemas.rows import RejectedRow, decode_daily, decode_rejected, decode_replayed
from schemas.trending import decode_block, decode_list
from sinks.base import Refusal, Stop
from sinks.batch import Batch, BlockRow, EntityRow, EventRow, PositionRow


class Record(Protocol):
    """What of a consumed Kafka record is looked at."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class Unreadable(NamedTuple):
    """A record of one of our own topics that is not what that topic holds."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    reason: str


@dataclass(slots=True)
class Taken:
    """What some fetches came to."""

    batch: Batch = field(default_factory=Batch)
    refused_views: list[RejectedRow] = field(default_factory=list)
    """To be filed on the topic `rejected`: no stream folds views yet, so nobody else files them."""
    unreadable: list[Unreadable] = field(default_factory=list)
    records: int = 0
    size: int = 0
    """Bytes of the values that were taken."""
    since: float = 0.0
    """When the first of them was read, on the monotonic clock; 0 before."""
    newest_ms: dict[tuple[str, int], int] = field(default_factory=dict)
    """Topic and partition → append time of the last record read."""
    offsets: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)
    """Topic and partition → offsets of the first and the last record read."""
    traced: list[bytes] = field(default_factory=list)
    """Spans of what was read, where traces are on (schemas/tracing.py)."""


Taker = Callable[[Taken, str, int, Iterable[Record]], None]
"""Adds the records of one topic."""


def take(into: Taken, topic: str, partition: int, records: Iterable[Record]) -> None:
    """Add what one fetch of one partition holds."""
    _TAKERS[topic](into, topic, partition, records)


def _rows(table: str, decode: Callable[[bytes], object], *, tombstones: bool = False) -> Taker:
    """Takes the rows of one topic for a table of the batch. `tombstones`: records without a value are passed over."""

    def take_rows(into: Taken, topic: str, partition: int, records: Iterable[Record]) -> None:
        rows = getattr(into.batch, table)
        for record in records:
            if record.value is None and tombstones:
                continue
            try:
                rows.append(decode(record.value or b""))
            except msgspec.MsgspecError as why:
                into.unreadable.append(Unreadable(topic, partition, record.offset, record.key, str(why)))

    return take_rows


def _blocks(into: Taken, topic: str, partition: int, records: Iterable[Record]) -> None:
    for record in records:
        try:
            into.batch.blocks.append(BlockRow(partition, record.offset, decode_block(record.value or b"")))
        except msgspec.MsgspecError as why:
            into.unreadable.append(Unreadable(topic, partition, record.offset, record.key, str(why)))


def _events(into: Taken, topic: str, partition: int, records: Iterable[Record]) -> None:
    rows, read = into.batch.events, reader(topic)
    for record in records:
        raw, received_ms = record.value, record.timestamp
        judged_ms = received_ms
        if record.headers and (first := first_ms(received_ms, record.headers)) is not None:
            judged_ms = first
        got = read(raw, judged_ms)
        if isinstance(got, Rejected):
            rejected = got
        elif record.key == got[0].subject.encode():
            if record.key.startswith(SUBJECT_BYTES):  # nobody's: analysts shall not count it
                continue
            rows.append(EventRow(topic, partition, record.offset, received_ms, raw or b"", *got))
            continue
        else:
            rejected = WRONG_KEY
        if topic == topics.VIEWS.name:  # the daily stream files the others
            place = (topic, partition, record.offset, received_ms)
            into.refused_views.append(filed(rejected, *place, raw, record.key, judged_ms))


def _ledger(into: Taken, topic: str, partition: int, records: Iterable[Record]) -> None:
    newest: dict[bytes, bytes] = {}
    for record in records:
        key, value = record.key, record.value
        if key is None or value is None:  # the worker forgot it (eviction); ClickHouse does not
            continue
        if is_position(key):
            try:
                source, position = decode_position(key, value)
                into.batch.positions.append(PositionRow(source, partition, position))
            except UnknownFormat as why:
                raise Refusal(f"{topic}/{partition}: {why}") from why
            except ValueError as why:
                into.unreadable.append(Unreadable(topic, partition, record.offset, key, str(why)))
        elif key and key[0]:  # what else begins with a zero byte is the worker's own (schemas/loads.py)
            newest[key] = value
    for key, value in newest.items():
        try:
            into.batch.entities.append(EntityRow(*split_key(key), unpack_winner(value)))
        except Exception as why:  # struct.error, KeyError, ValueError...: not written by a worker of this version
            # Owners evict what ClickHouse holds (docs/adr/0017): a winner set aside would be lost.
            reason = f"{type(why).__name__}: {why}"
            raise Stop(f"{topic}/{partition} holds a winner that this version cannot read: {key!r}: {reason}") from why


_TAKERS: dict[str, Taker] = {
    # a day without entities, a user without days, is a row of nulls; tombstones are of erased users, and who erases
    # them deletes their rows (docs/how-to/erase.md)
    topics.DAILY.name: _rows("daily", decode_daily, tombstones=True),
    topics.PROGRESS.name: _rows("progress", decode_progress, tombstones=True),
    topics.TRENDING.name: _rows("trending", decode_list),
    topics.TRENDING_BLOCKS.name: _blocks,
    topics.AFFINITY.name: _rows("tastes", decode_tastes, tombstones=True),
    topics.RECOMMENDATIONS.name: _rows("recommendations", decode_recommendations, tombstones=True),
    topics.REJECTED.name: _rows("rejected", decode_rejected),
    topics.REPLAYED.name: _rows("replayed", decode_replayed),
    topics.LEDGER.name: _ledger,
    **{source.name: _events for source in topics.SOURCES},
}
