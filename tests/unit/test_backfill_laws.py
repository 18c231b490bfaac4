"""The laws of a backfill: it keeps to its budget, gives way, and whatever happens meanwhile ends at one pass's rows."""

from __future__ import annotations

import doctest
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest
from day_kit import event
from definitions_kit import compute_rows, drained_all, heard, in_force, learn
from events import RECEIVED_MS, USERS, encode, records_of
from hypothesis import example, given, settings
from hypothesis import strategies as st

from daybook.backfill import budget, compute, swap
from daybook.backfill.budget import Budget, Limits, Look, Pressure
from daybook.backfill.runs import Run, definitions_of
from schemas.definitions import NONE, Definitions, Version
from schemas.families import FAMILY_OF
from schemas.hints import DaysHint, encode_hint
from schemas.instants import day_number
from schemas.topics import HINTS
from streams.daily.core import Ledger
from streams.daily.definitions import InForce
from streams.state import Records

LIMITS = Limits(lag_s=5.0, postgres_ms=100.0)


def test_the_examples_in_the_docstrings_run() -> None:
    for module in (budget, swap):
        assert doctest.testmod(module).failed == 0
        assert doctest.testmod(module).attempted


@given(st.integers(1, 100), st.lists(st.tuples(st.floats(0.001, 10), st.integers(0, 5_000)), min_size=1))
def test_a_share_of_the_time_is_not_exceeded(share: int, pieces: list[tuple[float, int]]) -> None:
    asked = Budget.parse(f"{share}%")
    worked = sum(took for took, _ in pieces)
    whole = worked + sum(asked.rest_s(took, days) for took, days in pieces)
    assert worked <= whole * share / 100 * 1.000001


@given(st.integers(1, 50_000), st.lists(st.tuples(st.floats(0.001, 10), st.integers(0, 5_000)), min_size=1))
def test_a_rate_is_not_exceeded(rate: int, pieces: list[tuple[float, int]]) -> None:
    asked = Budget.parse(f"{rate}")
    whole = sum(took + asked.rest_s(took, days) for took, days in pieces)
    assert sum(days for _, days in pieces) <= whole * rate * 1.000001


@pytest.mark.parametrize("text", ["0", "0%", "101%", "-5", "fast", "", "%", "1.5"])
def test_what_is_no_budget_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a share"):
        Budget.parse(text)


looks = st.lists(st.tuples(st.integers(0, 60_000), st.integers(0, 40_000), st.floats(0, 400)), min_size=1, max_size=20)


@given(looks)
def test_it_goes_on_only_where_every_limit_is_kept_and_by_half_once_it_waited(
    seen: list[tuple[int, int, float]],
) -> None:
    pressure, last, waited, ended = Pressure(LIMITS), None, False, 100_000
    for at, (behind, came, postgres_ms) in enumerate(seen):
        ended += came
        look = Look(float(at), behind, ended, postgres_ms)
        allowed = 0.5 if waited else 1.0
        calm = budget.lag_s(last, look) <= 5.0 * allowed and postgres_ms <= 100.0 * allowed
        why = pressure.why_wait(look)
        assert (why is None) is calm
        last, waited = look, why is not None


def test_events_that_wait_while_nothing_is_worked_off_stand_still() -> None:
    pressure = Pressure(LIMITS)
    assert pressure.why_wait(Look(0.0, 5_000, 10_000, 1.0)) is None
    assert pressure.why_wait(Look(1.0, 7_000, 12_000, 1.0)) == "live events stand still"
    assert pressure.why_wait(Look(2.0, 8_000, 14_000, 1.0)) == "live events are 7.7 s behind"
    assert pressure.why_wait(Look(3.0, 2_000, 16_000, 1.0)) is None


class Installation:
    """An owner, what the stores hold (which lags behind what the owner said), and a backfill beside: a model of
    shadow.py and swap.py with their clock, passes and hints, and with the real core."""

    def __init__(self, before: Definitions, metric: str, after: Definitions) -> None:
        self.ledger = Ledger(in_force=InForce(before))
        self.before, self.after, self.metric = before, after, metric
        self.history: list[Any] = []
        self.flushed: list[Any] = []
        """What the stores hold the winners of."""
        self.rows: dict[tuple[str, str], Any] = {}
        self.written: dict[tuple[str, str], int] = {}
        """When a row was written."""
        self.clock = 0
        self.changed: dict[tuple[str, str], bool] = {}

    def live(self, event: Any) -> None:
        self.ledger.fold(records_of([encode(event)], FAMILY_OF[event["type"]]))
        self.history.append(event)

    def flush(self) -> None:
        """Owner, transaction and sinks: row and winners as one."""
        self.clock += 1
        fresh: dict[tuple[str, str], Any] = {}
        learn(self.ledger, fresh)
        self.rows |= fresh
        self.written |= dict.fromkeys(fresh, self.clock)
        self.flushed = list(self.history)

    def look(self, is_asked: Any) -> None:
        found = compute.values(
            compute_rows(self.flushed), self.metric, InForce(self.before), InForce(self.after), is_asked
        )
        self.changed |= {(v.user_id, v.date): v.is_changed for v in found}

    def changed_since(self, clock: int) -> set[tuple[str, int]]:
        return {(user, day_number(date.fromisoformat(day))) for (user, day), at in self.written.items() if at >= clock}

    def say_again(self, days: list[tuple[str, str]]) -> None:
        for user, day in days:
            hint = encode_hint(DaysHint([day]))
            self.ledger.fold(Records(HINTS.name, 0, [0], [RECEIVED_MS], [user.encode()], [hint]))


@st.composite
def _sleep(draw: st.DrawFn) -> Any:
    """Of which the definition says how long it was; few people, days and entities, so that all collide."""
    data = {"asleep_s": 60 * draw(st.integers(1, 3)), "in_bed_s": 60 * draw(st.integers(2, 5))}
    deleted = draw(st.sampled_from([False, False, False, True]))
    said = event("sleep.deleted" if deleted else "sleep.recorded", {} if deleted else data, draw(st.sampled_from("ab")))
    day, revision = draw(st.sampled_from(["2026-03-01", "2026-03-02"])), draw(st.integers(1, 4))
    return said | {"subject": draw(st.sampled_from(USERS)), "time": f"{day}T07:00:00+01:00", "revision": revision}


live = st.lists(st.one_of(_sleep(), st.just(None)), max_size=5)
"""Live events; None: a flush."""
in_bed = st.builds(
    Version, st.just("sleep_minutes"), st.just(2), st.just({"counts": "in_bed"}),
    st.sampled_from([None, "2026-03-02"]), st.sampled_from([None, "2026-03-02"]), st.just("1"),
)  # fmt: skip


WHEN = "2026-03-01T07:00:00+01:00"
ONE = event("sleep.recorded", {"asleep_s": 60, "in_bed_s": 300}, time=WHEN) | {"subject": USERS[0]}
FOR_ALL = Version("sleep_minutes", 2, {"counts": "in_bed"}, None, None, "1")


@given(live, live, live, live, live, st.one_of(st.just(NONE), in_force), in_bed)
@example([], [ONE, None], [], [], [], NONE, FOR_ALL)
@example([], [], [ONE, None], [], [], NONE, FOR_ALL)
@example([], [], [], [ONE, None], [], NONE, FOR_ALL)
@settings(max_examples=200)
def test_whatever_comes_while_a_definition_changes_the_rows_end_as_one_pass_makes_them(
    first: list[Any], during: list[Any], between: list[Any], at_swap: list[Any], after: list[Any],
    before: Definitions, change: Version,
) -> None:  # fmt: skip
    then = before.plus(change)
    world = Installation(before, "sleep_minutes", then)

    def happen(some: list[Any]) -> None:
        for one in some:
            world.flush() if one is None else world.live(one)

    happen(first)
    world.flush()
    world.clock += 1
    seen_to = world.clock  # a pass: note the clock, let everything pass, read
    world.flush()
    for user in USERS:
        world.look(lambda u, day, user=user: u == user)
        happen(during)
    later = world.clock
    world.flush()
    again = world.changed_since(seen_to)
    world.look(lambda u, day: (u, day) in again)
    happen(between)
    world.ledger.fold(heard(then))
    happen(at_swap)
    world.flush()
    again = world.changed_since(later)
    world.look(lambda u, day: (u, day) in again)
    happen(after)
    world.say_again([day for day, is_changed in world.changed.items() if is_changed])
    world.flush()

    want = {k: r for k, r in drained_all(Ledger(in_force=InForce(then)), world.history).items() if not r.is_null}
    assert {key: row for key, row in world.rows.items() if not row.is_null} == want


def test_a_swap_that_was_cut_short_is_recognised_and_a_stale_shadow_refused() -> None:
    run = Run(
        3, "sleep_minutes", 2, {"counts": "in_bed"}, None, None, 0, "ready", 0, True, 0, 0, None, datetime.now(UTC)
    )
    mine = NONE.plus(run.definition)
    assert swap.fits(run.base, run.id, NONE)
    assert not swap.is_in_force(run.id, NONE)
    assert swap.fits(run.base, run.id, mine)
    assert swap.is_in_force(run.id, mine)
    other = NONE.plus(run._replace(id=4).definition)
    assert not swap.fits(run.base, run.id, other)
    assert not swap.fits(run.base, run.id, mine.plus(run._replace(id=4).definition))


def test_what_was_put_in_force_is_known_from_the_register_alone() -> None:
    now = datetime.now(UTC)
    run = Run(3, "sleep_minutes", 2, {"counts": "in_bed"}, None, None, 0, "done", 0, True, 0, 0, None, now)
    other = run._replace(id=2, metric="meals_coverage", parameters={"meals_a_day": 2}, base=1, state="swapping")
    dropped = run._replace(id=5, state="dropped")
    assert definitions_of([other, dropped, run]) == NONE.plus(run.definition).plus(other.definition)


def test_hints_name_days_in_records_of_bounded_size() -> None:
    found = list(swap.hints({"u": [f"2026-01-{1 + n % 28:02}" for n in range(401)]}, 3))
    assert [len(msgspec.json.decode(value)["dates"]) for (_, value), _ in found] == [200, 200, 1]
    assert [rows for _, rows in found] == [200, 200, 1]
    assert {key for (key, _), _ in found} == {b"u"}
