"""The topic `generations`: read before a worker begins, written by `migrate` and `rebuild` (schemas/generations.py)."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from daybook import kafka
from daybook.errors import Problem, Refused
from schemas import broker
from schemas.generations import KEY, Generations, decode, encode, unfit
from schemas.positions import unreadable
from schemas.topics import GENERATIONS, TOPICS, generation_of

if TYPE_CHECKING:
    from confluent_kafka import Consumer, TopicPartition
    from confluent_kafka.admin import AdminClient

_ANSWER_S = 15.0
_AGAIN_S = 0.1
LOOKING = "daybook-look-"
"""What groups that nobody commits to begin with; every role may have them (access.py)."""


class Admitted(NamedTuple):
    """What a worker works with."""

    generation: int
    partitions: int
    state_format: int
    """What its state is to be written in."""


class Facts(NamedTuple):
    """Our topics as Kafka has them."""

    ids: Mapping[str, str]
    partitions: Mapping[str, int]


def facts(client: AdminClient, bootstrap: str) -> Facts:
    """Ids and partition counts of those of our topics that exist."""
    from confluent_kafka import KafkaException, TopicCollection

    present = kafka.partition_counts(client, bootstrap)
    names = [topic.name for topic in TOPICS if topic.name in present]
    try:
        asked = client.describe_topics(TopicCollection(names), request_timeout=_ANSWER_S) if names else {}
        ids = {name: str(answer.result().topic_id) for name, answer in asked.items()}
    except KafkaException as why:
        kafka.unreachable(bootstrap, why)
    return Facts(ids, {name: present[name] for name in names})


def admit(bootstrap: str) -> Admitted:
    """What to work with. Raises Refused, one line that says what to do, or Problem if Kafka does not answer."""
    found = facts(kafka.admin(bootstrap), bootstrap)
    known = read(bootstrap)
    if known is not None and (why := unfit(known, found.ids, found.partitions)) is not None:
        raise Refused(why)
    if known is not None and (why := unreadable(known.state_format)) is not None:
        raise Refused(f"Kafka at {bootstrap}: {why}")
    if missing := [topic.name for topic in TOPICS if topic.name not in found.ids]:
        raise Problem(f"Kafka at {bootstrap} has no topic {missing[0]}: run daybook migrate first")
    if known is None:
        raise Problem(f"Kafka at {bootstrap} has nothing on the topic {GENERATIONS.name}: run daybook migrate first")
    return Admitted(generation_of(known.rebuilds), known.partitions, known.state_format)


def read(bootstrap: str) -> Generations | None:
    """The record; None before the first `migrate`."""
    from confluent_kafka import Consumer, KafkaException, TopicPartition

    if GENERATIONS.name not in kafka.partition_counts(kafka.admin(bootstrap), bootstrap):
        return None
    consumer = Consumer(
        {
            **broker.librdkafka(bootstrap),
            "group.id": f"{LOOKING}{uuid.uuid4().hex}",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 10,
            "log_level": 0,
        }
    )
    try:
        place = TopicPartition(GENERATIONS.name, 0)
        first, end = _span(consumer, place)
        found: bytes | None = None
        consumer.assign([TopicPartition(GENERATIONS.name, 0, first)])
        while first < end:
            message = consumer.poll(_ANSWER_S)
            if message is None or message.error():
                raise Problem(f"Kafka at {bootstrap} does not give what is on the topic {GENERATIONS.name}")
            value, offset = message.value(), message.offset()
            first, found = (end if offset is None else offset + 1), value or found
        return None if found is None else decode(found)
    except KafkaException as why:
        kafka.unreachable(bootstrap, why)
    except msgspec.MsgspecError as why:
        raise Refused(f"the topic {GENERATIONS.name} holds something that this version cannot read: {why}") from why
    finally:
        consumer.close()


def _span(consumer: Consumer, place: TopicPartition) -> tuple[int, int]:
    """Its first offset and the next to come; a broker that has just come back may still be looking for its leaders."""
    from confluent_kafka import KafkaError, KafkaException

    deadline = time.monotonic() + _ANSWER_S
    while True:
        try:
            span: tuple[int, int] = consumer.get_watermark_offsets(place, timeout=_ANSWER_S)
            return span
        except KafkaException as why:
            passing = (KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE)
            if why.args[0].code() not in passing or time.monotonic() > deadline:
                raise
        time.sleep(_AGAIN_S)


def write(bootstrap: str, record: Generations) -> None:
    """Make it the record; acknowledged on return."""
    from daybook.telling import Teller

    Teller(bootstrap).send(GENERATIONS.name, [(KEY, encode(record))])
