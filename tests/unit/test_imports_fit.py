"""Garmin's FIT: workouts, days from counters, sleeps from stages, weights; the same from one file or from many."""

from __future__ import annotations

from typing import Any

import pytest
from fit_writer import (
    SAMPLES,
    activity,
    creator,
    file_id,
    fit,
    monitoring,
    monitoring_info,
    one_set,
    session,
    sleep_bound,
    stage,
    weight,
)
from hypothesis import given
from hypothesis import strategies as st
from importing import Imported, imported, sample

from producers.imports.outcome import ImportProblem
from producers.truth import daily_rows


def watch(*messages: Any, **options: Any) -> Imported:
    return imported("fit", fit(messages), **options)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_samples_are_what_the_writer_writes(name: str) -> None:
    assert sample(name) == SAMPLES[name]


def test_the_samples_come_to_their_facts() -> None:
    found = imported("fit", *(sample(name) for name in SAMPLES))
    second, third = (daily_rows(found.raw)["u_1", f"2026-03-0{day}"] for day in (2, 3))
    assert (second["steps"], second["distance_m"]) == (7000 + 2500, 5250.5 + 2600)
    assert second["activity_calories_kcal"] == 215 + 150
    assert (second["weight_kg"], second["body_fat_pct"]) == (75.07, 21.5)
    assert (third["steps"], third["sleep_minutes"]) == (800, 120 + 310)
    assert (third["workouts_completed"], third["workout_calories_kcal"]) == (2, 312 + 140)
    assert third["volume_kg"] == 8 * 62.5 + 6 * 65
    run, gym = found.of("workout.completed")
    assert run["data"] == {
        "kind": "run",
        "duration_s": 1890.5,
        "calories_kcal": 312,
        "avg_heart_rate_bpm": 132,
        "max_heart_rate_bpm": 171,
        "rpe": 7,
        "sets": [{"exercise": "run", "distance_m": 5230.25, "seconds": 1890.5}],
    }
    assert (run["time"], run["source"]) == ("2026-03-03T11:43:00+05:45", "garmin fenix5/12.3")
    assert (gym["data"]["kind"], gym["data"]["sets"][0]["exercise"]) == ("strength", "bench_press")
    assert (found.tally.bad, found.tally.warnings) == (0, 0)


def test_without_a_clock_of_its_own_the_users_zone_is_taken_and_else_z() -> None:
    messages = file_id(4), session("2026-07-03T05:58:00", sport=1, seconds=60)
    assert watch(*messages).events[0]["time"] == "2026-07-03T05:58:00Z"
    assert watch(*messages, timezone="Europe/Berlin").events[0]["time"] == "2026-07-03T07:58:00+02:00"
    own = activity("2026-07-03T06:00:00", "2026-07-03T15:00:00")
    assert watch(*messages, own, timezone="Europe/Berlin").events[0]["time"] == "2026-07-03T14:58:00+09:00"


def test_sets_go_to_the_session_that_they_were_done_in() -> None:
    found = watch(
        file_id(4),
        one_set("2026-03-03T06:05:00", active=True, reps=5, kg=100, category=28),
        session("2026-03-03T06:00:00", sport=10, sub_sport=20, seconds=600),
        one_set("2026-03-03T06:35:00", active=True, reps=9, kg=20, category=0),
        session("2026-03-03T06:30:00", sport=10, sub_sport=20, seconds=600),
    )
    assert [[one["reps"] for one in event["data"]["sets"]] for event in found.events] == [[5], [9]]


def test_the_way_between_two_sports_is_no_workout() -> None:
    found = watch(file_id(4), session("2026-03-03T06:00:00", sport=3, seconds=60))
    assert (found.events, found.tally.skipped["transitions between sports"]) == ([], 1)


def test_57_hours_are_warned_of_and_travel() -> None:
    found = watch(file_id(4), session("2026-03-03T06:00:00", sport=1, seconds=57 * 3600))
    assert found.events[0]["data"]["duration_s"] == 205_200
    assert found.tally.warnings == 1
    assert "message 2: warning: $.data.duration_s 205200 counts as missing" in found.told[0]


def test_weights_of_several_people_are_not_mixed() -> None:
    scale = file_id(9), weight("2026-03-02T06:00:00", 75, person=0), weight("2026-03-02T07:00:00", 58, person=1)
    refused = watch(*scale)
    assert (refused.events, refused.tally.bad) == ([], 2)
    assert "the weights of several people (0, 1): say whose with --person" in refused.told[0]
    chosen = watch(*scale, person=1)
    assert [event["data"] for event in chosen.events] == [{"weight_kg": 58}]
    assert chosen.tally.skipped["weights of somebody else"] == 1


def test_a_day_begins_at_local_midnight_also_where_clocks_change() -> None:
    counts = monitoring("2026-03-29T10:00:00", kind=6, steps=100)
    (event,) = watch(file_id(32), counts, timezone="Europe/Berlin").events
    assert event["time"] == "2026-03-29T00:00:00+01:00"
    assert event["data"] == {"duration_s": 39_600, "steps": 100}


def test_a_sleep_without_stages_is_all_of_it_and_stages_without_bounds_are_their_span() -> None:
    bounds = sleep_bound("2026-03-02T22:00:00", begins=True), sleep_bound("2026-03-03T06:00:00", begins=False)
    (event,) = watch(file_id(32), *bounds).events
    assert event["data"] == {"asleep_s": 28_800, "in_bed_s": 28_800}
    levels = stage("2026-03-02T23:00:00", 2), stage("2026-03-03T00:00:00", 3), stage("2026-03-03T01:00:00", 1)
    (event,) = watch(file_id(32), *levels).events
    assert event["data"] == {"asleep_s": 3600, "in_bed_s": 7200}


def test_a_file_that_breaks_off_says_so_and_keeps_what_came_before() -> None:
    whole = SAMPLES["activity.fit"]
    found = imported("fit", whole[:-40], name="run.fit")
    assert len(found.events) == 2
    assert found.told[-1].startswith("run.fit: message ")
    assert "the file breaks off" in found.told[-1]


def test_a_wrong_checksum_is_a_warning() -> None:
    spoiled = SAMPLES["weight.fit"][:-1] + bytes([SAMPLES["weight.fit"][-1] ^ 1])
    found = imported("fit", spoiled)
    assert (len(found.events), found.tally.warnings, found.tally.bad) == (1, 1, 0)


@pytest.mark.parametrize("content", [b"", b"Date,Meal\n", b"\x0e\x20" + bytes(40)])
def test_other_files_are_refused_in_one_line(content: bytes) -> None:
    with pytest.raises(ImportProblem, match="is no FIT file"):
        imported("fit", content)


@given(st.integers(0, 313), st.integers(0, 255))
def test_whatever_byte_is_spoiled_nothing_raises_but_a_refusal(at: int, value: int) -> None:
    whole = bytearray(SAMPLES["activity.fit"])
    whole[at] = value
    try:
        found = imported("fit", bytes(whole))
    except ImportProblem:
        return
    assert found.tally.read >= 0


COUNTS = st.lists(
    st.tuples(st.integers(1, 3 * 1440), st.sampled_from([6, 1]), st.integers(1, 300)),
    min_size=1,
    max_size=40,
    unique_by=lambda count: count[0],
)


def counters(found: list[tuple[int, int, int]]) -> tuple[list[Any], dict[str, int]]:
    """Steps per minute as a device counts them: up since local midnight (UTC+1), kind by kind."""
    messages, totals, last = [], {}, {}
    for minute, kind, steps in sorted(found):
        day = (minute - 1) // 1440
        last[day, kind] = last.get((day, kind), 0) + steps
        totals[f"2026-03-0{2 + day}"] = totals.get(f"2026-03-0{2 + day}", 0) + steps
        at = f"2026-03-0{1 + (minute + 1380) // 1440}T{(minute + 1380) % 1440 // 60:02}:{minute % 60:02}:00"
        messages.append(monitoring(at, kind=kind, steps=last[day, kind]))
    return messages, totals


@given(COUNTS, st.integers(0, 40), st.booleans())
def test_days_come_to_what_was_counted_from_one_file_or_from_two_in_either_order(
    found: list[tuple[int, int, int]], cut: int, swapped: bool
) -> None:
    messages, totals = counters(found)
    head = [file_id(32), creator(100), monitoring_info("2026-03-01T23:00:00", "2026-03-02T00:00:00")]
    parts = [fit(head + messages[:cut]), fit(head + messages[cut:])]
    for files in ([fit(head + messages)], parts[::-1] if swapped else parts):
        rows = daily_rows(imported("fit", *files).raw)
        assert {day: row["steps"] for (_, day), row in rows.items()} == totals
