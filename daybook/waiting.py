"""When everything that was published is visible in every store.

First the daily stream must have committed all that the source topics held when the wait began, and what of it waited
for old entities must have got them from the loader. What the stream wrote for that lies, by then, in its output topics
(rows, state and watermark are one transaction, made before the commit). The same then holds for the progress stream and
its daily rows, for the two stages of trending, and for affinity, whose second stage the first hears again. Then every
sink must have committed all that its topics held then.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from daybook import kafka
from daybook.errors import Problem
from daybook.kafka import Offsets
from schemas.topics import (
    AFFINITY_APP,
    DAILY_APP,
    DAILY_INPUTS,
    GENERATION,
    LIKED_TOGETHER,
    LOADS,
    PROGRESS_APP,
    PROGRESS_INPUTS,
    REJECTED,
    RELATED,
    SUPPRESSED,
    TRENDING,
    TRENDING_APP,
    TRENDING_BLOCKS,
    TRENDING_COUNTS,
    TRENDING_LISTS_APP,
    VIEWS,
)

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

_POLL_S = 0.1


class Lag(NamedTuple):
    """One consumer group that has not come to the end of one topic."""

    who: str
    topic: str
    records: int
    """At most: the markers that end transactions count as records."""

    def __str__(self) -> str:
        return f"{self.who} is {self.records} records behind on {self.topic}"


@dataclass(frozen=True, slots=True)
class Group:
    """A consumer group, and the topics that it must have read to their ends."""

    who: str
    id: str
    topics: tuple[str, ...]


TRENDING_STREAM = Group("trending", TRENDING_APP, (VIEWS.name, SUPPRESSED.name))
LISTS_STREAM = Group("trending's lists", TRENDING_LISTS_APP, (TRENDING_COUNTS.name, TRENDING_BLOCKS.name))
_AFFINITY = tuple(
    Group("affinity", AFFINITY_APP, topics)
    for topics in (
        *((VIEWS.name, SUPPRESSED.name), (LIKED_TOGETHER.name,)),
        *((TRENDING.name,), (RELATED.name,)),
    )
)
"""Topic by topic, in the order in which one leads to the next."""
AFFINITY_STREAM = Group("affinity", AFFINITY_APP, tuple(topic for group in _AFFINITY for topic in group.topics))
PROGRESS_STREAM = Group("the progress stream", PROGRESS_APP, tuple(topic.name for topic in PROGRESS_INPUTS))
DAILY_STREAM = Group("the daily stream", DAILY_APP, tuple(topic.name for topic in DAILY_INPUTS))
LOADER = Group("the loader", f"daybook-loader-g{GENERATION}", (LOADS.name,))
"""sinks/clickhouse/loader.py"""


def lags(who: str, ends: Offsets, begins: Offsets, done: Offsets) -> list[Lag]:
    """How far ``who`` is behind, by topic, largest first; empty when it has come to all ends.

    A partition that holds nothing (it ends where it begins) counts as reached, though nothing was ever committed there.

    >>> lags("x", {("meals", 0): 7, ("meals", 1): 5}, {("meals", 1): 5}, {("meals", 0): 4})
    [Lag(who='x', topic='meals', records=3)]
    """
    behind: dict[str, int] = {}
    for at, end in ends.items():
        reached = max(done.get(at, 0), begins.get(at, 0))
        behind[at[0]] = behind.get(at[0], 0) + max(0, end - reached)
    return sorted((Lag(who, topic, n) for topic, n in behind.items() if n), key=lambda lag: -lag.records)


class Ends(NamedTuple):
    """Where topics begin and end at one moment."""

    begins: Offsets
    ends: Offsets

    def behind(self, client: AdminClient, bootstrap: str, group: Group) -> list[Lag]:
        """What the group has not committed of this yet."""
        own = {at: end for at, end in self.ends.items() if at[0] in group.topics}
        return lags(group.who, own, self.begins, kafka.committed(client, bootstrap, group.id))


def ends_of(client: AdminClient, bootstrap: str, groups: Sequence[Group]) -> Ends:
    """Where the topics of these groups begin and end now. Raises Problem if one is missing."""
    counts = kafka.partition_counts(client, bootstrap)
    topics = sorted({topic for group in groups for topic in group.topics})
    if missing := [topic for topic in topics if topic not in counts]:
        raise Problem(f"Kafka at {bootstrap} has no topic {missing[0]}: run daybook migrate first")
    partitions = [(topic, number) for topic in topics for number in range(counts[topic])]
    return Ends(
        kafka.offsets(client, bootstrap, partitions, earliest=True), kafka.offsets(client, bootstrap, partitions)
    )


def until_visible(
    bootstrap: str,
    sinks: Sequence[Group],
    timeout_s: float,
    on_look: Callable[[Sequence[Lag]], None] = lambda behind: None,
) -> None:
    """Return when all that was published before this call is visible in every store.

    ``on_look`` hears what lags, after each look. Raises Problem with what lags where after ``timeout_s`` seconds.
    """
    deadline = time.monotonic() + timeout_s
    client = kafka.admin(bootstrap)
    # What waits for old entities is folded once the loader has answered. Last, those who read `rejected` once more:
    # ClickHouse's sink adds to it the views that it refuses.
    filed = [group for group in sinks if REJECTED.name in group.topics]
    for groups in (
        [DAILY_STREAM, TRENDING_STREAM, _AFFINITY[0]],
        [LOADER],
        [DAILY_STREAM],
        [PROGRESS_STREAM, LISTS_STREAM, _AFFINITY[1]],
        [_AFFINITY[2]],
        [_AFFINITY[3]],
        sinks,
        filed,
    ):
        goal = ends_of(client, bootstrap, groups)
        waiting = list(groups)
        while waiting:
            behind = {group: goal.behind(client, bootstrap, group) for group in waiting}
            waiting = [group for group in waiting if behind[group]]
            left = [lag for group in waiting for lag in behind[group]]
            on_look(left)
            if waiting and time.monotonic() > deadline:
                raise Problem(f"not all is visible after {timeout_s:g} s: {'; '.join(map(str, left))}")
            if waiting:
                time.sleep(_POLL_S)


def records_behind(bootstrap: str, groups: Mapping[str, Group]) -> dict[str, int]:
    """Name → records behind now; empty where the topics are not there yet."""
    client = kafka.admin(bootstrap)
    try:
        now = ends_of(client, bootstrap, list(groups.values()))
    except Problem:
        return {}
    return {name: sum(lag.records for lag in now.behind(client, bootstrap, group)) for name, group in groups.items()}
