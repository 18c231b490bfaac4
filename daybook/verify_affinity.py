"""Are the tastes in PostgreSQL what the raw views say, and are the recommendations in Redis those in PostgreSQL?

Tastes are recomputed by a plain pass (producers/tastes.py), users range by range in byte order, so memory stays
bounded. Raw views are kept for a week, and tastes reach further back: once the oldest is six days old, or views were
dropped (daybook/keep), users with a taste from before that are left out. What moves meanwhile is not judged.
Recommendations are best effort: both stores must hold the same, but what is in them is not recomputed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import psycopg
import redis
from msgspec.structs import replace

from daybook.keep.raw import was_dropped
from daybook.settings import Settings
from daybook.stored import Range
from producers.tastes import Received, tastes
from schemas.affinity import Recommendations, TasteRow
from sinks.clickhouse import client as clickhouse
from sinks.postgres import affinity as postgres
from sinks.postgres.connect import as_writer
from sinks.redis.affinity import keys

USERS_AT_A_TIME = 1_000
_KEPT_MS = 6 * 86_400_000
_USERS = "SELECT DISTINCT subject FROM events WHERE topic = 'views' AND {} ORDER BY subject LIMIT {}"
_EVENTS = """
SELECT subject, raw, toUnixTimestamp64Milli(received_at) FROM events WHERE topic = 'views' AND {}"""
_TIMES = """
SELECT toUnixTimestamp64Milli(min(received_at)), toUnixTimestamp64Milli(max(received_at)), count() FROM events
WHERE topic = 'views'"""


def differences(settings: Settings) -> tuple[int, list[str]]:
    """How many users have tastes, and one line per difference. Everything must have been caught up."""
    found: list[str] = []
    count = 0
    with (
        clickhouse.dial(settings.address("clickhouse")) as client,
        psycopg.connect(as_writer(settings.address("postgres")), autocommit=True) as connection,
        redis.Redis.from_url(settings.address("redis"), decode_responses=True) as store,
    ):
        ((first, last, events),) = client.query(_TIMES).result_rows
        since = last - _KEPT_MS if events and last - first > _KEPT_MS else None
        if was_dropped(client, "views"):
            since = max(since or 0, first if events else 1 << 62)
        for users in _ranges(client):
            held = _held(connection, users)
            condition, parameters = users.where("subject", lambda name: f"{{{name}:String}}")
            rows = client.query(
                _EVENTS.format(condition), parameters=parameters, column_formats={"raw": "bytes"}
            ).result_rows
            expected = tastes(Received(user.encode(), bytes(raw), ms) for user, raw, ms in rows)
            after = _held(connection, users)
            count += len({*held, *expected})
            for user in sorted({*held, *expected}):
                if _version(held.get(user)) == _version(after.get(user)):
                    found += _line(user, expected.get(user), held.get(user), since)
            found += _in_redis(store, _lists(connection, users))
    return count, found


def _ranges(client: Any) -> Iterator[Range]:
    """Ranges that together hold every user there could be."""
    after: str | None = None
    while True:
        condition, parameters = Range(after, None).where("subject", lambda name: f"{{{name}:String}}")
        rows = client.query(_USERS.format(condition, USERS_AT_A_TIME), parameters=parameters).result_rows
        if len(rows) < USERS_AT_A_TIME:
            yield Range(after, None)
            return
        yield Range(after, rows[-1][0])
        after = rows[-1][0]


def _held(connection: psycopg.Connection[Any], users: Range) -> dict[str, TasteRow]:
    condition, parameters = users.where("user_id", lambda name: f"%({name})s")
    rows = connection.execute(f"{postgres.SELECT_TASTES} AND {condition}".encode(), parameters).fetchall()
    return {row.user_id: row for row in map(postgres.tastes_row, rows)}


def _lists(connection: psycopg.Connection[Any], users: Range) -> dict[str, Recommendations]:
    condition, parameters = users.where("user_id", lambda name: f"%({name})s")
    rows = connection.execute(f"{postgres.SELECT_RECOMMENDATIONS} WHERE {condition}".encode(), parameters).fetchall()
    return {row.user_id: row for row in map(postgres.recommendations_row, rows)}


def _version(row: TasteRow | None) -> int:
    return 0 if row is None else row.version


def _line(user: str, want: TasteRow | None, have: TasteRow | None, since: int | None) -> Iterator[str]:
    if since is not None and any(row is None or (row.since_ms or 0) < since for row in (want, have)):
        return  # its raw views may have expired
    if want == (None if have is None else replace(have, version=0)):
        return
    empty = TasteRow(user, 0)
    for name in TasteRow.__struct_fields__[2:]:
        says, holds = (getattr(row or empty, name) for row in (want, have))
        if says != holds:
            yield f"{user} tastes, {name}: events {says!r}, postgres {holds!r}"


def _in_redis(store: Any, held: Mapping[str, Recommendations]) -> Iterator[str]:
    users = sorted(held)
    pipeline = store.pipeline()  # one transaction, so that list and hash are of one version
    for user in users:
        own, beside = keys(user)
        pipeline.lrange(own, 0, -1)
        pipeline.hget(beside, "version")
    answers = pipeline.execute()
    for user, shown, version in zip(users, answers[::2], answers[1::2], strict=True):
        if version != str(held[user].version):
            continue  # it has expired, or one of both is newer
        want = [entry.id for entry in held[user].entries]
        if shown != want:
            yield f"{user} recommendations: postgres {len(want)} entries, redis {len(shown)}, and they differ"
