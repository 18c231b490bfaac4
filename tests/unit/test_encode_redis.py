"""Daily rows as Redis takes them; its errors as what to do next."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import exceptions as redis
from sink_kit import null_row, row

from schemas.rows import Best, DailyRow, GoalDay, PlannedDay
from schemas.tables import DAILY_COLUMNS, DAILY_METRICS
from sinks.base import Refused, Retry, Stop
from sinks.redis import encode, read
from sinks.redis.retry import judge

floats = st.floats(allow_nan=False, allow_infinity=False)
integers = st.integers(0, 2**63 - 1)
goals = st.builds(
    GoalDay,
    st.text(),
    floats,
    st.text(),
    floats,
    st.text(),
    st.none() | floats,
    st.none() | floats,
    st.none() | st.booleans(),
)
values = {
    float: floats,
    int: integers,
    dict[str, float]: st.dictionaries(st.text(), floats, min_size=1),
    dict[str, Best]: st.dictionaries(st.text(), st.builds(Best, floats, st.text()), min_size=1),
    list[str]: st.lists(st.text(), min_size=1),
    str: st.text(),
    bool: st.booleans(),
    dict[str, str]: st.dictionaries(st.text(), st.text(), min_size=1),
    dict[str, GoalDay]: st.dictionaries(st.text(), goals, min_size=1),
    dict[str, PlannedDay]: st.dictionaries(
        st.text(), st.builds(PlannedDay, st.text(), floats, st.none() | st.text()), min_size=1
    ),
}
instants = st.integers(1, 4_102_444_800_000)
days = st.builds(
    DailyRow,
    st.text(min_size=1),
    st.just("2026-03-01"),
    integers,
    **{
        c.field: st.none() | (instants if c.name.endswith("_at") else values[c.type])  # type: ignore[index]
        for c in DAILY_COLUMNS[3:]
    },
)


@given(days)
def test_a_hash_reads_back_as_the_row_to_the_last_bit(day: DailyRow) -> None:
    found = encode.fields(day)
    assert read.row(dict(zip(found[::2], found[1::2], strict=True))) == day


def test_what_is_null_is_not_there() -> None:
    found = encode.fields(null_row("u", 9))
    assert found == ["version", "9", "user_id", "u", "date", "2026-03-01"]


def test_the_fields_are_the_columns_of_the_other_stores() -> None:
    names = {"user_id", "date", "version", *DAILY_METRICS}
    assert set(encode.fields(row("u", 1, first_event_ms=5))[::2]) <= names


def test_the_script_gets_a_key_and_a_packed_row_each() -> None:
    keys, packed = encode.script_arguments([row("u:1", 7)])
    assert keys == ["daybook:day:u:1:2026-03-01"]
    assert msgspec.msgpack.decode(packed[0])[:2] == ["version", "7"]
    with pytest.raises(Refused):
        encode.script_arguments([row("u", 1, "2026-02-30")])


@pytest.mark.parametrize(
    ("error", "then"),
    [
        (redis.ConnectionError("Connection refused"), Retry),
        (redis.TimeoutError("Timeout reading from socket"), Retry),
        (redis.BusyLoadingError("Redis is loading the dataset in memory"), Retry),
        (redis.OutOfMemoryError("OOM command not allowed when used memory > 'maxmemory'"), Retry),
        (redis.ResponseError("MISCONF Redis is configured to save RDB snapshots, but ..."), Retry),
        (redis.ReadOnlyError("You can't write against a read only replica"), Retry),
        (ConnectionResetError(), Retry),
        (redis.ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value"), Refused),
        (redis.AuthenticationError("WRONGPASS invalid username-password pair"), Stop),
        (redis.NoPermissionError("NOPERM this user has no permissions"), Stop),
        (redis.ResponseError("ERR unknown command"), Stop),
    ],
)
def test_an_error_is_judged_by_what_it_is(error: Exception, then: type[Exception]) -> None:
    assert type(judge(error, "Redis at x")) is then
