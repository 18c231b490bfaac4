"""Where reading of a partition begins. Pure: from what the group committed, what the store holds and what Kafka has."""

from __future__ import annotations

from typing import NamedTuple

from sinks.base import Stop


class Start(NamedTuple):
    """The offset to begin with, and how many records Kafka has thrown away before they were stored."""

    offset: int
    lost: int = 0


def start(topic: str, partition: int, *, committed: int | None, resume: int | None, begin: int, end: int) -> Start:
    """`committed`, `resume`: the group's offset and the store's own wish, where there are any.

    Raises Stop if the group stands beyond the end: the topic was deleted and made again, and its rows would be taken
    for older than what is stored (DESIGN §8 rule 15).

    >>> start("daily", 0, committed=7, resume=7, begin=0, end=9)
    Start(offset=7, lost=0)
    >>> start("meals", 0, committed=2, resume=2, begin=5, end=9)
    Start(offset=5, lost=3)
    """
    if committed is None:
        return Start(begin)
    if committed > end:
        raise Stop(
            f"{topic}/{partition} ends at {end}, but this sink has read up to {committed}: the topic was deleted and"
            " made again. Rebuild into a new generation, or delete the consumer group if the stores are empty too"
        )
    wanted = committed if resume is None else min(resume, committed)
    return Start(max(wanted, begin), max(0, begin - committed))
