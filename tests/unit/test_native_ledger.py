"""The compiled inner loop and the definitions in Python: the same state, the same counts, the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
from events import encode, histories, records_of
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.families import FAMILY_OF
from schemas.ledger import LANES
from schemas.rows import daily_key, encode_row
from streams.daily import cells, core, users
from streams.daily.cells import MEAL, SHIFTS, SIZES, WATER, PythonCell
from streams.daily.core import Ledger
from streams.daily.entities import PythonEntities
from streams.daily.rows import row

native = pytest.importorskip("streams.daily.native_ledger", reason="the extension was not built", exc_type=ImportError)
SAID = ("total", "size", "first_ms", "last_ms", "stale")


@contextmanager
def python_alone() -> Iterator[None]:
    with (
        patch.object(core, "_compiled", None),
        patch.object(core, "Cell", PythonCell),
        patch.object(cells, "Cell", PythonCell),
        patch.object(users, "Entities", PythonEntities),
    ):
        yield


def told(history: list[dict[str, Any]], drains: list[int]) -> list[Any]:
    """All that a ledger says of a history, drained in between, and what it holds at the end."""
    ledger, said = Ledger(), list[Any]()
    for number, event in enumerate(history):
        said.append(ledger.fold(records_of([encode(event)], FAMILY_OF[event["type"]])))
        if number in drains:
            said.append(ledger.drain(number))
    said.append(ledger.drain(1 << 40))
    for subject, user in ledger.users.items():
        for day, cell in user.warm().items():
            said.append((subject, day, sorted(cell.platforms), *(getattr(cell, name) for name in SAID)))
            said.append(user.entities.pick(cell.members))
        said.append((dict(user.entities.items()), user.book))
    return said


@settings(max_examples=300)
@given(histories, st.lists(st.integers(0, 12), max_size=3))
def test_any_history_is_folded_to_the_same_state_and_the_same_bytes(
    history: list[dict[str, Any]], drains: list[int]
) -> None:
    fast = told(history, drains)
    with python_alone():
        assert told(history, drains) == fast


sums = st.integers(0, 10**15 - 1) | st.integers(0, 5_000_000) | st.integers(0, 2**63)
subjects = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20) | st.from_regex(r"u_\d+\Z")


@settings(max_examples=1_000)
@given(
    subjects,
    st.integers(0, 40_000) | st.integers(0, 2_000_000),
    st.lists(sums, min_size=5, max_size=5),
    st.lists(st.integers(0, 4), min_size=5, max_size=5),
    st.integers(1, 1_000),
    st.sampled_from(["ios", "android", "web", 'we"b', "ünter"]),
    st.tuples(st.integers(-(2**40), 2**50), st.integers(0, 2**40)),
    st.integers(0, 2**55),
)
def test_the_row_of_meals_is_the_definitions_row_to_the_byte(
    subject: str,
    day: int,
    values: list[int],
    there: list[int],
    meals: int,
    platform: str,
    span: tuple[int, int],
    version: int,
) -> None:
    packed = LANES[SIZES[MEAL]].pack(*values, *there, meals)
    total = int.from_bytes(packed, "little") << SHIFTS[MEAL]
    key = subject.encode() + b"\0m\0e"
    both = [native.Cell(0, total, platform, span[0]), PythonCell(key, total, platform, span[0])]
    both[0].add(1, 0, platform, span[0] + span[1])
    both[1].add(key, 0, platform, span[0] + span[1])
    made = native.meal_row(subject, day, both[0], version)
    plain = all(32 <= ord(sign) < 127 and sign not in '"\\' for sign in subject + platform)
    assert (made is not None) == (plain and max(values) < 10**15)
    if made is not None and day < 2_900_000:
        out = row(subject, day, both[1], PythonEntities(), version)
        assert made == (daily_key(out), encode_row(out))


def test_days_with_more_than_meals_are_left_to_the_definition() -> None:
    meal = int.from_bytes(LANES[SIZES[MEAL]].pack(*[1] * 11), "little") << SHIFTS[MEAL]
    water = int.from_bytes(LANES[SIZES[WATER]].pack(250, 1, 1), "little") << SHIFTS[WATER]
    cell = native.Cell(0, meal, "ios", 0)
    assert native.meal_row("u", 1, cell, 1) is not None
    cell.add(1, water, "ios", 0)
    assert native.meal_row("u", 1, cell, 1) is None
    cell.remove(1, water)
    assert native.meal_row("u", 1, cell, 1) is None, "its times must be found again first"
    two = native.Cell(0, meal, "ios", 0)
    two.add(1, meal, "web", 0)
    assert native.meal_row("u", 1, two, 1) is None
