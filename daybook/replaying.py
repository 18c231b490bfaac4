"""Sending refused events again: judged first by the schemas of today and the time of their first receipt.

An event, and the row that says that it was sent and where it lies now, are one Kafka transaction: there is no replay
that nobody knows of. Sent twice it counts once, as everything does that says the same (DESIGN §8 rule 1).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from daybook.errors import Problem
from daybook.rejects import Place, Refusal
from schemas import broker
from schemas.codec import Rejected, reader
from schemas.receipt import header
from schemas.refusal import WRONG_KEY
from schemas.rows import RejectedRow, ReplayedRow, encode_row, rejected_key
from schemas.topics import REPLAYED, SOURCES

if TYPE_CHECKING:
    from confluent_kafka import Message, Producer

_AT_ONCE = 200
"""Events in one transaction."""
_TIMEOUT_S = 30.0
_TRANSACTIONAL_ID = "daybook-rejected-replay"
"""One for all: who begins a replay ends any other, so that two operators do not send the same at the same time."""
_SOURCES = {topic.name for topic in SOURCES}


class Resend(NamedTuple):
    """How a refused event would be sent again."""

    refusal: Refusal
    key: bytes
    partition: int | None
    """None: where its new key belongs."""
    first_ms: int
    """When it was first received."""


def judge(refusal: Refusal, *, rekey: bool = False) -> Resend | Rejected:
    """Whether an event would be taken now. `rekey`: under its own subject, where the key was another."""
    row = refusal.row
    if row.topic not in _SOURCES:
        return Rejected(f"what lies on the topic {row.topic} is no event", "$")
    first_ms = _first_ms(row)
    got = reader(row.topic)(row.raw, first_ms)
    if isinstance(got, Rejected):
        return got
    subject = got[0].subject.encode()
    if row.key == subject:
        return Resend(refusal, subject, row.partition, first_ms)
    if rekey:
        return Resend(refusal, subject, None, first_ms)
    return Rejected(f"{WRONG_KEY.reason} (--rekey sends it under its subject)", WRONG_KEY.path)


def _first_ms(row: RejectedRow) -> int:
    return row.received_ms if row.original_ms is None else row.original_ms


class Sent(NamedTuple):
    """One event that lies on its topic again."""

    refusal: Refusal
    to: Place


def send(kafka: str, resends: Iterable[Resend]) -> Iterator[Sent]:
    """Send all, some at a time; yields what is committed. Raises Problem, after which what was yielded stays sent."""
    import confluent_kafka

    done = 0
    try:
        producer = _producer(kafka)
        each = iter(resends)
        while some := list(islice(each, _AT_ONCE)):
            sent = _transact(producer, some)
            done += len(sent)
            yield from sent
    except confluent_kafka.KafkaException as why:
        error = why.args[0]
        reason = "another replay was begun" if error.code() == error._FENCED else error.str()
        raise Problem(
            f"Kafka at {kafka}: {reason}; {done} were sent before. Begin again: what was sent twice counts once"
        ) from why


def _producer(kafka: str) -> Producer:
    import confluent_kafka

    producer = confluent_kafka.Producer(
        {
            **broker.librdkafka(kafka),
            "transactional.id": _TRANSACTIONAL_ID,
            "transaction.timeout.ms": int(_TIMEOUT_S * 1000),
            "message.timeout.ms": int(_TIMEOUT_S * 1000),
            "partitioner": "murmur2_random",  # as producers/publish.py
            "linger.ms": 0,
            "log_level": 0,
        }
    )
    producer.init_transactions(_TIMEOUT_S)
    return producer


def _transact(producer: Producer, resends: list[Resend]) -> list[Sent]:
    import confluent_kafka

    producer.begin_transaction()
    reports: list[Message | None] = [None] * len(resends)
    for i, resend in enumerate(resends):
        row = resend.refusal.row

        def delivered(error: confluent_kafka.KafkaError | None, message: Message, i: int = i) -> None:
            reports[i] = None if error is not None else message

        producer.produce(
            row.topic,
            row.raw,
            resend.key,
            partition=-1 if resend.partition is None else resend.partition,
            headers=[header(resend.first_ms)],
            on_delivery=delivered,
        )
    producer.flush(_TIMEOUT_S)
    found = [message for message in reports if message is not None]
    if len(found) < len(resends):
        producer.abort_transaction(_TIMEOUT_S)
        raise confluent_kafka.KafkaException(confluent_kafka.KafkaError(confluent_kafka.KafkaError._MSG_TIMED_OUT))
    now_ms = int(time.time() * 1000)
    sent = []
    for resend, message in zip(resends, found, strict=True):
        partition, offset = message.partition(), message.offset()
        assert partition is not None
        assert offset is not None
        place = resend.refusal.place
        fact = ReplayedRow(*place, partition, offset, now_ms)
        producer.produce(REPLAYED.name, encode_row(fact), rejected_key(fact))
        sent.append(Sent(resend.refusal, Place(place.topic, partition, offset)))
    producer.commit_transaction(_TIMEOUT_S)
    return sent
