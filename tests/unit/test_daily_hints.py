"""Hints: whoever asks the owner of a ledger to look again gets the same numbers; what is no hint is refused."""

from __future__ import annotations

import doctest
from typing import Any

import pytest
from events import encode, histories, records_of
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from schemas import hints, positions
from schemas.families import FAMILY_OF
from schemas.hints import DayHint, EventHint, WinnerHint, encode_hint
from schemas.ledger import split_key
from schemas.positions import version_of
from schemas.rows import DailyRow, decode_daily, decode_rejected
from streams.daily.core import Ledger
from streams.runtime.partition import OwnedPartition
from streams.state import Counts, Drained, Records

Event = dict[str, Any]
Rows = dict[tuple[str, str], DailyRow]
NOW = 1_780_000_000_000


def hinted(*told: tuple[str, Any]) -> Records:
    """(subject, hint) as records of the topic."""
    values = [hint if isinstance(hint, bytes) else encode_hint(hint) for _, hint in told]
    n = len(told)
    return Records("hints", 0, range(n), [NOW] * n, [user.encode() for user, _ in told], values)


def fold(ledger: Ledger, history: list[Event]) -> None:
    for event in history:
        ledger.fold(records_of([encode(event)], FAMILY_OF[event["type"]]))


def drained(ledger: Ledger, seen: Rows) -> Rows:
    return learned(ledger.drain(1), seen)


def learned(drained: Drained, seen: Rows) -> Rows:
    for _, value in drained.rows["daily"]:
        assert value is not None
        out = decode_daily(value)
        seen[out.user_id, out.date] = out
    return {key: out for key, out in seen.items() if not out.is_null}


def rows_of(history: list[Event]) -> Rows:
    ledger = Ledger()
    fold(ledger, history)
    return drained(ledger, {})


def test_the_examples_in_the_docstrings_run() -> None:
    for module in (hints, positions):
        assert doctest.testmod(module).failed == 0
        assert doctest.testmod(module).attempted


@given(histories, st.data())
def test_event_hints_in_any_place_change_no_row_and_log_the_winner_again(history: list[Event], data: Any) -> None:
    at = data.draw(st.integers(0, len(history)))
    chosen = data.draw(st.lists(st.sampled_from(history), max_size=3)) if history else []
    chosen = [event for event in chosen if FAMILY_OF[event["type"]] != "views"]
    ledger, seen = Ledger(), Rows()
    fold(ledger, history[:at])
    drained(ledger, seen)
    for event in chosen:
        told = EventHint(FAMILY_OF[event["type"]], NOW, encode(event))
        assert ledger.fold(hinted((event["subject"], told))).rejected == 0
    if chosen:
        told_of = ledger.drain(1)
        learned(told_of, seen)
        logged = {split_key(key).entity for key, _ in told_of.state}
        assert {event.get("entity") or event["id"] for event in chosen} == logged
        drained_again = ledger.drain(1)
        assert not drained_again.state
    for event in chosen:
        ledger.fold(hinted((event["subject"], EventHint(FAMILY_OF[event["type"]], NOW, encode(event)))))
    fold(ledger, history[at:])
    assert drained(ledger, seen) == rows_of(history)


@given(histories, st.data())
def test_the_winners_of_another_ledger_make_the_same_rows_and_the_same_ledger(history: list[Event], data: Any) -> None:
    old, new, seen = Ledger(), Ledger(), Rows()
    fold(old, history)
    winners = list(old.drain(1).state)
    ready = data.draw(st.permutations(winners))
    at = data.draw(st.integers(0, len(history)))
    cut = data.draw(st.integers(0, len(ready)))
    fold(new, history[:at])
    for part in (ready[:cut], ready[cut:]):
        told = [(split_key(key).subject, WinnerHint(key, winner or b"")) for key, winner in part]
        assert new.fold(hinted(*told)).rejected == 0
        drained(new, seen)
    fold(new, history[at:])
    assert drained(new, seen) == rows_of(history)
    assert {k: v for u in new.users.values() for k, v in u.entities.items()} == dict(winners)


@given(histories)
def test_a_day_hint_makes_the_row_again_with_a_higher_version(history: list[Event]) -> None:
    ledger = Ledger()
    fold(ledger, history)
    first = {bytes(key): value for key, value in ledger.drain(1).rows["daily"]}
    rows = [decode_daily(value) for value in first.values() if value is not None]
    assert ledger.drain(2).rows["daily"] == []
    counts = ledger.fold(hinted(*[(row.user_id, DayHint(row.date)) for row in rows]))
    assert counts == Counts(applied=len(rows))
    again = [decode_daily(value) for _, value in ledger.drain(3).rows["daily"] if value is not None]
    assert {(row.user_id, row.date) for row in again} == {(row.user_id, row.date) for row in rows}
    assert all(row.version == 3 for row in again)
    for row in (*again, *rows):
        row.version = 0
    assert sorted(again, key=str) == sorted(rows, key=str)


def test_a_day_of_somebody_unknown_gets_a_row_of_nulls() -> None:
    ledger = Ledger()
    ledger.fold(hinted(("nobody", DayHint("2026-03-01"))))
    [(_, value)] = ledger.drain(5).rows["daily"]
    assert value is not None
    row = decode_daily(value)
    assert (row.user_id, row.date, row.version, row.is_null) == ("nobody", "2026-03-01", 5, True)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"u", b"not json"),
        (b"u", b"{}"),
        (b"u", None),
        (b"\xff", encode_hint(DayHint("2026-03-01"))),
        (b"u", encode_hint(DayHint("2026-02-30"))),
        (b"u", encode_hint(DayHint("2026-03-01", above=-1))),
        (None, encode_hint(DayHint("2026-03-01"))),
        (b"u", encode_hint(EventHint("meals", NOW, b"{}"))),
        (b"u", encode_hint(EventHint("views", NOW, b"{}"))),
        (b"u", encode_hint(EventHint("cellar", NOW, b"{}"))),
        (b"u", encode_hint(WinnerHint(b"u\0m\0e", b"short"))),
        (b"u", encode_hint(WinnerHint(b"v\0m\0e", b"x" * 60))),
        (b"u", encode_hint({"hint": "day", "date": Raw(b"7")})),
    ],
)
def test_what_is_no_hint_is_filed_as_refused_and_changes_nothing(key: bytes | None, value: bytes | None) -> None:
    ledger = Ledger()
    good = encode_hint(DayHint("2026-03-01"))
    records = Records("hints", 3, [7, 8], [NOW, NOW], [key, b"u"], [value, good])
    assert ledger.fold(records) == Counts(applied=1, rejected=1)
    drained = ledger.drain(1)
    assert len(drained.rows["daily"]) == 1
    assert drained.state == []
    [(_, filed)] = drained.rows["rejected"]
    row = decode_rejected(filed or b"")
    assert (row.topic, row.partition, row.offset, row.raw) == ("hints", 3, 7, value)
    assert row.reason.startswith("no hint: ")


def test_a_version_that_a_store_was_found_to_hold_is_beaten_unless_it_cannot_be() -> None:
    for above, flush in (
        (version_of(1, 100), 101),
        (version_of(1, 0), 1),
        (version_of(2, 100), 1),
        (version_of(1, (1 << 40) - 1), 1),
    ):
        partition = OwnedPartition(0, "changelog", 1, Ledger())
        partition.open("hints", "id", 0)
        partition.fold(hinted(("u", DayHint("2026-03-01", above))), 1)
        assert partition.drain().number == flush
