"""Who may do what in Kafka: one list, from what each role itself says that it reads and writes.

A role has a Kafka user of its own, `daybook-ROLE`. Streams are asked as they are built, sinks by the topics that they
name, so that a topic added there is allowed here. Names that carry a generation are allowed by what stands before it: a
new one begins without a new list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import NamedTuple

from daybook import sinking, waiting
from daybook.generations import LOOKING
from daybook.roles import OF_USERS, STREAMS
from schemas import topics
from schemas.topics import (
    DEFINITIONS,
    GENERATIONS,
    HINTS,
    LOADED,
    LOADS,
    MEALS,
    PROGRESS_HINTS,
    REJECTED,
    SOURCES,
    SUPPRESSED,
)

USER = "daybook-"
"""What all users of Daybook's begin with, and all groups and transactional ids."""
OPERATOR = "operator"
"""Who migrates, rebuilds, erases, replays and sends by the command line."""
LOOKER = "ui"
"""Who looks into topics and changes nothing."""


class Rule(NamedTuple):
    """One thing that a user may do."""

    user: str
    operation: str
    """Read, Write, Describe, All, …"""
    kind: str
    """topic, group, transactional-id, cluster"""
    name: str
    prefixed: bool = False
    """Whether all names that begin so are meant."""


def services() -> tuple[str, ...]:
    """All who have a user of their own."""
    return (*STREAMS, *sinking.groups(), "loader", "audit", "api", OPERATOR, LOOKER)


def rules() -> list[Rule]:
    """The whole list, in order."""
    found: set[Rule] = set()
    for role in STREAMS:
        found.update(_of_stream(role))
    for role, group in sinking.groups().items():
        # What a sink cannot store is filed among the refused.
        found.update(_of(role, reads=(*group.topics, SUPPRESSED.name), writes=(REJECTED.name,), group=group.id))
    loader = waiting.LOADER.id
    found.update(_of("loader", reads=(LOADS.name, SUPPRESSED.name), writes=(LOADED.name,), group=loader))
    found.update(_of("audit", reads=(DEFINITIONS.name,), writes=(HINTS.name, PROGRESS_HINTS.name, MEALS.name)))
    found.update(_of("api", reads=(SUPPRESSED.name, DEFINITIONS.name), writes=tuple(source.name for source in SOURCES)))
    for kind in ("topic", "group", "transactional-id"):
        found.add(Rule(USER + OPERATOR, "All", kind, "*"))
    found.add(Rule(USER + OPERATOR, "Create", "cluster", "kafka-cluster"))
    found.update(Rule(USER + LOOKER, "Read", kind, "*") for kind in ("topic", "group"))
    found.add(Rule(USER + LOOKER, "DescribeConfigs", "topic", "*"))
    found.add(Rule(USER + LOOKER, "Describe", "cluster", "kafka-cluster"))
    return sorted(found)


def commands(bootstrap: str, to_allow: list[Rule] | None = None) -> Iterator[str]:
    """The list as lines for Kafka's own tool, for whoever manages Kafka in another way than `daybook acls --apply`."""
    for rule in rules() if to_allow is None else to_allow:
        name = "" if rule.kind == "cluster" else f" '{rule.name}'"
        pattern = " --resource-pattern-type prefixed" if rule.prefixed else ""
        yield (
            f"kafka-acls.sh --bootstrap-server {bootstrap} --command-config admin.properties --add"
            f" --allow-principal User:{rule.user} --operation {rule.operation} --{rule.kind}{name}{pattern}"
        )


def _of_stream(role: str) -> Iterator[Rule]:
    # As `daybook worker` builds it; an app that is not started asks nobody.
    app = import_module(STREAMS[role]).build("nowhere:1", partitions=1, generation=topics.GENERATION)
    tables = app.tables.chunk_tables
    read = {source for table in tables for source in table.sources} | ({SUPPRESSED.name} if role in OF_USERS else set())
    written = {output for table in tables for output in table.outputs}
    yield from _of(role, reads=tuple(read), writes=tuple(written), group=app.conf.id)
    yield from (
        Rule(USER + role, operation, kind, *_any_generation(app.conf.id))
        for operation, kind in (
            *(("Read", "topic"), ("Write", "topic")),  # its changelogs, which are called as the app
            *(("Write", "transactional-id"), ("Describe", "transactional-id")),
        )
    )


def _of(role: str, *, reads: tuple[str, ...], writes: tuple[str, ...], group: str | None = None) -> Iterator[Rule]:
    user = USER + role
    yield from (Rule(user, "Read", "topic", *_any_generation(name)) for name in (*reads, GENERATIONS.name))
    yield from (Rule(user, "Write", "topic", *_any_generation(name)) for name in writes)
    # How many partitions and where they end, and how far others are: what every role's figures and checks ask.
    yield Rule(user, "Describe", "topic", "*")
    yield Rule(user, "Describe", "group", USER, prefixed=True)
    yield Rule(user, "Read", "group", LOOKING, prefixed=True)
    if group is not None:
        yield Rule(user, "Read", "group", *_any_generation(group))


def _any_generation(name: str) -> tuple[str, bool]:
    """The name, or what all generations of it begin with.

    >>> _any_generation("meals"), _any_generation("daybook-daily-g6-ledger-changelog")
    (('meals', False), ('daybook-daily-g', True))
    """
    found = re.match(rf"({USER}.*-g)\d+\b", name)
    return (name, False) if found is None else (found[1], True)


def passwords(folder_of: Mapping[str, str]) -> dict[str, str]:
    """Kafka user → password, of those whose file is there."""
    return {USER + role: folder_of[role] for role in services() if role in folder_of}
