"""What is said when records and streaks change, what is taken back, and when nothing is said."""

from __future__ import annotations

from typing import Any

from daily_rows import FIRST, day, gone, histories, records_of
from hypothesis import given
from hypothesis import strategies as st

from schemas.instants import day_text
from schemas.progress import Milestone, decode_milestone
from schemas.rows import Best, DailyRow
from streams.progress.core import Progress
from streams.state import HISTORY

NAME = "heaviest_kg:Squat"


def said(state: Progress, *history: DailyRow, **how: Any) -> list[tuple[object, ...]]:
    """Type, name and what counts of every milestone of one flush."""
    state.fold(records_of(history, **how))
    found = [decode_milestone(value or b"") for _, value in state.drain(1).rows["milestones"]]
    assert len({m.id for m in found}) == len(found)
    return [short(m) for m in found]


def short(m: Milestone) -> tuple[object, ...]:
    if m.length is None:
        return m.type, m.name, m.value, m.entity, m.now
    return m.type, m.name, m.length, m.since, m.now


def lift(number: int, kg: float, entity: str) -> DailyRow:
    return day(number, bests={NAME: Best(kg, entity)})


def on(number: int) -> str:
    return day_text(FIRST + number)


def test_a_record_is_set_and_revoked_when_its_workout_is_deleted() -> None:
    state = Progress()
    assert said(state, lift(0, 80.0, "a")) == [("record.set", NAME, 80.0, "a", 80.0)]
    assert said(state, lift(3, 90.0, "b")) == [("record.set", NAME, 90.0, "b", 90.0)]
    assert said(state, lift(5, 90.0, "c")) == [], "who equals a record does not set one"
    assert said(state, gone(3), gone(5)) == [("record.revoked", NAME, 90.0, "b", 80.0)]
    assert said(state, gone(0)) == [("record.revoked", NAME, 80.0, "a", None)]


def test_an_edit_revokes_what_it_takes_back_and_sets_what_it_brings() -> None:
    state = Progress()
    said(state, lift(0, 80.0, "a"))
    assert said(state, lift(0, 85.0, "a")) == [
        ("record.revoked", NAME, 80.0, "a", 85.0),
        ("record.set", NAME, 85.0, "a", 85.0),
    ]
    assert said(state, lift(0, 70.0, "a")) == [("record.revoked", NAME, 85.0, "a", 70.0)]


def test_an_older_workout_that_comes_late_takes_a_record_back() -> None:
    state = Progress()
    said(state, lift(5, 80.0, "a"))
    assert said(state, lift(1, 80.0, "late")) == [("record.revoked", NAME, 80.0, "a", 80.0)]


def test_a_streak_is_extended_day_by_day_and_broken_by_a_missing_one() -> None:
    state = Progress()
    assert said(state, day(0, meals_logged=1)) == [("streak.extended", "meals", 1, on(0), 1)]
    assert said(state, day(1, meals_logged=1)) == [("streak.extended", "meals", 2, on(0), 2)]
    assert said(state, day(1, meals_logged=3)) == []
    assert said(state, day(2, energy_kcal=5.0)) == [], "the day is still open"
    assert said(state, day(3, energy_kcal=5.0)) == [("streak.broken", "meals", 2, on(0), 0)]
    assert said(state, day(2, meals_logged=1)) == [("streak.restored", "meals", 3, on(0), 3)]


def test_a_new_streak_after_a_gap_breaks_the_one_before_and_a_late_day_joins_both() -> None:
    state = Progress()
    said(state, day(0, meals_logged=1), day(1, meals_logged=1))
    assert said(state, day(3, meals_logged=1)) == [
        ("streak.broken", "meals", 2, on(0), 1),
        ("streak.extended", "meals", 1, on(3), 1),
    ]
    assert said(state, day(2, meals_logged=1)) == [("streak.restored", "meals", 4, on(0), 4)]
    assert said(state, gone(2)) == [("streak.broken", "meals", 4, on(0), 1)]


def test_a_repeat_says_the_same_words_under_the_same_id() -> None:
    ids = []
    for _ in range(2):
        state = Progress()
        state.fold(records_of([lift(0, 80.0, "a"), day(1, meals_logged=1)]))
        ids.append([decode_milestone(value or b"").id for _, value in state.drain(7).rows["milestones"]])
    assert ids[0] == ids[1] == [f"u|record.set|{NAME}|{on(0)}|a|80.0", f"u|streak.extended|meals|{on(1)}|{on(1)}|1"]


def test_rebuilds_are_silent_and_what_comes_after_them_is_not() -> None:
    state = Progress()
    assert said(state, lift(0, 80.0, "a"), day(1, meals_logged=1), first_offset=3, history=9) == []
    assert said(state, lift(2, 90.0, "b"), first_offset=9, history=9) == [
        ("record.set", NAME, 90.0, "b", 90.0),
    ]
    rebuilt = records_of([lift(4, 100.0, "c"), lift(5, 110.0, "d")], first_offset=20)
    state.fold(rebuilt._replace(headers={20: [("other", b"1"), HISTORY], 21: [HISTORY]}))
    assert state.drain(1).rows["milestones"] == []
    assert said(state, lift(6, 120.0, "e"), first_offset=22) == [("record.set", NAME, 120.0, "e", 120.0)]


@given(histories, st.lists(st.integers(0, 30), max_size=6))
def test_what_was_said_and_not_taken_back_is_what_stands(history: list[DailyRow], cuts: list[int]) -> None:
    state = Progress()
    stands: dict[tuple[str, str], Milestone] = {}
    for i, row in enumerate(history):
        state.fold(records_of([row], i))
        if i in cuts or i == len(history) - 1:
            for _, value in state.drain(i).rows["milestones"]:
                m = decode_milestone(value or b"")
                if m.type == "record.set":
                    stands[m.user_id, m.name] = m
                elif m.type == "record.revoked" and (
                    (held := stands.get((m.user_id, m.name))) and (held.value, held.date) == (m.value, m.date)
                ):
                    del stands[m.user_id, m.name]
    for user_id, user in state.users.items():
        for name, held in user.records.items():
            told = stands.pop((user_id, name), None)
            assert told is None or (told.value, told.date) == (held.value, day_text(held.day))
    assert stands == {}, "nothing is left standing that is no record"
