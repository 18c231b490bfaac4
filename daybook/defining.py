"""Which definitions of metrics are in force, as Kafka has it; and the one act that puts another one in force."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING

import psycopg

from daybook import kafka
from daybook.errors import Problem
from daybook.generations import LOOKING
from daybook.settings import Settings
from schemas import broker, definitions
from schemas.definitions import NONE, Definitions
from schemas.topics import DEFINITIONS
from sinks.postgres.connect import see_all_rows
from streams.daily.definitions import InForce

if TYPE_CHECKING:
    from confluent_kafka import Message

_ANSWER_S = 30.0
_WRITER = "daybook-definitions"
"""Transactional id: whoever writes refuses every earlier writer."""


def known(settings: Settings) -> InForce:
    """What is in force now, by what is committed in partition 0. Raises Problem if Kafka does not answer."""
    return InForce(read(settings.address("kafka")))


def read(bootstrap: str) -> Definitions:
    """The record; that of nothing where none was ever written, or before the first `migrate`."""
    from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

    if DEFINITIONS.name not in kafka.partition_counts(kafka.admin(bootstrap), bootstrap):
        return NONE
    consumer = Consumer(
        {
            **broker.librdkafka(bootstrap),
            "group.id": f"{LOOKING}{uuid.uuid4().hex}",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 10,
            "log_level": 0,
        }
    )
    found, deadline = NONE, time.monotonic() + _ANSWER_S
    try:
        consumer.assign([TopicPartition(DEFINITIONS.name, 0, 0)])
        while time.monotonic() < deadline:
            message: Message | None = consumer.poll(1.0)
            if message is None:
                continue
            error = message.error()
            if error is None:
                said = definitions.decode(message.value())
                found = said if said.number > found.number else found
            elif error.code() == KafkaError._PARTITION_EOF:
                return found
            elif not error.retriable():
                break
    except KafkaException as why:
        kafka.unreachable(bootstrap, why)
    finally:
        consumer.close()
    raise Problem(f"Kafka at {bootstrap} does not give what is on the topic {DEFINITIONS.name}")


def write(bootstrap: str, record: Definitions) -> None:
    """Put it in force: every owner of a partition hears it, or none. The same record again changes nothing.

    Raises Problem where the transaction was not committed, or nobody can say: then read what is in force.
    """
    from confluent_kafka import KafkaException, Producer

    counts = kafka.partition_counts(kafka.admin(bootstrap), bootstrap)
    if DEFINITIONS.name not in counts:
        raise Problem(f"Kafka at {bootstrap} has no topic {DEFINITIONS.name}: run daybook migrate first")
    producer = Producer(
        {
            **broker.librdkafka(bootstrap),
            "transactional.id": _WRITER,
            "transaction.timeout.ms": int(_ANSWER_S * 1000),
            "log_level": 0,
        }
    )
    try:
        producer.init_transactions(_ANSWER_S)
        producer.begin_transaction()
        for number in range(counts[DEFINITIONS.name]):
            producer.produce(DEFINITIONS.name, definitions.encode(record), definitions.KEY, number)
        producer.commit_transaction(_ANSWER_S)
    except KafkaException as why:
        kafka.unreachable(bootstrap, why)


def moving(settings: Settings) -> str | None:
    """The backfill that is being put in force now: not every day is said again yet. None: nothing is."""
    with psycopg.connect(settings.address("postgres"), autocommit=True) as connection:
        see_all_rows(connection)
        try:
            row = connection.execute("SELECT id FROM backfills WHERE state = 'swapping'").fetchone()
        except psycopg.errors.UndefinedTable:  # before the first `migrate` of this version
            return None
        return None if row is None else str(row[0])


def is_moving(settings: Settings) -> bool:
    """Whether a backfill is being put in force."""
    return moving(settings) is not None


def settled(settings: Settings) -> None:
    """Raises Problem, saying what to do, while a backfill is being put in force."""
    if (run := moving(settings)) is not None:
        raise Problem(
            f"the backfill {run} is being put in force, and not every day is said again yet: wait for it, or go on "
            f"with it: daybook backfill swap {run}"
        )
