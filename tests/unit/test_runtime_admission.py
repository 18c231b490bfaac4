"""What a worker refuses to work on, and what it says (DESIGN §8 rules 11 and 15)."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.positions import Position
from streams.cluster import TopicFacts
from streams.runtime.admission import position_fits, topics_fit

EIGHT = TopicFacts("id", 8)


def fit(**facts: TopicFacts) -> str | None:
    return topics_fit(facts, sources=["meals", "body"], outputs=["daily"], changelog="log", partitions=8)


def test_equal_counts_fit_and_a_missing_changelog_is_made() -> None:
    assert fit(meals=EIGHT, body=EIGHT, daily=EIGHT, log=EIGHT) is None
    assert fit(meals=EIGHT, body=EIGHT, daily=EIGHT) is None


@pytest.mark.parametrize("name", ["meals", "body", "daily"])
def test_a_missing_topic_is_named(name: str) -> None:
    facts = {topic: EIGHT for topic in ("meals", "body", "daily", "log") if topic != name}
    assert f"the topic {name} does not exist" in str(fit(**facts))


@pytest.mark.parametrize("name", ["meals", "body", "daily", "log"])
def test_another_partition_count_is_named(name: str) -> None:
    facts = {topic: EIGHT for topic in ("meals", "body", "daily", "log")} | {name: TopicFacts("id", 4)}
    assert f"the topic {name} has 4 partitions and this stream is built for 8" in str(fit(**facts))


def check(**different: Any) -> str | None:
    facts = {"generation": 2, "topic_id": "id", "log_start": 0, "log_end": 200} | different
    return position_fits("meals", 3, Position(2, 7, "id", 100), **facts)


def test_a_position_within_its_topic_fits() -> None:
    assert check() is None
    assert check(log_start=100) is None
    assert check(log_end=100) is None


@pytest.mark.parametrize(
    ("different", "line"),
    [
        ({"generation": 1}, "deploy the newer version"),
        ({"generation": 3}, "application id of its own"),
        ({"topic_id": "other"}, "was deleted and made again"),
        ({"log_start": 101}, "1 offsets were deleted before they were folded"),
        ({"log_end": 99}, "the broker lost events"),
    ],
)
def test_a_position_that_does_not_fit_says_why_in_one_line(different: dict[str, Any], line: str) -> None:
    wrong = check(**different)
    assert wrong is not None
    assert line in wrong
    assert "\n" not in wrong
