"""Letting refused events pass the limit that stopped a worker: those that lie in a partition now, and no later ones."""

from __future__ import annotations

from typing import NamedTuple

from daybook import kafka
from daybook.errors import Misuse, Problem
from schemas.topics import DAILY_APP, SOURCES, TRENDING_APP, VIEWS


class Allowed(NamedTuple):
    """Refusals before this offset stop no worker."""

    topic: str
    partition: int
    offset: int


def place(text: str) -> tuple[str, int]:
    """Topic and partition of what is written as topic/partition. Raises Misuse.

    >>> place("meals/3")
    ('meals', 3)
    """
    topic, _, number = text.rpartition("/")
    topics = [source.name for source in SOURCES]
    if topic not in topics or not (number.isascii() and number.isdigit()):
        raise Misuse(f"{text}: expected topic/partition, such as meals/3, with one of the topics {', '.join(topics)}")
    return topic, int(number)


def allow(bootstrap: str, at: tuple[str, int], through: int | None) -> Allowed:
    """Let the events of a partition be refused up to the offset `through`; None: all that lie there now.

    Written down in Kafka, as the offset of a consumer group that nobody is a member of: every worker finds it there.
    Raises Problem if the partition does not exist or ends before that offset.
    """
    from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition

    from streams.runtime.limit import allowance_group

    client = kafka.admin(bootstrap)
    topic, number = at
    if number >= (count := kafka.partition_counts(client, bootstrap).get(topic, 0)):
        raise Problem(f"Kafka at {bootstrap} has no partition {topic}/{number}: the topic has {count}")
    end = kafka.offsets(client, bootstrap, [at])[at]
    offset = end if through is None else through + 1
    if offset > end:
        raise Problem(f"{topic}/{number} ends at offset {end - 1}: what is not there yet cannot be allowed")
    folds = TRENDING_APP if topic == VIEWS.name else DAILY_APP
    group = ConsumerGroupTopicPartitions(allowance_group(folds), [TopicPartition(topic, number, offset)])
    try:
        future = client.alter_consumer_group_offsets([group], request_timeout=kafka.TIMEOUT_S)[group.group_id]
        for written in future.result().topic_partitions:
            if written.error is not None:
                raise Problem(f"Kafka at {bootstrap} does not take it: {written.error.str()}")
    except KafkaException as why:
        kafka.unreachable(bootstrap, why)
    return Allowed(topic, number, offset)
