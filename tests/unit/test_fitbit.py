"""The Fitbit month: the same bytes every time, accepted as they stand, and as good as its source and no better."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date, timedelta

import pytest

from producers import fitbit
from schemas.codec import Event, Rejected, decode, type_name
from schemas.instants import day_text, parse_instant


@pytest.fixture(scope="module")
def raw() -> list[bytes]:
    return list(fitbit.events())


@pytest.fixture(scope="module")
def decoded(raw: list[bytes]) -> list[Event]:
    found = [decode(event, family="body") for event in raw]
    assert not [event for event in found if isinstance(event, Rejected)]
    return found  # type: ignore[return-value]


def local_day(event: Event) -> str:
    at = parse_instant(event.time)
    assert at.offset_min is not None
    return day_text((at.ms // 60_000 + at.offset_min) // 1440)


def test_a_second_replay_brings_the_same_bytes(raw: list[bytes]) -> None:
    assert list(fitbit.events()) == raw


def test_every_row_of_the_source_becomes_one_event(decoded: list[Event]) -> None:
    kinds = Counter(type_name(event) for event in decoded)
    assert kinds == {"activity.recorded": 22_099, "sleep.recorded": 413, "body.measured": 67}
    assert len(decoded) == fitbit.EVENTS


def test_the_three_duplicates_of_the_source_are_sent_byte_for_byte_and_nothing_else_is_sent_twice(
    raw: list[bytes], decoded: list[Event]
) -> None:
    twice = [event for event, times in Counter(raw).items() if times > 1]
    assert len(twice) == 3
    assert len(raw) - len(set(raw)) == 3
    assert all(b'"type":"sleep.recorded"' in event for event in twice)
    assert len({(event.subject, event.entity) for event in decoded}) == len(raw) - 3
    assert len({event.id for event in decoded}) == len(raw) - 3


def test_events_come_in_the_order_of_their_times_with_people_interleaved(decoded: list[Event]) -> None:
    times = [parse_instant(event.time).ms for event in decoded]
    assert times == sorted(times)
    assert len({event.subject for event in decoded[:33]}) == 33


def test_every_day_comes_out_as_it_is_in_the_file(decoded: list[Event]) -> None:
    for event in decoded:
        assert local_day(event) in str(event.entity)
    assert {local_day(event) for event in decoded} == {
        (date(2016, 4, 12) + timedelta(days=n)).isoformat() for n in range(31)
    }


def test_the_plain_sums_of_the_hours_agree_with_fitbit_on_775_and_879_of_940_days(decoded: list[Event]) -> None:
    steps: dict[tuple[str, str], int] = defaultdict(int)
    calories: dict[tuple[str, str], float] = defaultdict(float)
    for event in decoded:
        if type_name(event) == "activity.recorded":
            steps[event.subject, local_day(event)] += event.data.steps
            calories[event.subject, local_day(event)] += event.data.calories_kcal
    agreement = fitbit.agreement({key: (steps[key], calories[key]) for key in steps})
    assert agreement == fitbit.SUPPORTED == (940, 775, 879)


def test_a_day_without_hours_does_not_agree_even_where_fitbit_says_zero() -> None:
    truth = fitbit.daily_truth()
    assert len(truth) == 940
    nothing_done = next(key for key, total in truth.items() if total.steps == 0)
    assert fitbit.agreement({}) == (940, 0, 0)
    assert fitbit.agreement({nothing_done: (None, None)}) == (940, 0, 0)
    assert fitbit.agreement({nothing_done: (0, None)}) == (940, 1, 0)


def test_calories_are_close_up_to_and_including_13_kcal() -> None:
    key, total = next(iter(fitbit.daily_truth().items()))
    close = [off for off in range(-20, 21) if fitbit.agreement({key: (None, total.calories_kcal + off)}).calories_close]
    assert close == list(range(-13, 14))
