"""What must hold before a worker folds: topics that fit each other, and positions that fit the topics (DESIGN §8 rules
11 and 15). Pure: each function returns the line that says what is wrong and what to do, or None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from schemas.positions import Position
from streams.cluster import TopicFacts


def topics_fit(
    facts: Mapping[str, TopicFacts],
    *,
    sources: Sequence[str],
    outputs: Sequence[str],
    changelog: str,
    partitions: int,
) -> str | None:
    """All topics exist and have the same number of partitions; only the changelog may be missing (it is made)."""
    for name in (*sources, *outputs):
        if name not in facts:
            return f"the topic {name} does not exist: run `daybook migrate` against this cluster first"
    for name in (*sources, *outputs, changelog):
        found = facts.get(name)
        if found is not None and found.partitions != partitions:
            return (
                f"the topic {name} has {found.partitions} partitions and this stream is built for {partitions}: "
                "source, output and changelog topics need the same count; another count is a new generation: "
                "daybook rebuild --partitions"
            )
    return None


def position_fits(
    topic: str,
    partition: int,
    position: Position,
    *,
    generation: int,
    topic_id: str,
    log_start: int,
    log_end: int,
) -> str | None:
    """The stored position is of this generation and lies within the same topic that it was made from."""
    here, at = f"{topic}/{partition}", position.next_offset
    if position.generation > generation:
        return (
            f"the state of {here} is of generation {position.generation} and this worker folds generation "
            f"{generation}: deploy the newer version"
        )
    if position.generation < generation:
        return (
            f"the state of {here} is of generation {position.generation} and this worker folds generation "
            f"{generation}: give the new one an application id of its own, so that it folds again from the events"
        )
    if position.topic_id != topic_id:
        return (
            f"the topic {topic} was deleted and made again (its id was {position.topic_id} and is {topic_id}): the "
            "state was folded from events that are gone; to fold again from what is there: daybook rebuild"
        )
    if log_start > at:
        return (
            f"{here} now starts at offset {log_start} and is folded up to {at}: {log_start - at} offsets were deleted "
            "before they were folded; restore them, or fold again from what is "
            "there (daybook rebuild), and lengthen the topic's retention"
        )
    if at > log_end:
        return (
            f"{here} is folded up to offset {at} and now ends at {log_end}: the broker lost events that the state "
            "contains; restore the topic, or fold again from what is there: daybook rebuild"
        )
    return None
