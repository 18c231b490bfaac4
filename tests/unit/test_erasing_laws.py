"""The laws of erasure in the streams: one leaves without a trace, and the others are as if that one had never been."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import pytest
from events import RECEIVED_MS, USERS, encode, histories
from events import events as an_event
from hypothesis import given, settings
from hypothesis import strategies as st
from old_world import SECRET, World, batch_rows, run, steps

from producers.audience import Faults
from producers.audience import events as audience
from schemas.refusal import WRONG_KEY, filed
from schemas.rows import DailyRow, decode_rejected, encode_row
from schemas.suppression import Erased, OtherKey
from schemas.topics import LEDGER, MEALS, REJECTED, SUPPRESSED
from sinks.erased import strip
from sinks.intake import Taken, take
from streams.affinity.core import Affinity
from streams.daily.core import Ledger
from streams.progress.core import OLDEST, Progress
from streams.runtime.partition import OwnedPartition
from streams.state import Records
from streams.trending.core import Viewings
from streams.trending.reading import best_path, python_path

Event = dict[str, Any]
GONE, STAYS = USERS


def live(changelog: list[tuple[bytes, bytes | None]]) -> dict[bytes, bytes]:
    """What is left of a changelog when Kafka has compacted it."""
    return {key: value for key, value in dict(changelog).items() if value is not None}


@given(histories, st.lists(steps, max_size=20), st.lists(steps, max_size=20), st.lists(an_event, max_size=4))
@settings(max_examples=250)
def test_whatever_happens_before_and_after_an_erasure_the_erased_leave_no_trace_and_the_others_keep_all(
    history: list[Event], before: list[tuple[str, Any]], after: list[tuple[str, Any]], late: list[Event]
) -> None:
    world = World()
    sent = run(world, history, before)
    world.erase(GONE)
    sent += run(world, [], after)
    world.heal()
    world.check_conservation()
    world.rows = {at: row for at, row in world.rows.items() if at[0] != GONE}  # as `daybook erase` buries old days
    world.crash()
    for event in [*late, *(event for event in history if event["subject"] == GONE)]:
        world.send(event)
    world.heal()
    world.check_conservation()
    assert world.live_rows() == batch_rows([e for e in [*sent, *late] if e["subject"] != GONE])
    assert not any(subject == GONE for subject, _ in world.rows), "not even a row of nulls"
    assert not [key for key in live(world.changelog) if GONE.encode() in key]
    assert GONE not in {*world.ledger.users, *world.ledger.old.floors, *world.ledger.old.pending}


def views(seed: int) -> list[bytes]:
    start = RECEIVED_MS - 10 * 3_600_000
    faults = Faults(bot=0.2, twice=0.2)
    span = 9 * 3_600_000
    return list(audience(users=12, views=400, start_ms=start, span_ms=span, catalogue=20, faults=faults, seed=seed))


def records(raws: list[bytes], first: int = 0) -> Records:
    keys = [msgspec.json.decode(raw)["subject"].encode() for raw in raws]
    return Records("views", 0, range(first, first + len(raws)), [RECEIVED_MS] * len(raws), keys, raws)


def folded(make: Callable[[], Any], raws: list[bytes]) -> dict[bytes, bytes]:
    """The live changelog of a state that folds these."""
    state = make()
    state.fold(records(raws))
    return live(state.drain(1).state)


def lanes(state: Viewings) -> dict[tuple[int, tuple[int, str]], int]:
    return {
        (code, state.names[item]): cell.lanes
        for code, row in state.cells.items()
        for item, cell in row.items()
        if cell.lanes
    }


@pytest.mark.parametrize("path", [python_path, best_path])
@pytest.mark.parametrize("drained", [False, True])
def test_trends_count_as_if_the_erased_had_never_watched(path: Callable[[], Any], drained: bool) -> None:
    raws = views(1)
    others = [raw for raw in raws if b'"u000003"' not in raw]
    assert len(others) < len(raws)
    state, never = Viewings(path=path()), Viewings(path=path())
    state.fold(records(raws))
    log = list(state.drain(1).state) if drained else []
    state.erase(lambda subjects: [s for s in subjects if s == "u000003"])
    log += state.drain(2).state
    never.fold(records(others))
    assert live(log) == live(never.drain(1).state)
    assert lanes(state) == lanes(never)
    assert {name: c.count for v in state.claims.values() for name, c in v.items() if c.count} == {
        name: c.count for v in never.claims.values() for name, c in v.items() if c.count
    }
    again = Viewings(path=path())
    again.restore([key for key, _ in log], [value for _, value in log])
    assert lanes(again) == lanes(never)


def test_likes_count_as_if_the_erased_had_never_liked() -> None:
    raws = views(2)
    others = [raw for raw in raws if b'"u000003"' not in raw]
    state, never = Affinity(), Affinity()
    state.fold(records(raws))
    log = list(state.drain(1).state)
    state.erase(lambda subjects: [s for s in subjects if s == "u000003"])
    drained = state.drain(2)
    log += drained.state
    assert drained.rows["affinity"] == drained.rows["recommendations"] == [(b"u000003", None)]
    never.fold(records(others))
    assert live(log) == live(never.drain(1).state)
    told = {name: (item.users, item.near) for name, item in state.items.items() if item.users}
    assert told == {name: (item.users, item.near) for name, item in never.items.items() if item.users}


def meal(subject: str, **more: Any) -> Event:
    said = {"meal_type": "lunch", "items": [{"name": "Soup", "energy_kcal": 100}]}
    at = {"time": "2026-03-01T12:00:00Z", "source": "ios/1"}
    return {
        "specversion": "1.0",
        "id": f"m-{subject}",
        "type": "meal.logged",
        "subject": subject,
        **at,
        "data": said,
    } | more


def test_what_is_refused_of_the_erased_is_not_filed_under_whatever_key_it_came() -> None:
    erased = Erased(SECRET)
    erased.add(erased.hash_of(GONE.encode()))
    partition = OwnedPartition(0, "log", 1, Ledger(), erased=erased)
    partition.open(MEALS.name, "id", 0)
    raws = [encode(meal(GONE)), encode(meal(STAYS)), b"nonsense", b"nonsense", encode(meal(STAYS))]
    keys: list[bytes | None] = [STAYS.encode(), GONE.encode(), GONE.encode(), b"somebody", STAYS.encode()]
    partition.fold(Records(MEALS.name, 0, range(5), [RECEIVED_MS] * 5, keys, raws), 5)
    filed = [decode_rejected(row or b"") for _, row in partition.drain().records[REJECTED.name]]
    assert [row.offset for row in filed] == [3]
    position = partition.positions[MEALS.name]
    assert (position.received, position.applied, position.superseded, position.rejected) == (5, 1, 3, 1)


def test_a_list_that_was_written_with_another_key_is_not_folded() -> None:
    partition = OwnedPartition(0, "log", 1, Ledger(), erased=Erased("another installation's key, as long"))
    partition.open(SUPPRESSED.name, "id", 0)
    key, value = Erased(SECRET).record(b"u", RECEIVED_MS)
    with pytest.raises(OtherKey, match="DAYBOOK_ERASURE_KEY"):
        partition.fold(Records(SUPPRESSED.name, 0, [0], [RECEIVED_MS], [key], [value]), 1)
    assert partition.next_offset(SUPPRESSED.name) == 0
    with pytest.raises(OtherKey, match="there is none"):
        Erased().take(key, value)


def test_a_name_is_in_no_record_of_the_list_and_another_key_makes_another_hash() -> None:
    key, value = Erased(SECRET).record(GONE.encode(), RECEIVED_MS)
    assert GONE.encode() not in key + value
    assert Erased(SECRET + "!").hash_of(GONE.encode()).hex().encode() != key
    assert Erased(SECRET).take(key, value) == Erased(SECRET).hash_of(GONE.encode())


def test_a_sink_strips_the_erased_from_every_table_of_a_batch_and_nobody_else() -> None:
    erased = Erased(SECRET)
    erased.add(erased.hash_of(GONE.encode()))
    taken = Taken()
    for user in (GONE, STAYS):
        events, own = encode(meal(user)), user.encode()
        take(taken, "meals", 0, [_Record(0, own, events), _Record(1, b"somebody", events)])
        take(taken, "views", 0, [_Record(0, b"somebody", events)])
        take(taken, "daily", 0, [_Record(0, own, encode_row(DailyRow(user, "2026-03-01", 1)))])
        ledger = Ledger()
        ledger.fold(Records("meals", 0, [0], [RECEIVED_MS], [own], [events]))
        take(taken, LEDGER.name, 0, [_Record(0, key, value) for key, value in ledger.drain(1).state])
        refused = filed(WRONG_KEY, "meals", 0, 0, RECEIVED_MS, events, b"somebody")
        take(taken, "rejected", 0, [_Record(0, b"", encode_row(refused))])
    before = {name: len(getattr(taken.batch, name)) for name in ("daily", "events", "entities", "rejected")}
    assert strip(erased, taken) == sum(before.values()) // 2 + 1
    assert {name: len(getattr(taken.batch, name)) for name in before} == {n: c // 2 for n, c in before.items()}
    assert len(taken.refused_views) == 1
    assert all(row.subject == STAYS for row in taken.batch.entities)
    assert strip(Erased(), taken) == 0


class _Record(NamedTuple):
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int = RECEIVED_MS
    headers: tuple[()] = ()


def test_progress_forgets_a_user_by_tombstones_alone_and_silently() -> None:
    state = Progress()
    rows = [encode_row(DailyRow(GONE, f"2026-03-0{d}", d, steps=9_000 + d, entities=1)) for d in (1, 2, 3)]
    stays = encode_row(DailyRow(STAYS, "2026-03-01", OLDEST + 1, steps=5_000, entities=1))
    rows = [row.replace(b'"version":', b'"version":' + str(OLDEST).encode()) for row in rows]
    keys: list[bytes | None] = [f"{GONE}|2026-03-0{d}".encode() for d in (1, 2, 3)]
    state.fold(Records("daily", 0, range(4), [1] * 4, [*keys, f"{STAYS}|2026-03-01".encode()], [*rows, stays]))
    log = list(state.drain(1).state)
    counts = state.fold(Records("daily", 0, range(4, 8), [1] * 4, [*keys, b"nobody|2026-03-01"], [None] * 4))
    assert (counts.applied, counts.duplicate) == (3, 1)
    drained = state.drain(2)
    log += drained.state
    assert drained.rows["progress"] == [(GONE.encode(), None)]
    assert drained.rows["milestones"] == []
    assert set(state.users) == {STAYS}
    assert list(live(log)) == [f"{STAYS}|2026-03-01".encode()]
    bad = state.fold(Records("daily", 0, [8], [1], [b"no day"], [None]))
    assert bad.rejected == 1
