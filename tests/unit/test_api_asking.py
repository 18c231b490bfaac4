"""What a reader asks for: pages that cover the span once, days as the user lives them, tags that tell a change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import asking
from api.breaker import Breaker
from api.kept import ENTRY_BYTES, Kept
from api.problems import Problem

NOW_MS = 1_772_330_400_000  # 2026-03-01T02:00:00Z
DAYS = st.dates(date(1971, 1, 1), date(2149, 1, 1))


@given(DAYS, st.integers(0, 400), st.integers(1, asking.MOST_DAYS))
def test_the_pages_of_a_query_cover_its_days_once_newest_first(first: date, more: int, size: int) -> None:
    last = min(first + timedelta(days=more), date(2149, 6, 6))
    query = {"from": str(first), "to": str(last), "limit": str(size)}
    seen: list[date] = []
    while True:
        page = asking.page(query, NOW_MS)
        assert 1 <= len(page.days) <= size
        seen += page.days
        if page.next is None:
            break
        query["cursor"] = page.next
    assert seen == [last - timedelta(days=n) for n in range((last - first).days + 1)]


def test_without_days_the_last_four_weeks_are_read() -> None:
    assert asking.page({}, NOW_MS) == ([date(2026, 3, 1) - timedelta(days=n) for n in range(28)], None)
    assert asking.page({"timezone": "America/New_York"}, NOW_MS).days[0] == date(2026, 2, 28)


@pytest.mark.parametrize(
    "query",
    [
        {"from": "2026-3-1"},
        {"from": "20260301"},
        {"to": "2026-02-30"},
        {"to": "9999-01-01"},
        {"from": "2026-03-02", "to": "2026-03-01"},
        {"limit": "0"},
        {"limit": "101"},
        {"limit": "١"},
        {"limit": "-1"},
        {"cursor": "x"},
        {"cursor": "ü"},
        {"cursor": asking.cursor(date(2020, 1, 1))},
        {"timezone": "Mars/Olympus"},
        {"timezone": "../../etc/passwd"},
        {"day_start": "24:00"},
        {"day_start": "4"},
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(query: dict[str, str]) -> None:
    with pytest.raises(Problem) as why:
        asking.page(query, NOW_MS)
    assert why.value.status == 400


@given(st.integers(0, 4_000_000_000_000), st.integers(0, 23), st.integers(0, 59))
def test_today_begins_at_the_users_day_start(now_ms: int, hour: int, minute: int) -> None:
    local = datetime.fromtimestamp(now_ms / 1000, UTC)
    found = asking.today(now_ms, "UTC", f"{hour:02}:{minute:02}")
    before = (local.hour, local.minute) < (hour, minute)
    assert found == local.date() - timedelta(days=before)


def test_lists_and_fields_are_checked() -> None:
    assert asking.trending("videos", {"region": "de", "limit": "3"}) == ("videos", "DE", "24h", 3)
    for kind, query, status in (
        ("cats", {}, 404),
        ("videos", {"region": "deu"}, 400),
        ("videos", {"window": "2h"}, 400),
        ("videos", {"limit": "101"}, 400),
    ):
        with pytest.raises(Problem) as why:
            asking.trending(kind, query)
        assert why.value.status == status
    assert asking.fields("steps, energy_kcal,", {"steps", "energy_kcal"}) == {"steps", "energy_kcal"}
    with pytest.raises(Problem, match="no field mood"):
        asking.fields("mood", {"steps"})


@given(st.binary(), st.binary())
def test_a_tag_is_had_exactly_when_the_body_is_the_same(a: bytes, b: bytes) -> None:
    assert asking.has(f'"x", W/{asking.etag(a)}', asking.etag(b)) == (a == b)


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 3), st.booleans()), max_size=60))
def test_an_open_breaker_is_quiet_for_a_second_after_each_call_that_failed(
    steps: list[tuple[float, float, bool]],
) -> None:
    breaker, now, failed = Breaker(after=3, again_s=1.0), 0.0, -9.0
    for wait, takes, works in steps:
        now += wait
        was_open = breaker.is_open
        if breaker.lets(now):
            assert not was_open or now - failed >= 1.0 - 1e-9
            assert not was_open or not breaker.lets(now + 0.5), "one at a time"
            now += takes
            if works:
                breaker.worked()
                assert not breaker.is_open
            else:
                breaker.failed(now)
                failed = now
        else:
            assert was_open


def test_kept_answers_are_bounded_and_grow_old() -> None:
    kept = Kept(most=2, seconds=10)
    for name in "abc":
        kept.put(("days", name, frozenset({"b", "a"})), name.encode(), now=0.0)
    assert kept.get(("days", "a", frozenset({"a", "b"})), 1.0) is None
    assert kept.get(("days", "c", frozenset({"a", "b"})), 4.0) == (4.0, b"c")
    assert kept.get(("days", "c", None), 4.0) is None
    assert kept.get(("days", "c", frozenset({"a", "b"})), 10.5) is None


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2_000)), max_size=40))
def test_kept_answers_stay_below_their_bytes_and_the_latest_stay_longest(puts: list[tuple[int, int]]) -> None:
    most = 4_000
    kept = Kept(most_bytes=most)
    latest: dict[int, int] = {}
    for asked, size in puts:
        kept.put((asked,), bytes(size), now=0.0)
        latest.pop(asked, None)
        latest[asked] = size
    held = {asked for asked in latest if kept.get((asked,), 0.0) is not None}
    assert kept.bytes == sum(latest[asked] + ENTRY_BYTES for asked in held) <= most
    assert list(latest)[len(latest) - len(held) :] == [asked for asked in latest if asked in held]


def test_a_day_may_be_named_instead_of_today() -> None:
    assert asking.chosen({"date": "2016-04-12", "timezone": "Asia/Tokyo"}, 0) == date(2016, 4, 12)
    assert asking.chosen({"timezone": "Pacific/Honolulu"}, 0) == date(1969, 12, 31)
    with pytest.raises(Problem):
        asking.chosen({"date": "yesterday"}, 0)
