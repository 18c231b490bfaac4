"""Daily rows as PostgreSQL takes them; its errors as what to do next."""

from __future__ import annotations

import re
from importlib.resources import files

import psycopg
import pytest
from sink_kit import row

from schemas.rows import DailyRow, RejectedRow
from schemas.tables import DAILY_COLUMNS
from sinks.base import Refused, Retry, Stop
from sinks.postgres import encode
from sinks.postgres.retry import judge


def test_a_staged_row_has_a_value_for_every_column_and_no_collections() -> None:
    (staged,) = encode.staged([row("u", 1, estimated_1rm_kg={"a": 1.5}, sources=["x", 'y"'])])
    assert len(staged) == len(DAILY_COLUMNS) == len(encode.STAGED_TYPES)
    names = [c.name for c in DAILY_COLUMNS]
    assert staged[names.index("estimated_1rm_kg")] == '{"a":1.5}'
    assert staged[names.index("sources")] == '{"x","y\\""}'
    assert staged[names.index("energy_kcal")] is None


def test_the_table_has_the_columns_of_the_row_in_its_order() -> None:
    found = sorted(files("sinks.postgres.migrations").iterdir(), key=lambda file: file.name)
    first, *later = [file.read_text() for file in found if file.name.endswith(".sql")]
    body = first.split("CREATE TABLE user_metrics_daily (\n")[1].split("PRIMARY KEY")[0]
    altered = [each for sql in later for each in re.findall(r"ALTER TABLE user_metrics_daily\s+ADD[^;]*;", sql)]
    lines = body.strip().splitlines() + re.findall(r"ADD COLUMN (.*?)[,;]", "".join(altered))
    types = {float: "double precision", int: "bigint", list[str]: "text[]", str: "text", bool: "boolean"}
    for line, column in zip(lines, DAILY_COLUMNS, strict=True):
        want = "jsonb" if column.is_map else types[column.type]  # type: ignore[index]
        if column.name.endswith("_at") or column.name == "date":
            want = "date" if column.name == "date" else "timestamptz"
        assert line.split("--")[0].split(",")[0].split(None, 1)[0] == column.name
        assert want in line


def test_months_are_those_of_the_rows_and_a_date_that_is_none_is_refused() -> None:
    rows = [row("u", 1, "2026-03-01"), row("u", 1, "2026-03-31"), row("v", 1, "1970-01-02")]
    assert encode.months(rows) == {"2026-03", "1970-01"}
    for date in ("2026-02-30", "today", "20260301", "2026-W10-1", "2149-06-07", "1969-12-31"):
        with pytest.raises(Refused, match=r"^u "):
            encode.months([DailyRow("u", date, 1)])


def test_a_nul_in_a_reason_is_written_out() -> None:
    found = encode.rejected(RejectedRow("meals", 1, 2, 3, "a\x00b", "$.\x00", b"\x00", b"k"))
    assert found == ("meals", 1, 2, 3, "a\\u0000b", "$.\\u0000", b"\x00", b"k", None)


@pytest.mark.parametrize(
    ("state", "then"),
    [
        ("22003", Refused),  # numeric value out of range
        ("23514", Refused),  # check violation
        ("54000", Refused),  # index row too large
        ("08006", Retry),
        ("40P01", Retry),  # deadlock
        ("53100", Retry),  # disk full
        ("57P01", Retry),  # admin shutdown
        ("25006", Retry),  # read-only: a standby
        ("42P01", Stop),  # no such table
        ("42501", Stop),  # no right to
    ],
)
def test_an_error_is_judged_by_its_state(state: str, then: type[Exception]) -> None:
    error = psycopg.errors.lookup(state)("because")
    assert type(judge(error, "PostgreSQL at x")) is then


def test_a_month_that_was_dropped_is_made_again() -> None:
    error = psycopg.errors.CheckViolation('no partition of relation "user_metrics_daily" found for row')
    assert isinstance(judge(error, "x"), Retry)


def test_a_lost_connection_is_waited_for_and_a_wrong_password_is_not() -> None:
    assert isinstance(judge(psycopg.OperationalError("server closed the connection unexpectedly"), "x"), Retry)
    wrong = psycopg.OperationalError('connection failed: FATAL:  password authentication failed for user "daybook"')
    assert isinstance(judge(wrong, "x"), Stop)
