"""The laws of the daily fold: order, repetition, interleaving and recovery change nothing."""

from __future__ import annotations

from typing import Any

from events import encode, events, histories, records_of
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.families import FAMILY_OF
from schemas.rows import DailyRow, decode_daily
from streams.daily.cells import cells_of
from streams.daily.core import Ledger
from streams.daily.rows import row
from streams.daily.valid import book_of
from streams.state import Counts

Event = dict[str, Any]
Rows = dict[tuple[str, str], DailyRow]


def fold(ledger: Ledger, history: list[Event]) -> Counts:
    """Fold one by one, each from its own topic."""
    total = Counts()
    for event in history:
        total = total.plus(ledger.fold(records_of([encode(event)], FAMILY_OF[event["type"]])))
    return total


def drain(ledger: Ledger, seen: Rows, version: int = 1) -> Rows:
    """What a reader of the daily topic knows after this drain; an all-null row equals no row."""
    for _, value in ledger.drain(version).rows["daily"]:
        assert value is not None
        out = decode_daily(value)
        out.version = 0
        seen[out.user_id, out.date] = out
    return {key: out for key, out in seen.items() if not out.is_null}


def rows_of(history: list[Event]) -> Rows:
    ledger = Ledger()
    fold(ledger, history)
    return drain(ledger, {})


def recomputed(ledger: Ledger) -> Rows:
    """Every row from nothing but the winners."""
    found = {}
    for subject, user in ledger.users.items():
        user.warm()
        for day, cell in cells_of(user.entities, user.profiles).items():
            out = row(subject, day, cell, user.entities, 0, book_of(user.entities))
            found[subject, out.date] = out
    return found


@given(histories, st.randoms(use_true_random=False))
def test_any_order_gives_the_same_rows(history: list[Event], rnd: Any) -> None:
    shuffled = list(history)
    rnd.shuffle(shuffled)
    assert rows_of(shuffled) == rows_of(history)


@given(histories, st.data())
def test_any_repetition_changes_nothing(history: list[Event], data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(history), max_size=10)) if history else []
    assert rows_of(history + again) == rows_of(history)


@given(histories, st.data())
def test_a_replayed_tail_is_all_duplicate_or_superseded(history: list[Event], data: st.DataObject) -> None:
    ledger = Ledger()
    fold(ledger, history)
    before = drain(ledger, {})
    tail = history[data.draw(st.integers(0, len(history))) :]
    counts = fold(ledger, tail)
    assert counts.applied == counts.rejected == 0
    assert ledger.drain(2).rows["daily"] == []
    assert drain(ledger, dict(before)) == before


@given(histories, st.lists(st.integers(0, 13), max_size=4))
def test_flushing_in_between_changes_nothing(history: list[Event], cuts: list[int]) -> None:
    ledger, seen, rows = Ledger(), {}, {}
    for i, event in enumerate(history):
        fold(ledger, [event])
        if i in cuts:
            rows = drain(ledger, seen, i)
    rows = drain(ledger, seen, 99)
    assert rows == rows_of(history)


@given(histories)
def test_totals_kept_by_adding_and_taking_away_equal_a_recomputation(history: list[Event]) -> None:
    ledger = Ledger()
    fold(ledger, history)
    assert drain(ledger, {}) == recomputed(ledger)


@given(histories, events, st.integers(0, 14))
def test_recovery_from_the_changelog_continues_as_if_nothing_had_happened(
    history: list[Event], next_event: Event, cut: int
) -> None:
    ledger, seen = Ledger(), {}
    fold(ledger, history[:cut])
    changelog = ledger.drain(1)
    for _, value in changelog.rows["daily"]:
        out = decode_daily(value or b"")
        out.version = 0
        seen[out.user_id, out.date] = out
    restored = Ledger()
    restored.restore([k for k, _ in changelog.state], [v for _, v in changelog.state])
    fold(restored, [*history[cut:], next_event])
    assert drain(restored, seen) == rows_of([*history, next_event])


@given(histories)
def test_received_equals_applied_duplicate_superseded_rejected(history: list[Event]) -> None:
    broken = [{**event, "data": None} for event in history[:3]]
    counts = fold(Ledger(), [*history, *broken])
    assert sum(counts) == len(history) + len(broken)
    assert counts.rejected == len(broken)


@given(histories)
@settings(max_examples=50)
def test_chunks_of_one_topic_equal_single_events(history: list[Event]) -> None:
    ledger = Ledger()
    for family in ("plans", "body", "workouts", "meals"):
        mine = [encode(e) for e in history if FAMILY_OF[e["type"]] == family]
        ledger.fold(records_of(mine, family))
    assert drain(ledger, {}) == rows_of(history)
