"""Where reading of a partition begins, or why it must not (DESIGN §8 rule 15). Pure: from what the group committed,
what the store holds and what Kafka has.

A commit carries the topic's id beside the offset, so both are known or neither.
"""

from __future__ import annotations

from typing import NamedTuple

from sinks.base import Refusal

WAY_OUT = "To build the stores again from what is there: daybook rebuild"


class Committed(NamedTuple):
    """What the group committed of one partition; no id where the commit was made by who did not know it."""

    offset: int
    topic_id: str = ""


def same_topic(topic: str, was: str, now: str) -> None:
    """Raises Refusal if both ids are known and differ."""
    if was and now and was != now:
        raise Refusal(
            f"the topic {topic} was deleted and made again (its id was {was} and is {now}): this sink has read the old "
            f"one. {WAY_OUT}"
        )


def start(
    topic: str,
    partition: int,
    *,
    committed: Committed | None,
    resume: int | None,
    begin: int,
    end: int,
    topic_id: str = "",
) -> int:
    """The offset to begin with. `resume`: the store's own wish; `topic_id`: the topic's now, empty if nobody asked.

    Raises Refusal if the topic was deleted and made again, or ends before what was read, or starts behind it: its rows
    would be taken for older than what is stored, or would be missing for good without anybody noticing.

    >>> start("daily", 0, committed=Committed(7, "a"), resume=7, begin=0, end=9, topic_id="a")
    7
    >>> start("daily", 0, committed=Committed(7, "a"), resume=0, begin=2, end=9, topic_id="a")
    2
    """
    if committed is None:
        return begin
    here, at = f"{topic}/{partition}", committed.offset
    same_topic(topic, committed.topic_id, topic_id)
    if at > end:
        raise Refusal(
            f"{here} ends at {end}, but this sink has read up to {at}: the topic was truncated, or deleted and made "
            f"again. {WAY_OUT}"
        )
    if begin > at:
        raise Refusal(
            f"{here} now starts at offset {begin} and this sink has stored up to {at}: {begin - at} offsets were "
            f"deleted before they were stored; restore them, and lengthen the topic's retention. {WAY_OUT}"
        )
    wanted = at if resume is None else min(resume, at)
    return max(wanted, begin)
