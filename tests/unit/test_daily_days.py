"""The local day that the user lived, case by case."""

from __future__ import annotations

from typing import Any

import pytest
from day_kit import days_of, drained, event
from events import encode

from producers import truth
from streams.daily.core import Ledger


def at(time: str, timezone: str | None = None, entity: str = "w") -> Any:
    more = {} if timezone is None else {"timezone": timezone}
    return event("water.logged", {"ml": 1}, entity, time, **more)


def profile(since: str | None = "2026-01-01", entity: str = "profile", **data: Any) -> Any:
    said = data if since is None else {**data, "effective_from": since}
    return event("profile.updated", said, entity, "2026-01-01T00:00:00Z")


BERLIN = profile(timezone="Europe/Berlin")
FOUR = profile(day_start="04:00", timezone="Europe/Berlin")
MOVED = profile("2026-06-01", timezone="Asia/Tokyo")


@pytest.mark.parametrize(
    ("time", "timezone", "profiles", "day"),
    [
        # the event's own offset says where the user was, whatever else is known
        ("2026-03-01T00:00:00+01:00", None, [], "2026-03-01"),
        ("2026-03-01T23:59:59.999+01:00", "Asia/Tokyo", [MOVED], "2026-03-01"),
        ("2026-03-01T00:30:00+05:45", None, [], "2026-03-01"),  # Kathmandu, 18:45 of the day before in UTC
        ("2026-03-01T23:30:00-03:30", None, [], "2026-03-01"),
        # Z says nothing: its own zone, then the profile's of that date, then UTC
        ("2026-03-01T23:30:00Z", None, [], "2026-03-01"),
        ("2026-03-01T23:30:00Z", "Europe/Berlin", [], "2026-03-02"),
        ("2026-03-01T23:30:00Z", "America/New_York", [BERLIN], "2026-03-01"),
        ("2026-03-01T23:30:00Z", None, [BERLIN], "2026-03-02"),
        ("2026-05-31T20:00:00Z", None, [BERLIN, MOVED], "2026-06-01"),  # a day that Tokyo itself gives
        ("2026-05-31T14:00:00Z", None, [BERLIN, MOVED], "2026-05-31"),
        ("2025-12-31T23:30:00Z", None, [BERLIN], "2026-01-01"),
        ("2025-12-31T22:30:00Z", None, [BERLIN], "2025-12-31"),  # before the first profile: UTC
        ("2026-03-01T18:14:00Z", "Asia/Kathmandu", [], "2026-03-01"),
        ("2026-03-01T18:15:00Z", "Asia/Kathmandu", [], "2026-03-02"),
        # day start
        ("2026-03-02T03:59:59+01:00", None, [FOUR], "2026-03-01"),
        ("2026-03-02T04:00:00+01:00", None, [FOUR], "2026-03-02"),
        ("2026-03-02T02:59:59Z", None, [FOUR], "2026-03-01"),
        ("2026-03-02T03:00:00Z", None, [FOUR], "2026-03-02"),
        ("2026-01-01T03:00:00+01:00", None, [FOUR], "2026-01-01"),  # the day before is not the profile's: no day start
        # the day of 23 hours: Berlin's clocks go from 02:00 to 03:00 on 29 March 2026
        ("2026-03-28T23:00:00Z", "Europe/Berlin", [], "2026-03-29"),
        ("2026-03-29T21:59:59Z", "Europe/Berlin", [], "2026-03-29"),
        ("2026-03-29T22:00:00Z", "Europe/Berlin", [], "2026-03-30"),
        ("2026-03-29T01:59:59Z", None, [FOUR], "2026-03-28"),  # 03:59:59 summer time
        ("2026-03-29T02:00:00Z", None, [FOUR], "2026-03-29"),
        # the day of 25 hours: 25 October 2026, 02:30 comes twice
        ("2026-10-24T22:00:00Z", "Europe/Berlin", [], "2026-10-25"),
        ("2026-10-25T22:59:59Z", "Europe/Berlin", [], "2026-10-25"),
        ("2026-10-25T23:00:00Z", "Europe/Berlin", [], "2026-10-26"),
        ("2026-10-25T02:30:00+02:00", None, [], "2026-10-25"),
        ("2026-10-25T02:30:00+01:00", None, [], "2026-10-25"),
        # half an hour of summer time, on Lord Howe Island
        ("2026-04-04T12:59:59Z", "Australia/Lord_Howe", [], "2026-04-04"),
        ("2026-04-04T13:00:00Z", "Australia/Lord_Howe", [], "2026-04-05"),
        ("2026-04-05T13:29:59Z", "Australia/Lord_Howe", [], "2026-04-05"),
        ("2026-04-05T13:30:00Z", "Australia/Lord_Howe", [], "2026-04-06"),
        # across the date line
        ("2026-03-01T23:00:00+14:00", None, [], "2026-03-01"),  # Kiritimati
        ("2026-02-28T23:00:00-11:00", None, [], "2026-02-28"),  # Pago Pago, an hour later
        ("2011-12-30T09:59:59Z", "Pacific/Apia", [], "2011-12-29"),  # Samoa had no 30 December 2011
        ("2011-12-30T10:00:00Z", "Pacific/Apia", [], "2011-12-31"),
    ],
)  # fmt: skip
def test_the_day_that_was_lived(time: str, timezone: str | None, profiles: list[Any], day: str) -> None:
    history = [at(time, timezone), *profiles]
    assert days_of(*history) == days_of(*reversed(history)) == [day]
    assert [key[1] for key in truth.daily_rows(map(encode, history))] == [day]


def test_a_flight_over_the_date_line_makes_a_day_longer_and_another_missing() -> None:
    before, after = at("2026-03-01T22:00:00+13:00", None, "a"), at("2026-03-01T01:00:00-10:00", None, "b")
    assert days_of(before, after) == ["2026-03-01"]
    westward = at("2026-03-01T20:00:00-10:00", None, "a"), at("2026-03-03T06:00:00+13:00", None, "b")
    assert days_of(*westward) == ["2026-03-01", "2026-03-03"]


def test_a_corrected_profile_moves_only_what_it_touches() -> None:
    ledger = Ledger()
    history = [
        at("2026-03-01T23:30:00Z", None, "floating"),
        at("2026-03-01T23:30:00Z", "Europe/London", "own zone"),
        at("2026-03-03T23:30:00+00:00", None, "own offset"),
        at("2026-03-05T12:00:00Z", None, "noon"),
        at("2026-03-07T23:30:00Z", None, "later"),
    ]
    wrong, right = profile(timezone="Europe/London"), {**profile(timezone="Europe/Berlin"), "revision": 2}
    assert set(drained(ledger, wrong, *history)) == {"2026-03-01", "2026-03-03", "2026-03-05", "2026-03-07"}
    rows = drained(ledger, right)
    assert {day: row.water_ml for day, row in rows.items()} == {
        "2026-03-01": 1.0, "2026-03-02": 1.0, "2026-03-07": None, "2026-03-08": 1.0,
    }  # fmt: skip
    assert drained(ledger, profile("2026-03-06", timezone="Europe/Berlin")) == {}
