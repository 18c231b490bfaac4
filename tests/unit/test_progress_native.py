"""The compiled part of progress and the Python one say the same, to the byte, whatever a record holds."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from daily_rows import FIRST, rows
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.instants import day_text
from schemas.progress import BASE_MAX, METRICS
from schemas.rows import DailyRow, encode_row
from streams.progress import facts, saying, windows
from streams.progress.history import History
from streams.progress.milestones import Shown
from streams.progress.reading import Read, read
from streams.progress.records import Held, change, search
from streams.progress.streaks import Run

native = pytest.importorskip("streams.progress.native", reason="was not built")
native_said = pytest.importorskip("streams.progress.native_said", reason="was not built")
SCALES = {metric.name: metric.scale for metric in METRICS}
reader = native.DayReader([field.encode_name for field in msgspec.structs.fields(DailyRow)], SCALES)


def python(value: bytes, oldest: int = 0) -> Read | None:
    """What Python says; None for what it refuses."""
    try:
        return read(value, oldest)
    except (msgspec.MsgspecError, ValueError):
        return None


def compiled(value: bytes, oldest: int = 0) -> Read | None:
    [found] = reader.read([value], oldest)
    return found


@given(rows)
def test_a_row_as_the_daily_stream_writes_it_is_read_at_first_sight(row: DailyRow) -> None:
    value = encode_row(row)
    assert compiled(value) == read(value, 0)
    assert compiled(value, row.version + 1) is None


names = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
numbers = st.one_of(
    st.integers(0, 2**70),
    st.floats(0, 1e12),
    st.integers(0, 10**9).map(lambda n: n / 60),
    st.sampled_from([0.0005, 0.0015, 1e-7, 1e300, 1e308, BASE_MAX / 1000, (BASE_MAX + 1) / 1000, -1, -0.5]),
)
goals = st.dictionaries(names, st.fixed_dictionaries({}, optional={"metric": names, "hit": st.booleans() | st.none()}))
said = st.fixed_dictionaries(
    {"user_id": names, "date": st.sampled_from(["2026-02-16", "2024-02-29", "1969-12-31", "2026-02-29", "20260216"])},
    optional={
        "version": st.integers(0, 2**62),
        **{metric.name: numbers for metric in METRICS},
        "estimated_1rm_kg": st.dictionaries(names, numbers, max_size=2),
        "entities": st.integers(0, 99) | st.just(1.0),
        "sources": st.lists(names),
        "bests": st.dictionaries(names, st.tuples(numbers, names), max_size=20),
        "rest_day": st.booleans() | st.none(),
        "rest_days": st.lists(st.sampled_from([*facts.WEEKDAYS, "day"]), max_size=4),
        "goals": goals,
        "of_tomorrow": st.none() | st.booleans(),
    },
)


def test_a_number_beyond_all_numbers_counts_as_missing() -> None:
    value = b'{"user_id":"u","date":"2026-03-01","version":1,"energy_kcal":1e308,"steps":3,"entities":1}'
    found = read(value, 0)
    assert found is not None
    assert found[3] == facts.cell_of(facts.DayFacts(user_id="u", date="2026-03-01", entities=1, steps=3.0))
    assert compiled(value) in (None, found)


@given(said, st.booleans(), st.data())
def test_whatever_a_row_says_the_compiled_reader_says_the_same_or_nothing(
    row: dict[str, Any], in_order: bool, data: st.DataObject
) -> None:
    fields = [field.name for field in msgspec.structs.fields(DailyRow)]
    if in_order:
        row = {name: row[name] for name in fields if name in row}
        for name in ("bests", "goals"):
            if name in row:
                row[name] = dict(sorted(row[name].items()))
    separators = data.draw(st.sampled_from([(",", ":"), (", ", ": ")]))
    value = json.dumps(row, separators=separators, ensure_ascii=data.draw(st.booleans())).encode()
    assert compiled(value) in (None, python(value))
    cut = data.draw(st.integers(0, len(value)))
    broken = value[:cut] + data.draw(st.binary(max_size=2)) + value[cut + data.draw(st.integers(0, 2)) :]
    assert compiled(broken) in (None, python(broken))


def test_names_beyond_ascii_and_everything_a_row_can_say_are_read_at_first_sight() -> None:
    value = json.dumps(
        {
            **{"user_id": "ü|1", "date": "2026-03-01", "version": 7, "active_minutes": 62.016666666666666},
            **{"entities": 3, "sources": ["ios"], "bests": {"reps:Übung": [12, "w"], "steps": [3.5, "é"]}},
            **{"rest_day": True, "rest_days": ["sun", "sat"]},
            "goals": {"a": {"metric": "x", "delta": -0.5, "hit": True}, "b": {"hit": False}, "c": {"hit": True}},
        },
        separators=(",", ":"),
        ensure_ascii=False,
    ).encode()
    fields = [*json.loads(value)]
    found = native.DayReader(fields, SCALES).read([value], 0)
    assert found == [read(value, 0)]
    mask, _, tail, week = native.opened(found[0][3])
    assert facts.tail_of(tail, mask).goals == ["a", "c"]
    assert (week, bool(mask & facts.REST)) == (0b1100000, True)


@pytest.mark.parametrize("value", [None, b"", b"{", b"{}", b"[]", b'{"user_id":"u","date":"2026-03-01"} ', bytearray()])
def test_what_is_no_row_is_left_to_python(value: Any) -> None:
    assert reader.read([value], 0) == [None]


def test_bytes_that_are_no_text_are_left_to_python() -> None:
    value = encode_row(DailyRow("u_1", "2026-03-01", 9, entities=1, sources=["Bj"]))
    assert compiled(value) is not None
    assert compiled(value.replace(b"Bj", b"\xff\xfe")) is None


cells = st.builds(
    lambda found, rest: facts.cell_of(facts.DayFacts(**found, user_id="u", entities=1, rest_day=rest)),
    st.dictionaries(
        st.sampled_from([metric.name for metric in METRICS]), st.floats(0, 4e9) | st.integers(0, 9).map(float)
    ),
    st.booleans(),
)
changes = st.lists(st.tuples(st.integers(0, 45), st.none() | cells), max_size=40)


@given(cells)
def test_a_cell_is_opened_alike(cell: bytes) -> None:
    assert native.opened(cell) == tuple(facts.opened(cell))
    assert native.opened(None) == tuple(facts.opened(None))


@given(changes, st.lists(st.integers(0, 60), min_size=1, max_size=5))
@example([(0, facts.cell_of(facts.DayFacts(user_id="u", entities=1, steps=1.0)))], [0, 6, 7, 8])
@example([(n, facts.cell_of(facts.DayFacts(user_id="u", entities=1, steps=s))) for n, s in ((0, 1.0), (30, 4e9))], [30])
def test_windows_slide_and_are_said_alike(changed: list[tuple[int, bytes | None]], days: list[int]) -> None:
    history = History()
    both = native.Windows(history, FIRST), windows.Windows(history, FIRST)
    for i, (day, cell) in enumerate(changed):
        before = history.put(FIRST + day, cell)
        for each in both:
            each.change(FIRST + day, before, cell)
        for each in both:
            each.slide(history, FIRST + days[i % len(days)])
        assert both[0].values(FIRST) == both[1].values(FIRST), day_text(both[0].as_of)


@given(
    *(st.none() | cells, st.none() | cells, st.integers(FIRST, FIRST + 20)),
    st.lists(st.tuples(st.integers(FIRST, FIRST + 20), cells), max_size=4),
)
def test_what_changes_only_sums_changes_no_record_and_no_mark(
    old: bytes | None, cell: bytes | None, day: int, others: list[tuple[int, bytes]]
) -> None:
    history = History()
    for on, each in [*others, (day, old)]:
        history.put(on, each)
    records = search(history.all())
    is_quiet = native.sums_only(old, cell, day, records)
    mask, before, tail, week = facts.opened(old)
    new_mask, after, new_tail, new_week = facts.opened(cell)
    if old is not None and old == cell:
        assert is_quiet
    if is_quiet:
        assert not (mask ^ new_mask) & facts.MARKS
        assert (tail, week) == (new_tail, new_week)
        assert not change(dict(records), day, before, after, {}).any


any_name = names | st.sampled_from(["estimated_1rm_kg:Bench Press (Barbell)", 'a"b', "a\\b", "\x7f", "ü", "\ud7ff", ""])
quantities = st.one_of(
    st.floats(0, 1e300),
    st.integers(0, 10**13).map(lambda n: n / 1000),
    st.sampled_from([0.0, -0.0, 1 / 3, 5e-324, 1e9, 1e12, 999999999999.999, 1e15, 1e16, 4503599627370.4965, 0.0005]),
)
day_numbers = st.integers(FIRST - 900, FIRST + 900) | st.sampled_from([-1, 0, 2_000_000, 2_000_001, 2_900_000])
holders = st.tuples(quantities, day_numbers, st.none() | any_name)
held = st.builds(lambda now, before: Held(*now, before), holders, st.none() | holders)


@given(any_name, held)
def test_a_record_is_said_alike(name: str, record: Held) -> None:
    assert native_said.record_said(name, record) == saying.record_said(name, record)


@given(any_name, st.tuples(day_numbers, day_numbers, st.integers(1, 9999), st.booleans()), st.data())
def test_a_streak_is_said_alike(name: str, shown: tuple[int, int, int, bool], data: st.DataObject) -> None:
    best = Run(*data.draw(st.tuples(day_numbers, day_numbers, st.integers(1, 9999))))
    both = native_said.streak_said(name, Shown(*shown), best), saying.streak_said(name, Shown(*shown), best)
    assert both[0] == both[1]


kilograms = st.integers(1, 10**6).map(lambda grams: grams / 1000) | st.floats(1e-9, 1e8)
estimates = st.dictionaries(st.sampled_from(["Squat", "Übung", 'a"b', "Row", ""]), kilograms, max_size=3)


@given(st.dictionaries(st.integers(FIRST - 50, FIRST + 5), estimates, max_size=12))
def test_strength_is_said_alike(lifts: dict[int, dict[str, float]]) -> None:
    assert native_said.strength_said(lifts, FIRST) == saying.strength_said(lifts, FIRST)


parts = st.none() | st.sampled_from([b"{}", b'{"a":1}', b'{"b":{"c":"\xc3\xbc"}}'])


@given(
    any_name,
    st.integers(0, 2**62),
    st.tuples(day_numbers, day_numbers, st.integers(1, 40_000)),
    st.tuples(*[st.none() | quantities] * 3),
    st.tuples(*[parts] * 4),
)
def test_a_row_is_said_alike(user: str, version: int, days: Any, load: Any, said: Any) -> None:
    one = native_said.row_said(user, version, days, load, said)
    assert one == saying.row_said(user, version, days, load, said)
