"""The loader's pure parts: rows of ClickHouse back to winners, which questions are due, how fast."""

from __future__ import annotations

from typing import Any

from events import RECEIVED_MS, encode, events
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import reader
from schemas.families import FAMILY_OF
from schemas.ledger import split_key, unpack_winner
from sinks.batch import EntityRow
from sinks.clickhouse.encode import entities
from sinks.clickhouse.entities import StoredEntity, packed
from sinks.clickhouse.loader import GROUP, Question, ready
from sinks.pace import Pace
from streams.daily.core import decide

of_days = events.filter(lambda event: FAMILY_OF[event["type"]] != "plans")
"""Goals, plans and profiles are never evicted."""


@given(of_days)
def test_a_winner_comes_back_from_clickhouse_as_it_went_to_the_byte(event: dict[str, Any]) -> None:
    got = reader(FAMILY_OF[event["type"]])(encode(event), RECEIVED_MS)
    assert isinstance(got, tuple)
    _, key, winner, *_ = decide(*got)
    columns = entities([EntityRow(*split_key(key), unpack_winner(winner))])
    names = ["time" if name == "time_ms" else name for name in StoredEntity._fields]
    assert packed(StoredEntity(*(columns[name][0] for name in names))) == (key, winner)


def test_of_a_users_questions_the_newest_is_answered_once_clickhouse_holds_its_flush() -> None:
    waiting = [Question(0, "a", 5), Question(1, "b", 6), Question(2, "a", 9), Question(3, "c", 7)]
    assert ready(waiting, 4, 10) == []
    assert ready(waiting, 7, 10) == [waiting[1], waiting[3]]
    assert ready(waiting, 9, 10) == [waiting[2], waiting[1], waiting[3]]
    assert ready(waiting, 9, 1) == [waiting[2]]


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(0, 500)), max_size=50))
def test_a_pace_is_never_exceeded_by_more_than_one_portion(portions: list[tuple[float, int]]) -> None:
    pace, now, spent = Pace(100), 0.0, 0
    for pause, units in portions:
        now += pause + pace.wait_s(now + pause)
        assert spent <= 100 * (now + 1) + 1e-6
        pace.spend(units, now)
        spent += units


def test_wait_knows_the_loaders_group() -> None:
    from daybook.waiting import LOADER

    assert LOADER.id == GROUP
