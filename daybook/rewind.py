"""A sink reads again what it has read: its consumer group's positions are set back, while none of its workers runs.

Harmless at any time: rows carry versions and a store keeps the highest, so what it has already changes nothing.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from daybook import kafka
from daybook.errors import Problem
from daybook.kafka import Offsets
from daybook.waiting import Group

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

_SESSIONS_S = 20.0
"""Longer than a session of any worker."""


def deserted(client: AdminClient, group: Group) -> None:
    """Return once the group has no member. Raises Problem if workers stay.

    A worker that was stopped stays a member until its session ends: static members do not leave.
    """
    deadline = time.monotonic() + _SESSIONS_S
    while members := kafka.members(client, group.id):
        if time.monotonic() > deadline:
            raise Problem(f"{group.who} still has {members} workers: stop them first")
        time.sleep(0.5)


def rewind(bootstrap: str, group: Group, since_ms: int | None = None) -> int:
    """Set the group back to where its topics begin, or to their first records since a time; how many it reads again.

    ``since_ms``: milliseconds since 1970. No position is ever moved ahead. Raises Problem if its workers run.
    """
    from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition

    client = kafka.admin(bootstrap)
    deserted(client, group)
    done = {at: offset for at, offset in kafka.committed(client, bootstrap, group.id).items() if at[0] in group.topics}
    begins = kafka.offsets(client, bootstrap, done, earliest=True)
    if since_ms is not None:
        begins |= _since(client, bootstrap, done, since_ms)
    back = {at: begins[at] for at, offset in done.items() if begins[at] < offset}
    if not back:
        return 0
    wanted = ConsumerGroupTopicPartitions(group.id, [TopicPartition(*at, offset) for at, offset in back.items()])
    try:
        done_with = client.alter_consumer_group_offsets([wanted], request_timeout=kafka.TIMEOUT_S)[group.id].result()
    except KafkaException as why:
        kafka.unreachable(bootstrap, why)
    for each in done_with.topic_partitions:
        if each.error is not None:
            raise Problem(f"{group.who} is not set back on {each.topic}/{each.partition}: {each.error.str()}")
    return sum(done[at] - offset for at, offset in back.items())


def _since(client: AdminClient, bootstrap: str, partitions: Offsets, since_ms: int) -> Offsets:
    """The first offsets of so young records, where there are any."""
    from confluent_kafka import KafkaException, TopicPartition
    from confluent_kafka.admin import OffsetSpec

    asked = {TopicPartition(*at): OffsetSpec.for_timestamp(since_ms) for at in partitions}
    try:
        answers = client.list_offsets(asked, request_timeout=kafka.TIMEOUT_S)
        found = {(tp.topic, tp.partition): answer.result().offset for tp, answer in answers.items()}
    except KafkaException as why:
        kafka.unreachable(bootstrap, why)
    return {at: offset if offset >= 0 else partitions[at] for at, offset in found.items()}
