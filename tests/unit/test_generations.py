"""The generation of a rebuild, and what no worker may begin on."""

from __future__ import annotations

import doctest

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas import generations
from schemas.generations import Generations, Moving, decode, encode, unfit
from schemas.positions import version_of
from schemas.topics import GENERATION, REBUILDS_APART, TOPICS, generation_of

IDS = {topic.name: f"id of {topic.name}" for topic in TOPICS}
KNOWN = Generations(2, 8, IDS)
COUNTS = dict.fromkeys(IDS, 8)


def test_the_examples_in_the_docstrings_run() -> None:
    assert doctest.testmod(generations).attempted
    assert not doctest.testmod(generations).failed


def test_the_record_comes_back_as_it_was() -> None:
    moving = replace(KNOWN, moving=Moving(5, ("meals",), ("body", "meals")))
    assert decode(encode(moving)) == moving


@given(st.integers(0, 1_000), st.integers(0, 1 << 30))
def test_a_rebuild_beats_every_version_before_it_and_bigint_holds_it(rebuilds: int, flush: int) -> None:
    assert version_of(generation_of(rebuilds + 1), 1) > version_of(generation_of(rebuilds), flush)
    assert version_of(generation_of(rebuilds), flush) < 1 << 63
    assert generation_of(rebuilds) % REBUILDS_APART == GENERATION


def test_what_is_as_written_down_is_fit_and_what_is_not_is_named_with_the_way_out() -> None:
    assert unfit(KNOWN, IDS, COUNTS) is None
    again = unfit(KNOWN, IDS | {"meals": "another"}, COUNTS) or ""
    assert again.startswith("the topic meals was deleted and made again")
    assert again.endswith("daybook rebuild")
    gone = {name: topic_id for name, topic_id in IDS.items() if name != "daily"}
    assert "the topic daily is gone" in (unfit(KNOWN, gone, COUNTS) or "")
    grown = unfit(KNOWN, IDS, COUNTS | {"body": 16}) or ""
    assert "the topic body has 16 partitions, and the state was folded with 8" in grown
    assert grown.endswith("daybook rebuild --partitions 16")
    assert "not finished: daybook rebuild" in (unfit(replace(KNOWN, moving=Moving(5)), IDS, COUNTS) or "")


def test_topics_of_another_version_of_the_code_are_not_missed() -> None:
    older = replace(KNOWN, topics=IDS | {"daybook-daily-g1-ledger-changelog": "x"})
    assert unfit(older, IDS, COUNTS) is None
    newer = replace(KNOWN, topics={name: topic_id for name, topic_id in IDS.items() if name != "progress"})
    assert unfit(newer, IDS, COUNTS) is None
