"""What became of a replay: asked of Kafka and PostgreSQL now, so it says what is known and what is not yet."""

from __future__ import annotations

from daybook import kafka, sinking, waiting
from daybook.errors import Problem
from daybook.rejects import Replay
from schemas.topics import DAILY_APP, REJECTED, REPLAYED, VIEWS


def told(bootstrap: str, replay: Replay | None) -> str:
    """One phrase for people."""
    if replay is None:
        return "not replayed"
    what = f"replayed at {replay.at:%Y-%m-%dT%H:%M:%S}Z as {replay.to}"
    if replay.refused is not None:
        return f"{what}: refused again: {replay.refused.reason} at {replay.refused.path}"
    try:
        return f"{what}: {_so_far(bootstrap, replay)}"
    except Problem as why:
        return f"{what}: whether it was taken is not known: {why}"


def _so_far(bootstrap: str, replay: Replay) -> str:
    client = kafka.admin(bootstrap)
    sinks = sinking.groups()
    judge = sinks["clickhouse"].id if replay.to.topic == VIEWS.name else DAILY_APP
    if kafka.committed(client, bootstrap, judge).get(replay.to[:2], 0) <= replay.to.offset:
        return "not judged yet"
    if is_behind(bootstrap):
        return "judged; PostgreSQL's sink is behind, so whether it was refused again is not known yet"
    return "taken"


def is_behind(bootstrap: str) -> bool:
    """Whether PostgreSQL does not know yet of all that was refused and sent again."""
    client = kafka.admin(bootstrap)
    postgres = waiting.Group("", sinking.groups()["postgres"].id, (REJECTED.name, REPLAYED.name))
    return bool(waiting.ends_of(client, bootstrap, [postgres]).behind(client, bootstrap, postgres))
