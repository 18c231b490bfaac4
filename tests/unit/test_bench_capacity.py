"""The arithmetic of capacity and of what the sinks cost: linear where it says so, and the page says what it printed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.capacity.__main__ import measured, page
from bench.capacity.needs import Assumed, needs
from bench.daily.__main__ import kafka_bytes
from bench.sinks.beside import per_event
from bench.sinks.writer import batches, days

ROOT = Path(__file__).parents[2]
INPUTS = {name: float(one["value"]) for name, one in measured().items()}


def test_the_page_shows_what_the_command_prints() -> None:
    assert page(measured()) in (ROOT / "docs" / "capacity.md").read_text()


@given(st.floats(1e3, 1e8), st.integers(2, 100))
def test_more_users_need_more_of_everything_in_proportion(users: float, times: int) -> None:
    for few, many in zip(needs(users, INPUTS, Assumed()), needs(users * times, INPUTS, Assumed()), strict=True):
        assert many.amount == pytest.approx(few.amount * times), few.what


def test_a_sum_done_by_hand() -> None:
    ones = dict.fromkeys(INPUTS, 1.0)
    found = {need.what: need.amount for need in needs(1e6, ones, replace(Assumed(), busy=0.5, active_share=0.5))}
    assert found["events a second, mean"] == pytest.approx(1e6 * 0.5 * 12 / 86_400)
    assert found["daily stream"] == pytest.approx(7_000 / 1e6 / 0.5)
    assert found["hot days in memory"] == pytest.approx(1e6 * 0.5 * 35 / 1e9)
    assert found["into Kafka at peak"] == pytest.approx(7_000 * 3 * 3 / 1e6)


def test_what_pgbench_takes_itself_is_not_put_to_the_events() -> None:
    alone: dict[str, Any] = {"postgres_cpu_s": 2.0, "transactions": 4_000, "seconds": 20, "events_per_second": 0}
    beside = {**alone, "postgres_cpu_s": 3.0, "transactions": 3_000, "events_per_second": 500}
    assert per_event(beside, alone) == pytest.approx((3.0 - 1.5) / 10_000 * 1e6)
    assert per_event(alone, alone) is None


def test_a_topics_bytes_are_of_its_own_partitions(tmp_path: Path) -> None:
    for name, size in (("meals-0", 3), ("meals-11", 4), ("meals-64000-0", 100), ("daily-0", 1_000)):
        folder = tmp_path / "kafka" / "log" / name
        folder.mkdir(parents=True)
        (folder / "00.log").write_bytes(b"x" * size)
        (folder / "00.index").write_bytes(b"x")
    assert kafka_bytes(tmp_path, "meals") == 7


def test_rows_that_change_are_the_new_ones_with_higher_versions() -> None:
    new, changed = days(25, 1, 3), days(25, 2, 3)
    assert [(row.user_id, row.date) for row in new] == [(row.user_id, row.date) for row in changed]
    assert all(before.version < after.version for before, after in zip(new, changed, strict=True))
    assert [len(batch.daily) for batch in batches(new, "new", 10)] == [10, 10, 5]
