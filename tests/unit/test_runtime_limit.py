"""The limit of refusals: what is too much, what is said then, and that an allowance reaches to its offset only."""

from __future__ import annotations

from pathlib import Path

import pytest
from events import RECEIVED_MS
from hypothesis import given
from hypothesis import strategies as st

import schemas
from daybook.allowance import place
from daybook.errors import Misuse
from schemas.codec import Rejected
from schemas.positions import decode_position
from schemas.refusal import filed
from schemas.rows import encode_row, rejected_key
from streams.daily.core import Ledger
from streams.runtime.limit import LEAST, Limit, Tally, TooManyRefused, tallied
from streams.runtime.partition import OwnedPartition
from streams.state import Pairs, Records

MEAL = (Path(schemas.__file__).parent / "examples" / "events.jsonl").read_bytes().splitlines()[0]
NEVER = Limit(1, 0)


def records(outcomes: list[bool], first: int = 0) -> tuple[Records, Pairs]:
    """Records at offsets from `first` on, and the rows of those that are refused (True)."""
    n = len(outcomes)
    refused: Pairs = []
    for offset, bad in enumerate(outcomes, first):
        if bad:
            row = filed(Rejected(f"reason {offset % 3 == 0}", "$.x"), "meals", 3, offset, 0, b"{", None)
            refused.append((rejected_key(row), encode_row(row)))
    return Records("meals", 3, range(first, first + n), [0] * n, [b"u"] * n, [b"{"] * n), refused


def test_a_run_of_refusals_is_too_much_wherever_slices_begin() -> None:
    limit = Limit(1, 5)
    tally = tallied(limit, Tally(), *records([False, True, True]), 0)
    assert tally.run == 2
    assert tallied(limit, tally, *records([True, True, False], 3), 0).run == 0
    with pytest.raises(TooManyRefused, match="meals/3: the last 5 events were all refused, up to offset 5"):
        tallied(limit, tally, *records([True, True, True], 3), 0)


def test_a_share_is_judged_of_many_and_of_the_recent_ones() -> None:
    limit = Limit(0.5, 0)
    tally = tallied(limit, Tally(), *records([True] * (LEAST // 2)), 0)
    with pytest.raises(TooManyRefused, match=r"1,001 of the last 1,001 events were refused \(100%\)"):
        tallied(limit, tally, *records([True], 1000), 0)
    tally, bad = Tally(), 0
    for first in range(0, 1_000_000, 2_000):
        tally = tallied(limit, tally, *records([False] * 2_000, first), 0)
    while bad < 20:
        try:
            tally = tallied(limit, tally, *records([True] * 1_000, 1_000_000 + 1_000 * bad), 0)
        except TooManyRefused:
            break
        bad += 1
    assert 3 <= bad <= 10, "a million good ones of long ago do not hide that all is refused now"


def test_the_line_says_where_why_and_how_to_go_on() -> None:
    with pytest.raises(TooManyRefused) as why:
        tallied(Limit(1, 4), Tally(), *records([False, True, True, True, True], 70), 0)
    text = str(why.value)
    assert "\n" not in text
    assert "most often: reason False at $.x (3 of 4, first at offset 71)" in text
    assert "Nothing from offset 70 on is committed" in text
    assert "daybook rejected allow meals/3" in text


@given(st.lists(st.booleans(), max_size=30), st.integers(0, 40), st.integers(1, 6))
def test_what_is_allowed_counts_for_nothing_and_what_comes_after_counts_as_ever(
    outcomes: list[bool], allowed: int, run: int
) -> None:
    def judged(records_and_refused: tuple[Records, Pairs], allowed: int) -> Tally | None:
        try:
            return tallied(Limit(1, run), Tally(), *records_and_refused, allowed)
        except TooManyRefused:
            return None

    whole = judged(records(outcomes), allowed)
    assert whole == judged(records(outcomes[allowed:], allowed), 0)
    assert allowed < len(outcomes) or whole == Tally()


def owned(limit: Limit) -> OwnedPartition:
    partition = OwnedPartition(3, "changelog", 1, Ledger(), limit)
    partition.open("meals", "id", 0)
    return partition


def meals(first: int, raws: list[bytes]) -> Records:
    n = len(raws)
    return Records("meals", 3, range(first, first + n), [RECEIVED_MS] * n, [b"u_1001"] * n, raws)


def test_what_stops_a_worker_is_neither_folded_nor_filed() -> None:
    partition = owned(Limit(1, 3))
    good = MEAL.replace(b"meal_1", b"meal_2")
    partition.fold(meals(0, [MEAL, b"{"]), 2)
    with pytest.raises(TooManyRefused):
        partition.fold(meals(2, [b"{", b"{", good]), 5)
    assert partition.next_offset("meals") == 2
    drained = partition.drain().records
    assert len(drained["rejected"]) == 1
    assert not any(b"meal_2" in key for key, _ in drained["changelog"])


def test_starting_again_changes_nothing_and_an_allowance_lets_exactly_that_pass() -> None:
    partition = owned(Limit(1, 3))
    partition.fold(meals(0, [b"{", b"{"]), 2)
    changelog = partition.drain().records["changelog"]
    again = OwnedPartition(3, "changelog", 1, Ledger(), Limit(1, 3))
    again.restore([key for key, _ in changelog], [value for _, value in changelog], 9)
    with pytest.raises(TooManyRefused):
        again.fold(meals(2, [b"{"]), 3)
    again.allowed["meals"] = 4
    again.fold(meals(2, [b"{", b"{", b"{"]), 5)
    position = again.positions["meals"]
    assert (position.received, position.rejected, position.next_offset) == (5, 5, 5)
    assert position.rejected_run == 1, "only the one after the allowance"
    key, value = again.drain().records["changelog"][-1]
    assert decode_position(key, value or b"")[1].rejected_run == 1


@pytest.mark.parametrize("text", ["meals", "meals/", "meals/x", "rejected/1", "meals/-1"])
def test_what_is_no_partition_of_a_folded_topic_is_misuse(text: str) -> None:
    with pytest.raises(Misuse, match="expected topic/partition"):
        place(text)
