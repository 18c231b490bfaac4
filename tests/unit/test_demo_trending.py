"""What the demo says of a list that moved."""

from __future__ import annotations

import json

from daybook.demo_trending import SHOWN, SURPRISE, Moved
from producers import audience
from schemas.codec import Rejected, decode
from schemas.trending import Entry, TrendingList


def listed(*scores: tuple[str, int]) -> TrendingList:
    entries = [Entry(name, score, 0.0, 0.0, 9, 9, 0.0, 1.0) for name, score in scores]
    return TrendingList("videos", "all", "1h", 1, 0, entries)


def test_a_line_says_where_a_place_came_from_and_the_longest_bar_is_the_best() -> None:
    before = listed(("a", 30_000), ("b", 20_000), ("c", 10_000))
    after = listed((SURPRISE, 80_000), ("a", 40_000), ("c", 15_000), ("b", 10_000))
    moved = Moved(before, after, 1.0)
    lines = list(moved.lines())
    assert [line.split()[-1] if "from" not in line else line[line.index("from") - 2 :] for line in lines] == [
        "new",
        "▼ from 1",
        "=",
        "▼ from 2",
    ]
    assert [line.count("█") for line in lines] == [24, 12, 4, 3]
    assert moved.is_right


def test_a_surprise_that_does_not_lead_or_was_there_before_is_none() -> None:
    alone, beaten = listed((SURPRISE, 9)), listed(("a", 10), (SURPRISE, 9))
    assert not Moved(listed(), beaten, 1.0).is_right
    assert not Moved(alone, alone, 1.0).is_right
    assert not Moved(listed(), listed(), 1.0).is_right
    low = listed(*((f"v{n}", 99 - n) for n in range(SHOWN)), (SURPRISE, 1))
    assert Moved(low, alone, 1.0).is_right


def test_fans_are_different_people_who_watch_one_video_to_its_end() -> None:
    sent = list(audience.fans("v00007", 20, 1_772_367_420_000, catalogue=60))
    assert not any(isinstance(decode(raw, family="views"), Rejected) for raw in sent)
    events = [json.loads(raw) for raw in sent]
    assert len({event["subject"] for event in events}) == 20
    assert {event["data"]["content"] for event in events} == {"v00007"}
    assert all(event["data"]["watched_s"] == event["data"]["length_s"] for event in events)
