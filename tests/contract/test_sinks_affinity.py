"""Tastes and recommendations in every store that keeps them: whole, and the highest version."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import psycopg
import pytest
import redis
from sink_kit import Kept, opened

from schemas.affinity import Recommendations, Suggestion, TasteRow
from sinks.batch import Batch
from sinks.memory import MemorySink
from sinks.postgres.affinity import SELECT_RECOMMENDATIONS, SELECT_TASTES, recommendations_row, tastes_row
from sinks.redis.affinity import keys

AT = 1_772_366_400_000
ENTRIES = [
    Suggestion('v "1"\\', 2**53, "together", 2**53, 0, 0, "ünn 'x'", 7, 3, "DE", "寿司", "c|1"),
    Suggestion("plain", 1, "trending", trending=1, place=9, region="all"),
]


@pytest.fixture(params=["memory", "postgres", "redis"])
async def kept(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Kept, Any]]:
    async with opened(request) as found:
        yield found


def stored(kept: tuple[Kept, Any], user: str) -> Recommendations | None:
    made, (store, endpoints) = kept
    if isinstance(made.sink, MemorySink):
        return made.sink.recommendations.get(user)
    if store == "postgres":
        with psycopg.connect(endpoints.postgres) as connection:
            found = connection.execute(f"{SELECT_RECOMMENDATIONS} WHERE user_id = %s", (user,)).fetchone()
        return None if found is None else recommendations_row(found)
    own, beside = keys(user)
    with redis.Redis.from_url(endpoints.redis, decode_responses=True) as client:
        fields, ids = client.hgetall(beside), client.lrange(own, 0, -1)
        assert client.ttl(beside) > 0
    if not fields:
        return None
    entries = msgspec.json.decode(fields["entries"], type=list[Suggestion])
    assert ids == [entry.id for entry in entries]
    return Recommendations(user, int(fields["version"]), int(fields["at_ms"]), entries)


async def test_a_list_is_read_back_as_it_was_and_writing_it_twice_changes_nothing(kept: tuple[Kept, Any]) -> None:
    row = Recommendations(f"{uuid.uuid4().hex}|ü", 7, AT, ENTRIES)
    for _ in range(2):
        await kept[0].sink.write(Batch(recommendations=[row]))
        assert stored(kept, row.user_id) == row


@pytest.mark.parametrize("versions", [(9, 10), (10, 9), (2**40 + 1, 2**41), (2**41, 2**40 + 1)])
async def test_an_older_list_never_overwrites_a_newer_one(kept: tuple[Kept, Any], versions: tuple[int, int]) -> None:
    user = uuid.uuid4().hex
    for version in versions:
        await kept[0].sink.write(Batch(recommendations=[Recommendations(user, version, AT, ENTRIES[version % 2 :])]))
    found = stored(kept, user)
    assert found is not None
    assert (found.version, found.entries) == (max(versions), ENTRIES[max(versions) % 2 :])


async def test_of_many_lists_in_one_batch_the_highest_of_each_stays_and_an_empty_one_empties(
    kept: tuple[Kept, Any],
) -> None:
    users = [uuid.uuid4().hex for _ in range(120)]
    rows = [Recommendations(user, version, AT, ENTRIES[: 3 - version]) for version in (2, 3, 1) for user in users]
    await kept[0].sink.write(Batch(recommendations=rows))
    for user in users[::40]:
        assert stored(kept, user) == Recommendations(user, 3, AT, [])


async def test_tastes_are_kept_whole_and_the_highest_version_stays(kept: tuple[Kept, Any]) -> None:
    if kept[1][0] == "redis":
        return  # it keeps none
    user = uuid.uuid4().hex
    row = TasteRow(user, 8, AT, AT - 3_600_000, 2, "DE", {"寿司": 2**40, 'q"': 1}, {"c": 5}, {})
    emptied = TasteRow(user, 9)
    for written, holds in ((row, row), (TasteRow(user, 7), row), (emptied, emptied)):
        await kept[0].sink.write(Batch(tastes=[written]))
        if isinstance(kept[0].sink, MemorySink):
            assert kept[0].sink.tastes[user] == holds
            continue
        with psycopg.connect(kept[1][1].postgres) as connection:
            rows = connection.execute(f"{SELECT_TASTES} AND user_id = %s", (user,)).fetchall()
        assert [tastes_row(values) for values in rows] == ([] if holds.is_null else [holds])
