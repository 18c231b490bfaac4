"""What the topic `generations` holds: one record, the last of its key, which every worker reads before it begins.

It says how often an operator had all rebuilt (the rest of the generation is code, see topics.py), how many partitions
the topics have, and what Kafka's ids of the topics are. So a topic that was made again, and a partition count that was
changed by hand, are noticed by whoever starts next, though Kafka itself forgets what was committed on a deleted topic.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from schemas.topics import TOPICS

KEY = b"current"


class Moving(msgspec.Struct, frozen=True):
    """A rebuild that was begun: what is done of it, so that it can be gone on with after a crash."""

    partitions: int
    copied: tuple[str, ...] = ()
    """Topics that lie in their copies, whole."""
    placed: tuple[str, ...] = ()
    """Topics that are new and whole."""
    from_stores: bool = False
    """Whether Kafka was lost, and its topics are filled from what the stores keep."""


class Generations(msgspec.Struct, frozen=True):
    """The record."""

    rebuilds: int
    partitions: int
    topics: dict[str, str]
    """Name → Kafka's id."""
    state_format: int = 1
    """What workers write their state in from their next start on (schemas/positions.py); clusters of before do not
    say it."""
    moving: Moving | None = None


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Generations).decode

REBUILD = "daybook rebuild"


def unfit(known: Generations, ids: Mapping[str, str], counts: Mapping[str, int]) -> str | None:
    """Why nothing may be folded or stored on what Kafka has now, and what to do; None if it may.

    >>> known = Generations(0, 8, {"meals": "a"})
    >>> unfit(known, {"meals": "a"}, {"meals": 8})
    >>> unfit(known, {"meals": "b"}, {"meals": 8})[:64]
    'the topic meals was deleted and made again (its id was a and is '
    """
    if known.moving is not None:
        return f"a rebuild with {known.moving.partitions} partitions was begun and is not finished: {REBUILD}"
    ours = {topic.name for topic in TOPICS} & known.topics.keys()  # another version of the code has others
    for name in sorted(ours):
        topic_id = known.topics[name]
        if name in ids and ids[name] != topic_id:
            return (
                f"the topic {name} was deleted and made again (its id was {topic_id} and is {ids[name]}): what was "
                f"built from it cannot go on. To fold again from what is there, and what ClickHouse knows: {REBUILD}"
            )
        if name not in ids:
            return f"the topic {name} is gone: restore it, or make it again and fold what is left: {REBUILD}"
    for name, count in counts.items():
        if name in ours and count != known.partitions:
            return (
                f"the topic {name} has {count} partitions, and the state was folded with {known.partitions}: users "
                f"would meet the wrong owner. To move all that there is: {REBUILD} --partitions {count}"
            )
    return None
