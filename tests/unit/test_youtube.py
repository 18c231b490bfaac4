"""A month of real videos: what the file holds, and what comes of it."""

from __future__ import annotations

from itertools import islice

from producers import youtube
from producers.youtube import Malformed, Row
from schemas.codec import Rejected, decode


def test_six_rows_are_malformed_at_the_source_and_each_says_why() -> None:
    found = list(youtube.rows())
    bad = [row for row in found if isinstance(row, Malformed)]
    assert len(found) == 5_798
    assert [row.line for row in bad] == [2401, 2800, 5297, 5299, 5300, 5301]
    assert all(row.reason.startswith("Expected a date as DD.MM, got") for row in bad)


def test_the_same_seed_brings_the_same_views_in_the_order_of_their_times() -> None:
    some = list(islice(youtube.events(), 3_000))
    assert some == list(islice(youtube.events(), 3_000)) != list(islice(youtube.events(2), 3_000))
    events = [decode(raw, family="views") for raw in some]
    assert not any(isinstance(event, Rejected) for event in events)
    times = [event.time for event in events if not isinstance(event, Rejected)]
    assert times == sorted(times)


def test_one_event_stands_for_ten_thousand_views() -> None:
    grown, last = 0, dict[str, int]()
    for row in sorted((r for r in youtube.rows() if isinstance(r, Row)), key=lambda row: row.day_ms):
        grown += max(0, row.views - last.get(row.video, row.views))
        last[row.video] = max(row.views, last.get(row.video, 0))
    assert grown == 623_544_768
    assert abs(sum(1 for _ in youtube.events()) - grown / youtube.VIEWS_PER_EVENT) < 200
