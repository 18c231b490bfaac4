"""The laws of progress: it equals a plain recomputation from the daily rows, however they came."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
from daily_rows import FIRST, VERSION, drain, histories, last_of, records_of, rows, said
from events import encode
from events import histories as event_histories
from events import records_of as events_of
from hypothesis import given
from hypothesis import strategies as st

from producers import generate, truth
from producers.progress import progress_rows
from schemas.codec import decode, type_name
from schemas.families import FAMILY_OF
from schemas.instants import day_text
from schemas.progress import decode_progress
from schemas.rows import DailyRow, decode_daily
from streams.daily.core import Ledger
from streams.progress.asof import as_of
from streams.progress.core import Progress
from streams.state import Records

History = list[DailyRow]


def folded(history: History) -> dict[str, Any]:
    state = Progress()
    state.fold(records_of(history))
    return drain(state, {})


@given(histories)
def test_progress_equals_a_recomputation_from_the_daily_rows(history: History) -> None:
    assert folded(history) == progress_rows(last_of(history))


@given(histories, st.lists(st.integers(0, 30), max_size=5))
def test_row_by_row_with_flushes_in_between_ends_the_same(history: History, cuts: list[int]) -> None:
    state, seen, found = Progress(), {}, {}
    for i, row in enumerate(history):
        state.fold(records_of([row], i))
        if i in cuts:
            found = drain(state, seen, i)
            assert found == progress_rows(last_of(history[: i + 1]))
    found = drain(state, seen, 99)
    assert found == progress_rows(last_of(history))


@given(histories, st.randoms(use_true_random=False))
def test_the_order_of_different_days_does_not_matter(history: History, rnd: Any) -> None:
    last = list({(row.user_id, row.date): row for row in history}.values())
    rnd.shuffle(last)
    assert folded(last) == folded(history)


@given(histories, st.data())
def test_rows_that_come_again_change_nothing_and_say_nothing(history: History, data: st.DataObject) -> None:
    state = Progress()
    state.fold(records_of(history))
    state.drain(1)
    last = list({(row.user_id, row.date): row for row in history}.values())
    again = data.draw(st.lists(st.sampled_from(last), max_size=5)) if last else []
    counts = state.fold(records_of(again))
    assert (counts.applied, counts.duplicate) == (0, len(again))
    drained = state.drain(2)
    assert not any([drained.state, *drained.rows.values()])


@given(histories, histories, st.integers(0, 30))
def test_recovery_from_the_changelog_continues_as_if_nothing_had_happened(
    history: History, more: History, cut: int
) -> None:
    state, seen = Progress(), {}
    state.fold(records_of(history[:cut]))
    first = state.drain(1)
    for _, value in first.rows["progress"]:
        row = decode_progress(value or b"")
        seen[row.user_id] = said(row)
    restored = Progress()
    restored.restore([k for k, _ in first.state], [v for _, v in first.state])
    for each in (state, restored):
        each.fold(records_of([*history[cut:], *more]))
    one, other = state.drain(2), restored.drain(2)
    assert (one.rows, one.state) == (other.rows, other.state), "milestones too"


@given(histories, st.lists(st.integers(0, 30), max_size=8), st.integers(0, 1))
def test_users_that_cooled_down_go_on_as_if_nothing_had_happened(history: History, cuts: list[int], warm: int) -> None:
    state, hot = Progress(), Progress()
    with pytest.MonkeyPatch.context() as patch:
        for i, row in enumerate(history):
            for each in (state, hot):
                each.fold(records_of([row], i))
            if i in cuts:
                patch.setattr("streams.progress.core.WARM", warm)
                cooled = state.drain(i)
                patch.undo()
                assert cooled == hot.drain(i), "milestones too"
                assert sum(user.warm for user in state.users.values()) <= warm
    assert state.drain(99) == hot.drain(99)


@given(histories, histories)
def test_a_changelog_restored_in_two_parts_is_the_whole(history: History, more: History) -> None:
    state, restored = Progress(), Progress()
    for version, part in enumerate((history, more)):
        state.fold(records_of(part))
        changelog = state.drain(version).state
        restored.restore([k for k, _ in changelog], [v for _, v in changelog])
        last = records_of(list({(row.user_id, row.date): row for row in part}.values()))
        assert restored.fold(last).applied == 0, "which makes its users warm before the next part comes"


@given(event_histories)
def test_from_events_to_progress_both_readings_agree(history: list[dict[str, Any]]) -> None:
    ledger, progress, seen = Ledger(), Progress(), {}
    for i, event in enumerate(history):
        ledger.fold(events_of([encode(event)], FAMILY_OF[event["type"]]))
        out = ledger.drain(VERSION + i).rows["daily"]
        progress.fold(Records("daily", 0, range(len(out)), [0] * len(out), [k for k, _ in out], [v for _, v in out]))
        drain(progress, seen, i)
    plain = progress_rows(truth.daily_rows([encode(event) for event in history]))
    assert {user: row for user, row in seen.items() if row} == plain


def test_a_generated_population_comes_to_what_the_plain_pass_says() -> None:
    raw = list(generate.events(users=10, days=80, seed=7))
    by_topic: dict[str, list[tuple[bytes, bytes]]] = defaultdict(list)
    for value in raw:
        event: Any = decode(value)
        family = FAMILY_OF[type_name(event)] if hasattr(event, "subject") else "views"
        if family != "views":
            by_topic[family].append((event.subject.encode(), value))
    ledger, progress, seen, found = Ledger(), Progress(), {}, {}
    for topic, records in by_topic.items():
        for at in range(0, len(records), 300):
            keys, values = zip(*records[at : at + 300], strict=True)
            n = len(keys)
            ledger.fold(Records(topic, 0, range(at, at + n), [1_800_000_000_000] * n, keys, values))
            rows = ledger.drain(VERSION + at).rows["daily"]
            m = len(rows)
            progress.fold(Records("daily", 0, range(m), [0] * m, [k for k, _ in rows], [v for _, v in rows]))
            found = drain(progress, seen, at)
    expected = progress_rows(truth.daily_rows(raw))
    assert len(expected) == 10
    assert found == expected
    assert any("change_pct" in s for row in expected.values() for s in row.get("strength", {}).values())
    assert any("acute_chronic_ratio" in row for row in expected.values())


@given(histories, st.integers(0, 40))
def test_a_row_rolled_on_to_a_later_day_is_the_row_of_that_day(history: History, later: int) -> None:
    state = Progress()
    state.fold(records_of(history))
    left = [decode_daily(v) for _, v in {r.user_id + r.date: (0, value_of(r)) for r in history}.values()]
    for _, value in state.drain(1).rows["progress"]:
        row = decode_progress(value or b"")
        if row.as_of is None:
            assert as_of(row, [], "2026-01-01") is row
            continue
        today = day_text(max(FIRST + 60, FIRST) + later)
        mine = [r for r in left if r.user_id == row.user_id]
        plain = progress_rows(last_of(history), {row.user_id: today})[row.user_id]
        assert said(as_of(row, mine, today)) == plain


def value_of(row: DailyRow) -> bytes:
    from schemas.rows import encode_row

    return encode_row(row)


def test_a_row_does_not_roll_back() -> None:
    state = Progress()
    state.fold(records_of([DailyRow("u", "2026-03-02", VERSION, entities=1)]))
    [(_, value)] = state.drain(1).rows["progress"]
    with pytest.raises(ValueError, match="from 2026-03-02 on"):
        as_of(decode_progress(value or b""), [], "2026-03-01")


@given(rows)
def test_a_row_of_an_earlier_generation_counts_for_nothing(row: DailyRow) -> None:
    state = Progress()
    row.version = 1
    assert state.fold(records_of([row])).superseded == 1
    assert state.drain(1).rows["progress"] == []


def test_what_is_no_daily_row_is_filed_and_the_others_count() -> None:
    good = records_of([DailyRow("u", "2026-03-02", VERSION, entities=1)])
    values = [*good.values, None, b"{", b'{"user_id":"u","date":"2026-02-30","version":9}']
    keys = [*good.keys, None, b"k", b"u|2026-02-30"]
    state = Progress()
    counts = state.fold(Records("daily", 3, range(4), [7] * 4, keys, values))
    assert (counts.applied, counts.rejected) == (1, 3)
    drained = state.drain(1)
    assert len(drained.rows["progress"]) == 1
    assert [key for key, _ in drained.rows["rejected"]] == [b"daily/3/1", b"daily/3/2", b"daily/3/3"]
