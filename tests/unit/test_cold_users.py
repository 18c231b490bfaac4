"""Users on disk: whatever leaves memory and is read again, the rows are the same as with all users in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from events import encode, histories, records_of
from hypothesis import given, settings
from hypothesis import strategies as st
from old_world import World, batch_rows, run, steps

from schemas.families import FAMILY_OF
from streams.daily.cold import ColdUsers, cold_users
from streams.daily.core import Ledger

Event = dict[str, Any]


@given(histories, st.lists(steps, max_size=20), st.integers(0, 2))
@settings(max_examples=30, deadline=None)
def test_the_law_of_old_days_holds_with_users_on_disk(
    history: list[Event], script: list[tuple[str, Any]], kept: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(lambda: cold_users(Path(folder), kept))
        sent = run(world, history, script)
        world.heal()
        assert world.live_rows() == batch_rows(sent)
        world.check_conservation()
        world.ledger.close()


@pytest.fixture
def users(tmp_path: Path) -> Iterator[ColdUsers]:
    found = ColdUsers(tmp_path / "users", kept=2)
    yield found
    found.close()


def meal(user: str, entity: str = "a", revision: int = 1) -> Event:
    return {
        "specversion": "1.0",
        "id": entity,
        "source": "ios/5.2.0",
        "type": "meal.logged",
        "subject": user,
        "time": "2026-03-01T12:00:00+00:00",
        "revision": revision,
        "data": {"meal_type": "lunch", "items": []},
    }


def fold(ledger: Ledger, *told: Event) -> Any:
    counts = [ledger.fold(records_of([encode(event)], FAMILY_OF[event["type"]])) for event in told]
    ledger.drain(1)
    return counts[-1]


def test_memory_holds_few_users_and_knows_all(users: ColdUsers) -> None:
    ledger = Ledger(users=users)
    for n in range(50):
        fold(ledger, meal(f"u{n:02}"))
    assert len(users) <= 2
    assert list(users.subjects()) == [f"u{n:02}" for n in range(50)]
    assert fold(ledger, meal("u07")).duplicate == 1
    assert fold(ledger, meal("u07", revision=2)).applied == 1
    assert fold(ledger, meal("u07")).superseded == 1
    assert users.get("nobody") is None
    with pytest.raises(KeyError):
        users["nobody"]


def test_a_user_whose_name_begins_like_anothers_is_another(users: ColdUsers) -> None:
    ledger = Ledger(users=users)
    for name in ("u", "u1", "u\x01", "uü", "v"):
        fold(ledger, meal(name))
    assert sorted(users.subjects()) == sorted(["u", "u1", "u\x01", "uü", "v"])
    for name in ("u", "u1", "u\x01", "uü", "v"):
        assert len(users[name].entities) == 1


def test_what_is_restored_lies_on_disk_until_somebody_asks(users: ColdUsers) -> None:
    ledger, other = Ledger(users=users), Ledger()
    for n in range(20):
        other.fold(records_of([encode(meal(f"u{n}"))], "meals"))
    state = other.drain(1).state
    ledger.restore([key for key, _ in state], [value for _, value in state])
    assert len(users) == 0
    ledger.restore([state[3][0]], [None])
    assert len(list(users.subjects())) == 19
    assert fold(ledger, meal("u4")).duplicate == 1


def test_nothing_stays_on_disk_when_the_partition_leaves(tmp_path: Path) -> None:
    found = cold_users(tmp_path)
    Ledger(users=found).restore([b"u\0m\0a"], [b"x" * 40])
    found.close()
    assert list(tmp_path.iterdir()) == []
