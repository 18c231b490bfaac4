"""The parts of progress by themselves: packed days, cells, windows, streaks with rest days, records."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from daily_rows import FIRST, VERSION, day, drain, goal, gone, last_of, records_of, rows, said
from hypothesis import given
from hypothesis import strategies as st

from producers.progress import progress_rows
from schemas.hints import ProgressHint, encode_hint
from schemas.instants import day_text
from schemas.progress import METRICS, STREAKS, decode_progress
from schemas.rows import Best, DailyRow, encode_row
from schemas.tables import DAILY_COLUMNS
from streams.progress import reading, saying, streaks
from streams.progress.core import Progress
from streams.progress.facts import WIDE, cell_of, decode_facts, widened
from streams.progress.history import History
from streams.progress.streaks import Run, Streak
from streams.state import Counts, Records

days = st.integers(0, 12)


@given(st.lists(st.tuples(days, st.none() | st.binary(max_size=5))))
def test_packed_days_are_a_dict_in_order(changes: list[tuple[int, bytes | None]]) -> None:
    history, plain = History(), {}
    for number, cell in changes:
        history.put(number, cell)
        if cell is None:
            plain.pop(number, None)
        else:
            plain[number] = cell
    assert list(history.all()) == sorted(plain.items())
    assert list(history.between(3, 8)) == [(d, c) for d, c in sorted(plain.items()) if 3 <= d <= 8]
    assert [history.get(number) for number in range(13)] == [plain.get(number) for number in range(13)]
    assert len(history) == len(plain)


@given(rows)
def test_a_cell_is_empty_only_where_the_row_is(row: DailyRow) -> None:
    cell = cell_of(decode_facts(encode_row(row)))
    assert (cell is None) == row.is_null
    if cell is not None and row.bests is None:
        assert len(cell) <= 4 + 4 * len(METRICS)


def test_widened_cells_add_up_to_sums_and_counts() -> None:
    cells = [cell_of(decode_facts(encode_row(each))) for each in (day(0, steps=3), day(1, steps=4, weight_kg=70.5))]
    total = WIDE.unpack(sum(map(widened, cells)).to_bytes(WIDE.size, "little"))
    names = [m.name for m in METRICS]
    assert total[names.index("steps")] == 7
    assert total[len(names) + names.index("steps")] == 2
    assert total[names.index("weight_kg")] == 70_500
    assert total[len(names) + names.index("weight_kg")] == 1
    assert sum(total) == 7 + 2 + 70_500 + 1


def test_what_progress_rolls_are_metrics_of_the_daily_row() -> None:
    columns = {c.name: c.type for c in DAILY_COLUMNS}
    assert all(columns[m.name] in (int, float) for m in METRICS)
    assert set(STREAKS.values()) <= columns.keys()


# -- streaks

bits = st.lists(st.booleans(), max_size=14).map(lambda found: sum(1 << i for i, bit in enumerate(found) if bit))


def runs(active: int, rest: int) -> list[Run]:
    """All runs, day by day."""
    found: list[list[int]] = []
    for at in range(active.bit_length()):
        if active >> at & 1:
            if found and all(rest >> between & 1 for between in range(found[-1][-1] + 1, at)):
                found[-1].append(at)
            else:
                found.append([at])
    return [Run(run[0], run[-1], len(run)) for run in found]


@given(bits, bits)
def test_runs_found_by_bits_are_the_runs_found_day_by_day(active: int, rest: int) -> None:
    found = runs(active, rest)
    assert streaks.latest(active, rest) == (found[-1] if found else None)
    assert streaks.longest(active, rest) == (max(found, key=lambda run: run.length) if found else None)
    for run in found:
        assert streaks.run_around(active, rest, run.until) == streaks.run_around(active, rest, run.since) == run


@given(bits, st.lists(st.tuples(days, st.booleans())))
def test_the_longest_streak_is_kept_up_to_date(rest: int, changes: list[tuple[int, bool]]) -> None:
    streak = Streak()
    for at, is_active in changes:
        streak.change(at, is_active, rest)
        assert streak.longest == streaks.longest(streak.active, rest)


@given(bits.filter(bool), bits, st.integers(0, 20))
def test_a_streak_stands_while_only_rest_lies_between(active: int, rest: int, later: int) -> None:
    run = streaks.latest(active, rest)
    assert run is not None
    today = run.until + later
    assert streaks.stands(run, rest, today) == all(rest >> at & 1 for at in range(run.until + 1, today))


def with_rest(row: DailyRow, is_rest: bool) -> bytes:
    return json.dumps(json.loads(encode_row(row)) | ({"rest_day": True} if is_rest else {})).encode()


@given(st.lists(st.tuples(days, st.booleans(), st.booleans()), max_size=20))
def test_planned_rest_neither_breaks_a_streak_nor_adds_to_it(changes: list[tuple[int, bool, bool]]) -> None:
    state, plain = Progress(), {}
    for number, trained, is_rest in changes:
        row = day(number, workouts_completed=1 if trained else None)
        state.fold(records_of([row])._replace(values=[with_rest(row, is_rest)]))
        plain[row.user_id, row.date] = {**last_of([row])[row.user_id, row.date], "rest_day": is_rest}
    assert drain(state, {}) == progress_rows(plain)


def progress_of(*history: DailyRow) -> dict[str, Any]:
    state = Progress()
    state.fold(records_of(history))
    [(_, value)] = state.drain(1).rows["progress"]
    return said(decode_progress(value or b""))


def test_a_late_workout_joins_two_streaks_and_a_delete_breaks_one() -> None:
    five = [day(n, workouts_completed=1) for n in (0, 1, 3, 4, 5)]
    assert progress_of(*five)["streaks"]["workouts"] == {
        **{"current": 3, "since": day_text(FIRST + 3), "until": day_text(FIRST + 5)},
        **{"longest": 3, "longest_since": day_text(FIRST + 3), "longest_until": day_text(FIRST + 5)},
    }
    joined = progress_of(*five, day(2, workouts_completed=1))["streaks"]["workouts"]
    assert (joined["current"], joined["since"], joined["longest"]) == (6, day_text(FIRST), 6)
    broken = progress_of(*five, gone(4))["streaks"]["workouts"]
    assert (broken["current"], broken["since"], broken["longest"]) == (1, day_text(FIRST + 5), 2)
    assert broken["longest_since"] == day_text(FIRST), "of two equally long ones the earlier"


def test_a_goal_has_a_streak_of_the_days_that_hit_it() -> None:
    hits = [day(n, goals={"g": goal(True), "h": goal(n == 0)}) for n in range(3)]
    streaks = progress_of(*hits)["streaks"]
    assert streaks["goal:g"] == {
        **{"current": 3, "since": day_text(FIRST), "until": day_text(FIRST + 2)},
        **{"longest": 3, "longest_since": day_text(FIRST), "longest_until": day_text(FIRST + 2)},
    }
    assert (streaks["goal:h"]["current"], streaks["goal:h"]["longest"]) == (0, 1)
    missed = progress_of(*hits, day(3, goals={"g": goal(False)}), day(4, steps=1))["streaks"]["goal:g"]
    assert (missed["current"], missed["longest"]) == (0, 3)
    rested = progress_of(*hits, day(3, goals={"g": goal(False)}, rest_day=True), day(4, goals={"g": goal(True)}))
    assert rested["streaks"]["goal:g"]["current"] == 4, "a planned day of rest does not break it"
    edited = progress_of(*hits, day(1, goals={"g": goal(None)}))["streaks"]["goal:g"]
    assert (edited["current"], edited["longest"]) == (1, 1)
    assert "goal:h" not in progress_of(*hits, day(0, goals={"g": goal(True)}))["streaks"]


WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def weekday(number: int) -> str:
    return WEEKDAYS[date.fromisoformat(day_text(FIRST + number)).weekday()]


def test_a_planned_rest_day_without_a_row_breaks_no_streak_either() -> None:
    resting = {"rest_days": [weekday(2)], "workouts_completed": 1}
    trained = [day(0, **resting), day(1, **resting), day(3, **resting)]
    kept = progress_of(*trained)["streaks"]["workouts"]
    assert (kept["current"], kept["longest"], kept["since"]) == (3, 3, day_text(FIRST))
    other = progress_of(day(0, **resting), day(1, rest_days=[weekday(4)], workouts_completed=1), day(3, **resting))
    assert other["streaks"]["workouts"]["longest"] == 2, "the day before the gap says what its plans rest on"
    missed = progress_of(*trained, day(2, steps=1))["streaks"]["workouts"]
    assert (missed["current"], missed["longest"]) == (1, 2), "a day with a row says itself that rest was not planned"
    longer = progress_of(*trained[:2], day(4, steps=1))["streaks"]["workouts"]
    assert (longer["current"], longer["longest"]) == (0, 2), "the second day without a row is no rest day"
    weeks = progress_of(*trained[:2], day(9, steps=1))["streaks"]["workouts"]
    assert weeks["current"] == 0


def test_a_restored_user_keeps_streaks_records_and_strength_when_something_else_changes() -> None:
    name = "estimated_1rm_kg:Squat"
    whole = [day(n, meals_logged=1, bests={name: Best(80.0, "a")}) for n in range(3)]
    state, restored = Progress(), Progress()
    state.fold(records_of(whole))
    changelog = state.drain(1).state
    restored.restore([k for k, _ in changelog], [v for _, v in changelog])
    more = day(2, meals_logged=1, steps=5, bests={name: Best(80.0, "a")})
    restored.fold(records_of([more]))
    assert drain(restored, {}) == progress_rows(last_of([*whole, more]))


def test_the_day_itself_is_open_but_a_whole_day_without_breaks_it() -> None:
    meals = [day(n, meals_logged=2) for n in range(3)]
    assert progress_of(*meals, day(3, steps=9))["streaks"]["meals"]["current"] == 3
    assert progress_of(*meals, day(4, steps=9))["streaks"]["meals"]["current"] == 0


# -- windows


def test_means_are_over_the_days_that_have_the_metric() -> None:
    row = progress_of(day(0, steps=100), day(3, steps=200), day(5, energy_kcal=1.5), day(6, steps=0))
    assert row["windows"]["steps"] == {
        **{"sum_7d": 300.0, "mean_7d": 100.0, "days_7d": 3, "sum_28d": 300.0, "mean_28d": 100.0, "days_28d": 3}
    }
    assert row["windows"]["energy_kcal"]["days_7d"] == 1
    assert (row["as_of"], row["first_date"], row["covered_days"]) == (day_text(FIRST + 6), day_text(FIRST), 4)


def test_seven_days_are_compared_with_the_28_before_them() -> None:
    before = [day(n, steps=1_000) for n in range(0, 28, 2)]
    row = progress_of(*before, day(28, steps=1_100), day(34, steps=1_300))
    assert row["windows"]["steps"]["change_pct"] == pytest.approx(20)
    assert row["windows"]["steps"]["days_28d"] == 12, "ten of the even days, and the two new ones"


@pytest.mark.parametrize("say", [saying.strength_said, reading.strength_said])
def test_strength_is_not_compared_with_what_weighs_nothing(say: Callable[..., bytes]) -> None:
    told = say({40: {"Curl": 12.5}, 20: {"Curl": 0.0004}}, 40)
    assert told == b'{"Curl":{"best_7d_kg":12.5,"best_before_kg":0.0004}}'


def test_a_level_has_means_and_no_sums() -> None:
    row = progress_of(day(0, weight_kg=70.5), day(6, weight_kg=70.0))
    assert row["windows"]["weight_kg"] == {"mean_7d": 70.25, "days_7d": 2, "mean_28d": 70.25, "days_28d": 2}


def test_the_load_ratio_rests_on_35_days_and_on_weeks_that_do_not_overlap() -> None:
    steady = [day(n, training_load=100.0) for n in range(0, 35, 7)]
    young = progress_of(*steady, day(33, training_load=100.0))
    assert "acute_chronic_ratio" not in young
    old = progress_of(*steady, day(34, training_load=50.0))
    assert (old["acute_load"], old["chronic_load"], old["acute_chronic_ratio"]) == (150.0, 100.0, 1.5)
    rested = progress_of(*steady, day(40, steps=1))
    assert (rested["acute_load"], rested["acute_chronic_ratio"]) == (0.0, 0.0)
    assert "acute_load" not in progress_of(day(0, workouts_completed=1))


def test_strength_compares_the_best_estimates() -> None:
    name = "estimated_1rm_kg:Squat"
    row = progress_of(
        day(0, bests={name: Best(80.0, "a")}),
        day(10, bests={name: Best(100.0, "b"), "estimated_1rm_kg:Row": Best(50.0, "b")}),
        day(30, bests={name: Best(120.0, "c")}),
        day(34, bests={name: Best(110.0, "d")}),
    )
    assert row["strength"] == {
        "Row": {"best_before_kg": 50.0},
        "Squat": {"best_7d_kg": 120.0, "best_before_kg": 100.0, "change_pct": 20.0},
    }


def test_an_implausible_total_counts_as_missing() -> None:
    row = progress_of(day(0, steps=2**32), day(1, steps=5))
    assert row["windows"]["steps"]["days_7d"] == 1
    assert row["records"]["steps"]["value"] == 5


# -- records


def test_a_record_names_day_entity_and_what_it_replaced() -> None:
    name = "heaviest_kg:Squat"
    lifts = [day(0, bests={name: Best(80.0, "a")}), day(3, bests={name: Best(90.0, "b")})]
    tie = day(5, bests={name: Best(90.0, "c")})
    held = {"value": 90.0, "date": day_text(FIRST + 3), "entity": "b"}
    before = {"previous_value": 80.0, "previous_date": day_text(FIRST), "previous_entity": "a"}
    assert progress_of(*lifts, tie)["records"][name] == held | before
    assert progress_of(*lifts, tie, gone(0))["records"][name] == held
    revoked = progress_of(*lifts, tie, gone(3))["records"][name]
    assert (revoked["entity"], revoked["previous_entity"]) == ("c", "a")


def test_a_day_holds_a_record_without_an_entity() -> None:
    assert progress_of(day(0, steps=7), day(1, steps=9))["records"]["steps"] == {
        **{"value": 9.0, "date": day_text(FIRST + 1), "previous_value": 7.0, "previous_date": day_text(FIRST)}
    }


def test_an_empty_history_gives_a_row_of_nulls() -> None:
    state = Progress()
    state.fold(records_of([day(0, steps=1)]))
    state.drain(1)
    state.fold(records_of([gone(0)]))
    drained = state.drain(VERSION)
    [(_, value)] = drained.rows["progress"]
    assert decode_progress(value or b"").is_null
    assert drained.state == [(f"u|{day_text(FIRST)}".encode(), None)]


def hinted(state: Progress, *keys: bytes | None, value: bytes | None = None) -> Counts:
    n, said = len(keys), value or encode_hint(ProgressHint(VERSION + 70))
    return state.fold(Records("progress-hints", 0, range(n), [0] * n, list(keys), [said] * n))


def test_who_is_asked_again_finds_the_row_again_from_the_days_and_says_it_above_what_a_store_holds() -> None:
    state = Progress()
    state.fold(records_of([day(0, steps=5, meals_logged=1), day(1, user="v", steps=1)]))
    first = dict(state.drain(1).rows["progress"])
    state.users["u"].records.clear()
    state.users["u"].records_said = None
    assert hinted(state, b"u", b"nobody") == Counts(applied=2)
    assert state.above == VERSION + 70
    drained = state.drain(VERSION + 71)
    again = {key: decode_progress(value or b"") for key, value in drained.rows["progress"]}
    assert {row.version for row in again.values()} == {VERSION + 71}
    assert said(again[b"u"]) == said(decode_progress(first[b"u"] or b""))
    assert again[b"nobody"].is_null
    assert (drained.state, drained.rows["milestones"], sorted(state.users)) == ([], [], ["u", "v"])


def test_what_is_no_hint_is_filed() -> None:
    state = Progress()
    assert hinted(state, None, b"", value=b"{}") == Counts(rejected=2)
    assert hinted(state, b"u", value=b'{"hint":"progress","above":-1}') == Counts(rejected=1)
    drained = state.drain(1)
    assert len(drained.rows["rejected"]) == 3
    assert drained.rows["progress"] == []


def test_raising_leaves_the_state_as_it_was() -> None:
    state = Progress()

    def refuse(records: Records, refused: Any) -> None:
        raise RuntimeError("too many")

    state.guard = refuse
    with pytest.raises(RuntimeError):
        state.fold(records_of([day(0, steps=1)]))
    assert state.users == {}
    assert state.drain(1).rows["progress"] == []
