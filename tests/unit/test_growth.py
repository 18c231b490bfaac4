"""Where looks at a size lead: laws of the pure part."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybook.growth import Growth, Look, full_in, growth

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOURS = st.lists(st.integers(0, 29 * 24), min_size=2, max_size=40, unique=True)


@given(HOURS, st.integers(-1_000, 100_000), st.integers(0, 10**6), st.randoms())
def test_what_grows_evenly_goes_on_like_that_whenever_somebody_looked(
    hours: list[int], an_hour: int, base: int, random: object
) -> None:
    start = base + 1_000 * 30 * 24
    looks = [Look(NOW - timedelta(hours=h), start - an_hour * h, 8 * (start - an_hour * h)) for h in hours]
    random.shuffle(looks)  # type: ignore[attr-defined]
    found = growth("postgres", "t", looks, NOW, 30)
    assert found.rows_a_day == pytest.approx(24 * an_hour, abs=1e-3)
    assert found.bytes_a_day == pytest.approx(8 * 24 * an_hour, abs=1e-2)
    assert found.bytes == max(looks).bytes
    then = found.bytes_in(10)
    assert then is not None
    assert then == pytest.approx(max(0, found.bytes + 10 * 8 * 24 * an_hour), abs=1)


@given(st.lists(st.integers(0, 59), min_size=1), st.integers(0, 10**9))
def test_looks_of_less_than_an_hour_say_nothing_of_a_day(minutes: list[int], size: int) -> None:
    found = growth("redis", "keys", [Look(NOW - timedelta(minutes=m), size + m, size) for m in minutes], NOW, 30)
    assert (found.rows_a_day, found.bytes_a_day, found.bytes_in(30)) == (None, None, None)


def test_what_was_long_ago_counts_no_more() -> None:
    looks = [Look(NOW - timedelta(days=d), 0 if d > 30 else 100, 100) for d in (0, 1, 2, 40, 50)]
    assert growth("postgres", "t", looks, NOW, 30).rows_a_day == 0


def test_a_disk_is_full_when_all_its_tables_together_have_used_it_up() -> None:
    def table(a_day: float | None) -> Growth:
        return Growth("clickhouse", "t", 0, 0, a_day, a_day)

    assert full_in(100, [table(4), table(6), table(None)]) == 10
    assert full_in(100, [table(4), table(-6)]) is None
    assert full_in(100, []) is None
