"""Kafka's part of `migrate`: the topics of schemas/topics.py are there as declared, or one line says why not."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from daybook import generations, kafka
from daybook.errors import Misuse, Problem, Refused
from schemas.generations import Generations, unfit
from schemas.positions import NEWEST, unreadable
from schemas.topics import GENERATIONS, TOPICS, Topic

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

DEFAULT_PARTITIONS = 8
_SHOWN_S = 20.0
_MUST_HOLD = ("cleanup.policy", "message.timestamp.type")
"""What correctness rests on; retention and the like are the operator's to change."""


def migrate(bootstrap: str, partitions: int | None, say: Callable[[str], None], state_format: int | None = None) -> int:
    """Create the topics that are missing and check the others; returns the number of partitions that all have.

    ``partitions``, ``state_format``: what somebody asked for, if anybody did. Raises Problem if topics that exist
    are not as declared.
    """
    from confluent_kafka import KafkaError, KafkaException
    from confluent_kafka.admin import NewTopic

    if state_format is not None and (why := unreadable(state_format)) is not None:
        raise Misuse(f"--state-format: {why}")
    client = kafka.admin(bootstrap)
    present = kafka.partition_counts(client, bootstrap)
    known, found = generations.read(bootstrap), generations.facts(client, bootstrap)
    if known is not None and (why := unfit(known, found.ids, found.partitions)) is not None:
        raise Refused(why)
    count = agreed_count({t.name: present[t.name] for t in TOPICS if t.name in present}, partitions)
    missing = [t for t in (*TOPICS, GENERATIONS) if t.name not in present]
    if missing:
        new = [NewTopic(t.name, num_partitions=1 if t is GENERATIONS else count, config=t.config) for t in missing]
        for name, future in client.create_topics(new, request_timeout=kafka.TIMEOUT_S).items():
            try:
                future.result()
            except KafkaException as why:
                if why.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise Problem(f"Kafka at {bootstrap} did not create topic {name}: {why.args[0].str()}") from why
        say(f"topics created with {count} partitions: {', '.join(t.name for t in missing)}")
    _check(bootstrap, [t for t in TOPICS if t.name in present])
    _write_down(client, bootstrap, known, count, state_format, say)
    return count


def _write_down(
    client: AdminClient,
    bootstrap: str,
    known: Generations | None,
    count: int,
    state_format: int | None,
    say: Callable[[str], None],
) -> None:
    """Let every worker know which topics are ours."""
    deadline = time.monotonic() + _SHOWN_S
    while len(ids := generations.facts(client, bootstrap).ids) < len(TOPICS):
        if time.monotonic() > deadline:
            raise Problem(f"Kafka at {bootstrap} does not show the topics that it created")
        time.sleep(0.1)
    written = state_format or (NEWEST if known is None else known.state_format)
    record = Generations(0 if known is None else known.rebuilds, count, dict(ids), written)
    if record != known:
        generations.write(bootstrap, record)
    if known is not None and written != known.state_format:
        say(f"state is written in format {written} by every worker that starts from now on: start them anew")
    elif written < NEWEST:
        say(
            f"state is written in format {written}; once all workers run this version: "
            f"daybook migrate --state-format {NEWEST}"
        )


def agreed_count(present: Mapping[str, int], asked: int | None) -> int:
    """How many partitions all topics have or get. Raises Problem where what exists disagrees, with itself or ``asked``.

    >>> agreed_count({}, None), agreed_count({"meals": 4}, None), agreed_count({"meals": 4}, 4)
    (8, 4, 4)
    """
    if not present:
        return asked or DEFAULT_PARTITIONS
    found = sorted(set(present.values()))
    if len(found) > 1:
        counts = ", ".join(f"{name} {count}" for name, count in present.items())
        raise Problem(f"all topics must have the same number of partitions, so that a user's events meet: {counts}")
    if asked is not None and asked != found[0]:
        raise Problem(
            f"the topics exist with {found[0]} partitions, not {asked}: another number is a new generation, "
            f"folded again from the events: daybook rebuild --partitions {asked}"
        )
    return found[0]


def _check(bootstrap: str, topics: Sequence[Topic]) -> None:
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import ConfigResource, ResourceType

    client = kafka.admin(bootstrap)
    wanted = {ConfigResource(ResourceType.TOPIC, t.name): t for t in topics}
    if not wanted:
        return
    try:
        for resource, future in client.describe_configs(list(wanted), request_timeout=kafka.TIMEOUT_S).items():
            found = future.result()
            for key in _MUST_HOLD:
                declared = wanted[resource].config.get(key)
                if declared is not None and found[key].value != declared:
                    raise Problem(f"topic {resource.name} has {key}={found[key].value}; it must be {declared}")
    except KafkaException as why:
        kafka.unreachable(bootstrap, why)
