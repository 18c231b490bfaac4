"""Every Kafka topic, declared once: `daybook migrate` creates them, docs and tests read this table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

GENERATION = 6
"""Raised whenever fold code, contribution layout or partition count change meaning (DESIGN §8 rule 11): a new
generation has its own consumer group, ledger and higher versions, and folds again from the events.

1: the first. 2: workouts carry their training load and the best of each exercise.
3: meals and workouts carry what they say of the plan; what several sources saw counts once.
4: progress keeps the goals that were hit, and says its numbers to a thousandth.
5: a day says on which weekdays its plans rest. 6: progress rolls adherence.
"""

REBUILDS_APART = 1_000


def generation_of(rebuilds: int) -> int:
    """The generation that versions and positions carry: of this code, and so often rebuilt by an operator.

    Neither number ever goes down, so a later one is always higher, and no two pairs make the same.
    """
    return GENERATION + REBUILDS_APART * rebuilds


DAILY_APP = f"daybook-daily-g{GENERATION}"
"""Faust application id (and consumer group) of the daily stream."""
PROGRESS_APP = f"daybook-progress-g{GENERATION}"
"""Of the progress stream."""


TRENDING_GENERATION = 2
"""The same for trending, which folds other events and is folded anew on its own.

1: the first. 2: each source partition says how far it is; what is forgotten is kept per source partition.
"""


def trending_generation_of(generation: int) -> int:
    """The generation of trending's versions, of that of all others: rebuilt as often, of a code of its own.

    >>> trending_generation_of(3), trending_generation_of(2_003)
    (2, 2002)
    """
    return generation // REBUILDS_APART * REBUILDS_APART + TRENDING_GENERATION


AFFINITY_GENERATION = 1
"""The same for affinity."""


def affinity_generation_of(generation: int) -> int:
    """As `trending_generation_of`.

    >>> affinity_generation_of(2_003)
    2001
    """
    return generation // REBUILDS_APART * REBUILDS_APART + AFFINITY_GENERATION


AFFINITY_APP = f"daybook-affinity-g{AFFINITY_GENERATION}"
"""Faust application id of affinity: both its stages."""
TRENDING_APP = f"daybook-trending-g{TRENDING_GENERATION}"
"""Faust application id of trending's stage one."""
TRENDING_LISTS_APP = f"daybook-trending-lists-g{TRENDING_GENERATION}"
"""Of its stage two."""


COMPACTED_WITHIN_MS = 7 * 24 * 3600 * 1000
"""What was overwritten or deleted on a compacted topic leaves Kafka's files after so long at most, where anything is
written to the partition at all: a log without it may never be dirty enough (docs/how-to/erase.md)."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. All user-keyed topics have the same partition count, so a user's events meet in one worker."""

    name: str
    key: str
    what: str
    keep: timedelta | None = None
    """Retention by receipt; None: compacted, the last value per key is kept for ever."""
    append_time: bool = False
    """Whether the broker stamps records with its own clock (receipt); acceptance is judged by it (rule 4)."""

    @property
    def config(self) -> dict[str, str]:
        """Kafka's topic configuration."""
        config = {"cleanup.policy": "compact" if self.keep is None else "delete"}
        if self.keep is not None:
            config["retention.ms"] = str(int(self.keep.total_seconds() * 1000))
        else:
            config |= {"min.cleanable.dirty.ratio": "0.3", "segment.ms": str(24 * 3600 * 1000)}
            config["max.compaction.lag.ms"] = str(COMPACTED_WITHIN_MS)
        if self.append_time:
            config["message.timestamp.type"] = "LogAppendTime"
        return config


def _source(name: str, days: int, what: str) -> Topic:
    return Topic(name, "subject", what, keep=timedelta(days=days), append_time=True)


WORKOUTS = _source("workouts", 90, "workout events")
MEALS = _source("meals", 90, "meal events")
BODY = _source("body", 90, "measurements, water, activity, sleep")
PLANS = _source("plans", 90, "goals, plans, profiles")
VIEWS = _source("views", 7, "views of videos, reactions")
LEDGER = Topic(
    f"{DAILY_APP}-ledger-changelog", "subject\\0family\\0entity", "winner per entity, watermarks (ledger.py)"
)
DAILY = Topic("daily", "subject|date", "one absolute row per user and local day (rows.py)")
HINTS = Topic(
    "hints", "subject", "what the owner of a user's cells shall look at again (hints.py)", timedelta(days=90), True
)
PROGRESS_HINTS = Topic(
    "progress-hints", "subject", "users whose progress shall be said again (hints.py)", timedelta(days=90), True
)
CELLS = Topic(f"{PROGRESS_APP}-cells-changelog", "subject|date", "a packed cell per user and day, watermark (facts.py)")
PROGRESS = Topic("progress", "subject", "one absolute row per user: windows, streaks, records (progress.py)")
MILESTONES = Topic(
    "milestones", "subject", "records set and revoked, streaks extended, broken, restored", timedelta(days=90)
)
LOADS = Topic("loads", "subject", "users whose old entities are needed (loads.py)", timedelta(days=90))
LOADED = Topic("loaded", "subject", "their old entities, from ClickHouse (loads.py)", timedelta(days=90), True)
REJECTED = Topic(
    "rejected", "topic/partition/offset", "events that were refused, raw, with the reason", timedelta(days=90)
)
REPLAYED = Topic(
    "replayed", "topic/partition/offset", "refused events that were sent again, and where to", timedelta(days=90)
)

SUPPRESSED = Topic("suppressed", "keyed hash of the subject", "who was erased and may not come back (suppression.py)")
"""The same in every partition. Read by every worker before it begins, and an input of the streams that keep users."""

DEFINITIONS = Topic(
    "definitions", "always the same", "which versions of metric definitions are in force (definitions.py)"
)
"""The same in every partition. Read by whoever judges days before it begins, and an input of the daily stream."""

GENERATIONS = Topic(
    "generations", "always the same", "how often all was rebuilt, and which topics are ours (generations.py)"
)
"""One partition; read by every worker before it begins."""
TRENDING_COUNTS = Topic(
    "trending-counts", "item|minute|region|source", "trending's stage one: absolute counts", timedelta(days=10)
)
VIEWINGS = Topic(
    f"{TRENDING_APP}-viewings-changelog", "subject\\0entity", "trending's stage one: winner per view and reaction"
)
TRENDING_BLOCKS = Topic("trending-blocks", "kind|id", "what an admin keeps off the lists")
LISTS = Topic(
    f"{TRENDING_LISTS_APP}-lists-changelog", "kind of record, key", "trending's stage two: counts, hours, blocks"
)
TRENDING = Topic("trending", "kind|region|window", "one whole list per kind, region and window")
LIKED_TOGETHER = Topic(
    "liked-together", "source partition", "affinity's stage one: absolute counts per item", timedelta(days=10)
)
TASTES = Topic(
    f"{AFFINITY_APP}-tastes-changelog",
    "subject\\0entity; \\1 what is related",
    "affinity's stage one: winner per view and reaction",
)
RELATIONS = Topic(f"{AFFINITY_APP}-relations-changelog", "kind of record, key", "affinity's stage two: counts, lists")
RELATED = Topic(
    "related",
    "partition of stage two",
    "what is liked together with an item, and what trends, to every partition",
    timedelta(days=10),
)
AFFINITY = Topic("affinity", "subject", "one absolute row of tastes per user (affinity.py)")
RECOMMENDATIONS = Topic("recommendations", "subject", "one whole list per user, with reasons (affinity.py)")

DAILY_SOURCES = (WORKOUTS, MEALS, BODY, PLANS)
"""The events that the daily stream folds."""
DAILY_INPUTS = (*DAILY_SOURCES, HINTS, LOADED, SUPPRESSED, DEFINITIONS)
"""All that it reads."""
PROGRESS_INPUTS = (DAILY, PROGRESS_HINTS)
"""All that the progress stream reads."""
SOURCES = (*DAILY_SOURCES, VIEWS)
"""Topics of events: conservation counts these."""
TRENDING_TOPICS = (TRENDING_COUNTS, VIEWINGS, TRENDING_BLOCKS, LISTS, TRENDING)
AFFINITY_TOPICS = (LIKED_TOGETHER, TASTES, RELATIONS, RELATED, AFFINITY, RECOMMENDATIONS)
_DERIVED = (LEDGER, DAILY, PROGRESS_HINTS, CELLS, PROGRESS, MILESTONES, *TRENDING_TOPICS, *AFFINITY_TOPICS)
TOPICS = (*SOURCES, HINTS, LOADS, LOADED, *_DERIVED, REJECTED, REPLAYED, SUPPRESSED, DEFINITIONS)

BY_SUBJECT = frozenset(topic.name for topic in (*SOURCES, HINTS, LOADS, LOADED, PROGRESS_HINTS, MILESTONES))
"""Topics that users' names are the very keys of: what is here of an erased one, no stream reads."""
