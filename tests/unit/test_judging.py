"""What is wrong with which cell, and why: guesses of the audit, and winners that events contradict."""

from __future__ import annotations

import json
from typing import Any

from events import encode, histories
from hypothesis import given

from daybook import progress
from daybook.judging import PROGRESS, STREAM, wrong_days, wrong_entities, wrong_progress
from daybook.recompute import EventRow, recompute
from daybook.stored import Range
from schemas.families import FAMILY_OF
from schemas.ledger import split_key, unpack_winner
from schemas.progress import ProgressRow, Window
from schemas.rows import DailyRow
from sinks.batch import EntityRow
from sinks.clickhouse import encode as clickhouse
from sinks.clickhouse.entities import StoredEntity
from streams.daily.core import Ledger
from streams.state import Records

DAY = ("u", "2026-03-01")
NOW = 1_780_000_000_000


def row(steps: int | None, version: int = 5) -> DailyRow:
    return DailyRow(*DAY, version, steps=steps, entities=1)


def causes(want: DailyRow | None, *, gone: bool = False, **held: DailyRow | None) -> dict[str, str]:
    stores = {store: {} if found is None else {DAY: found} for store, found in held.items()}
    return {w.store: w.cause for w in wrong_days({DAY: want}, stores, {DAY} if gone else set())}


def test_nothing_is_wrong_where_all_say_the_same() -> None:
    assert causes(row(7), postgres=row(7), clickhouse=row(7, 4), redis=row(7)) == {}
    assert causes(None, postgres=None, clickhouse=None, redis=None) == {}


def test_each_cause_is_told_from_the_others() -> None:
    right = row(7)
    assert causes(right, postgres=None, clickhouse=right, redis=right) == {"postgres": "lost"}
    assert causes(right, postgres=row(6, 4), clickhouse=right, redis=right) == {"postgres": "older"}
    assert causes(right, postgres=right, clickhouse=row(6), redis=right) == {"clickhouse": "altered"}
    assert causes(right, postgres=right, clickhouse=right, redis=row(6, 9)) == {"redis": "altered"}
    assert causes(None, postgres=None, clickhouse=None, redis=row(6)) == {"redis": "altered"}
    everywhere = dict.fromkeys(("postgres", "clickhouse", "redis"), STREAM)
    assert causes(right, postgres=row(8), clickhouse=row(8), redis=row(8)) == everywhere
    assert causes(right, postgres=None, clickhouse=None, redis=None) == everywhere


def test_what_may_have_expired_in_redis_is_not_wrong_there_unless_it_says_something_else() -> None:
    right = row(7)
    assert causes(right, gone=True, postgres=right, clickhouse=right, redis=None) == {}
    assert causes(right, gone=True, postgres=right, clickhouse=right, redis=row(6)) == {"redis": "altered"}


def came_to(days: int, version: int = 5, **windows: Window) -> ProgressRow:
    return ProgressRow("u", version, DAY[1], DAY[1], days, windows=windows or None)


def causes_of_progress(want: ProgressRow | None, *, gone: bool = False, **held: ProgressRow | None) -> dict[str, str]:
    wanted = {} if want is None else {"u": progress.said(want)}
    stores = {store: {} if found is None else {"u": found} for store, found in held.items()}
    found = wrong_progress(wanted, stores, lambda user: gone)
    assert {(w.user, w.what) for w in found} <= {("u", PROGRESS)}
    return {w.store: w.cause for w in found}


def test_progress_is_judged_as_days_are() -> None:
    right = came_to(7)
    assert causes_of_progress(right, postgres=right, clickhouse=came_to(7, 4), redis=right) == {}
    assert causes_of_progress(None, postgres=None, clickhouse=None, redis=None) == {}
    assert causes_of_progress(right, postgres=None, clickhouse=right, redis=right) == {"postgres": "lost"}
    assert causes_of_progress(right, postgres=came_to(6, 4), clickhouse=right, redis=right) == {"postgres": "older"}
    assert causes_of_progress(right, postgres=right, clickhouse=came_to(6), redis=right) == {"clickhouse": "altered"}
    assert causes_of_progress(None, postgres=None, clickhouse=None, redis=came_to(6)) == {"redis": "altered"}
    everywhere = dict.fromkeys(("postgres", "clickhouse", "redis"), STREAM)
    assert causes_of_progress(right, postgres=came_to(8), clickhouse=came_to(8), redis=came_to(8)) == everywhere
    assert causes_of_progress(right, gone=True, postgres=right, clickhouse=right, redis=None) == {}
    assert causes_of_progress(right, postgres=right, clickhouse=right, redis=None) == {"redis": "lost"}
    sums = came_to(7, steps=Window(5.0)), came_to(7, steps=Window(6.0))
    [wrong] = wrong_progress({"u": progress.said(sums[0])}, {"postgres": {"u": sums[1]}}, lambda user: False)
    assert (wrong.expected, wrong.found) == (
        {"windows.steps": {"sum_7d": 5.0}},
        {"windows.steps": {"sum_7d": 6.0}},
    )


def test_what_is_told_names_the_columns_that_differ() -> None:
    [wrong] = wrong_days({DAY: row(7)}, {"postgres": {DAY: row(9)}, "redis": {DAY: row(7)}}, set())
    assert (wrong.user, wrong.what, wrong.expected, wrong.found) == (*DAY, {"steps": 7}, {"steps": 9})


def stored(history: list[dict[str, Any]]) -> tuple[list[StoredEntity], list[EventRow]]:
    """What ClickHouse holds of these events: winners and raw events."""
    ledger, events = Ledger(), []
    for event in history:
        family, raw, subject = FAMILY_OF[event["type"]], encode(event), event["subject"]
        ledger.fold(Records(family, 0, [0], [NOW], [subject.encode()], [raw]))
        register = ""
        key = next(iter(ledger.drain(1).state), None)
        if family == "plans" and key is not None:
            register = split_key(key[0]).register or ""
        events.append(EventRow(family, NOW, subject, event.get("entity") or event["id"], register, raw.decode()))
    winners = [
        EntityRow(*split_key(key), unpack_winner(value))
        for user in ledger.users.values()
        for key, value in user.entities.items()
    ]
    columns = clickhouse.entities(winners)
    rows = [
        StoredEntity(
            w.subject, w.family, w.entity, w.register or "", w.winner.kind.type, w.winner.revision, w.winner.deleted,
            w.winner.digest, w.winner.ms, w.winner.offset_min, w.winner.timezone, w.winner.source,
            columns["contribution"][i],
        )
        for i, w in enumerate(winners)
    ]  # fmt: skip
    return rows, events


@given(histories)
def test_winners_as_the_sink_stores_them_are_what_their_events_say(history: list[dict[str, Any]]) -> None:
    entities, events = stored(history)
    assert wrong_entities(recompute(entities, events)) == []


@given(histories)
def test_lost_and_altered_winners_are_found_and_the_days_are_made_of_the_events(history: list[dict[str, Any]]) -> None:
    entities, events = stored(history)
    right = recompute(entities, events)
    for i, entity in enumerate(entities):
        without = entities[:i] + entities[i + 1 :]
        found = recompute(without, events)
        assert [w.cause for w in wrong_entities(found)] == ["lost"]
        assert found.rows == right.rows
        if (said := json.loads(entity.contribution)) and not said.get("tail"):
            name = sorted(said)[0]
            altered = entity._replace(contribution=json.dumps(said | {name: said[name] + 1}))
            found = recompute([*without, altered], events)
            assert [w.cause for w in wrong_entities(found)] == ["altered"]
            assert found.rows == right.rows


def test_a_range_holds_who_its_condition_selects() -> None:
    assert [Range("b", "d").holds(user) for user in ("a", "b", "c", "d", "e")] == [False, False, True, True, False]
    assert Range(None, None).holds("x")
    assert Range.of("u").holds("u")
    assert not Range.of("u").holds("v")
