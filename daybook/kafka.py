"""Questions to Kafka that the command line has: which topics there are, where they end, how far a group has come."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, NoReturn

from daybook.errors import Problem
from schemas import broker

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

TIMEOUT_S = 6.0

Offsets = dict[tuple[str, int], int]
"""(topic, partition) → an offset."""


def admin(bootstrap: str) -> AdminClient:
    """A client for questions; it connects when first asked."""
    from confluent_kafka.admin import AdminClient

    return AdminClient({**broker.librdkafka(bootstrap), "log_level": 0, "socket.timeout.ms": int(TIMEOUT_S * 1000)})


def unreachable(bootstrap: str, why: BaseException) -> NoReturn:
    raise Problem(f"Kafka at {bootstrap} does not answer: {broker.why(bootstrap, _text(why))}") from why


def _text(why: BaseException) -> str:
    error = why.args[0] if why.args else why
    return str(error.str()) if hasattr(error, "str") else str(error)


def partition_counts(client: AdminClient, bootstrap: str) -> dict[str, int]:
    """Topic → number of partitions, of all topics there are."""
    from confluent_kafka import KafkaException

    try:
        topics = client.list_topics(timeout=TIMEOUT_S).topics
    except KafkaException as why:
        client.poll(0)  # what went wrong with TLS or the login is told here alone
        unreachable(bootstrap, why)
    return {name: len(topic.partitions) for name, topic in topics.items() if topic.error is None}


def offsets(
    client: AdminClient, bootstrap: str, partitions: Iterable[tuple[str, int]], *, earliest: bool = False
) -> Offsets:
    """Where the partitions end for those who read what is committed (or begin): the next offset to come there.

    A client that knew the broker before it was started again, or lost its lease, asks again for a while: librdkafka
    goes on naming the leader epoch of before, which is refused, until it is told to look at all topics again.
    """
    from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition
    from confluent_kafka.admin import OffsetSpec

    passing = (
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError._NOENT,
    )
    spec = OffsetSpec.earliest() if earliest else OffsetSpec.latest()
    asked = {TopicPartition(topic, number): spec for topic, number in partitions}
    if not asked:
        return {}
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        futures = client.list_offsets(asked, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=TIMEOUT_S)
        try:
            return {(tp.topic, tp.partition): future.result().offset for tp, future in futures.items()}
        except KafkaException as why:
            if why.args[0].code() not in passing or time.monotonic() > deadline:
                unreachable(bootstrap, why)
        partition_counts(client, bootstrap)
        time.sleep(0.1)


def committed(client: AdminClient, bootstrap: str, group: str) -> Offsets:
    """How far a consumer group has come; partitions where it committed nothing are left out."""
    from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException

    future = client.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)], request_timeout=TIMEOUT_S)[group]
    try:
        found = future.result().topic_partitions
    except KafkaException as why:
        unreachable(bootstrap, why)
    return {(tp.topic, tp.partition): tp.offset for tp in found if tp.offset >= 0}


def members(client: AdminClient, group: str) -> int:
    """How many members a consumer group has now; 0 where it does not exist or nobody can be asked."""
    from confluent_kafka import KafkaException

    try:
        return len(client.describe_consumer_groups([group], request_timeout=TIMEOUT_S)[group].result().members)
    except KafkaException:
        return 0
