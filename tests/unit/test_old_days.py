"""Old days, one sequence at a time: what would go wrong, and does not."""

from __future__ import annotations

from typing import Any

import pytest
from old_world import TOPICS, World, batch_rows

from schemas.instants import MS_PER_DAY
from schemas.loads import PENDING, decode_evicted, encode_evicted, floor_key, parts_of, split_floor_key, weight
from schemas.topics import LOADED

Event = dict[str, Any]
OLD, OLD_TOO, HOT = 1, 2, 28
"""Days of March 2026; the floor is the 15th."""


def meal(day: int, kcal: int = 100, revision: int = 1, entity: str = "a", user: str = "u", **fields: Any) -> Event:
    return {
        "specversion": "1.0",
        "id": f"{entity}-{revision}",
        "source": "ios/5.2.0",
        "type": "meal.logged",
        "subject": user,
        "time": f"2026-03-{day:02}T12:00:00+00:00",
        "entity": entity,
        "revision": revision,
        "data": {"meal_type": "lunch", "items": [{"name": "Soup", "energy_kcal": kcal}]},
        **fields,
    }


def deleted(day: int, revision: int, entity: str = "a") -> Event:
    return meal(day, revision=revision, entity=entity, type="meal.deleted", data={})


def profile(since: str, revision: int = 1, **data: Any) -> Event:
    return meal(1, type="profile.updated", entity="me", revision=revision, data={"effective_from": since, **data})


class Told(World):
    """A world that remembers what was sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Event] = []

    def tell(self, *events: Event, commit: bool = True) -> None:
        """Send, fold and commit."""
        for event in events:
            self.send(event)
            self.sent.append(event)
        for topic in TOPICS:
            self.fold(topic)
        if commit:
            self.commit()

    def evict(self, days_later: int = 0) -> None:
        """ClickHouse holds everything, and the loader says so."""
        self.store()
        self.mark(days_later)
        self.fold(LOADED.name)
        self.commit()

    def load(self, which: int = -1) -> None:
        """ClickHouse holds everything, and the last question is answered."""
        self.store()
        assert self.answer(which)
        self.fold(LOADED.name)
        self.commit()

    def in_memory(self, user: str = "u") -> set[str]:
        """Entities of the user that the worker holds."""
        known = self.ledger.users.get(user)
        return {key.split(b"\0")[2].decode() for key in known.entities} if known else set()

    def check(self) -> None:
        self.heal()
        self.answered = len(self.asks)
        self.check_conservation()
        assert self.live_rows() == batch_rows(self.sent)


@pytest.fixture
def world() -> Told:
    return Told()


def test_only_days_before_the_hot_window_leave(world: Told) -> None:
    world.tell(meal(OLD, entity="old"), meal(14, entity="14th"), meal(15, entity="15th"), meal(HOT, entity="hot"))
    world.evict()
    assert world.in_memory() == {"15th", "hot"}
    world.crash()
    assert world.in_memory() == {"15th", "hot"}, "the changelog has forgotten them too"
    assert {key.split(b"\0")[2] for key in world.clickhouse} == {b"old", b"14th", b"15th", b"hot"}
    world.check()


def test_an_eviction_changes_no_row(world: Told) -> None:
    world.tell(meal(OLD), meal(HOT, entity="b"))
    before = dict(world.rows)
    world.rows.clear()
    world.evict()
    assert world.rows == {}
    world.rows |= before
    world.check()


@pytest.mark.parametrize("day", [OLD, OLD_TOO, HOT])
def test_an_edit_of_what_is_no_longer_in_memory_finds_it(world: Told, day: int) -> None:
    world.tell(meal(OLD), meal(OLD, entity="stays"), meal(HOT, entity="hot"))
    world.evict()
    world.tell(meal(day, kcal=700, revision=2))
    assert world.partition.positions["meals"].pending == 1
    world.check()
    assert world.partition.positions["meals"].applied == 4


def test_a_delete_of_what_is_no_longer_in_memory_finds_it(world: Told) -> None:
    world.tell(meal(OLD), meal(OLD, entity="stays"))
    world.evict()
    world.tell(deleted(HOT, 2))
    world.check()


def test_a_move_from_a_hot_day_to_an_old_one_waits_and_takes_effect_on_both(world: Told) -> None:
    world.tell(meal(OLD, entity="old"), meal(HOT))
    world.evict()
    world.tell(meal(OLD, revision=2))
    assert ("u", "2026-03-28") in world.live_rows(), "nothing is said before all is known"
    world.check()
    assert ("u", "2026-03-28") not in world.live_rows()


def test_a_new_entity_on_a_hot_day_does_not_wait_whatever_its_revision(world: Told) -> None:
    world.tell(meal(OLD))
    world.evict()
    world.tell(meal(HOT, entity="new"), meal(HOT, entity="edited before it came", revision=3))
    assert world.asks == []
    world.check()


def test_an_import_of_old_days_waits_once_for_its_user(world: Told) -> None:
    world.tell(meal(OLD))
    world.evict()
    world.tell(*(meal(day, entity=f"imported {day}") for day in range(1, 14)))
    world.tell(*(meal(day, entity=f"and {day}") for day in range(1, 14)))
    assert len(world.asks) == 1
    world.load()
    world.tell(*(meal(day, entity=f"later {day}") for day in range(1, 14)))
    assert len(world.asks) == 1, "the user is whole"
    world.check()


def test_users_without_old_days_never_wait(world: Told) -> None:
    world.tell(meal(OLD))
    world.evict()
    world.tell(meal(OLD, user="another"), meal(OLD, revision=2, user="another"))
    assert world.asks == []
    world.check()


# -- absence is certain


def test_a_late_first_revision_of_what_moved_to_an_old_day_counts_nothing(world: Told) -> None:
    world.tell(meal(OLD, revision=2))
    world.evict()
    world.tell(meal(HOT, revision=1))
    world.check()
    assert world.partition.positions["meals"].superseded == 1


@pytest.mark.parametrize("kcal", range(100, 106))
def test_of_two_contents_of_one_revision_one_counts_though_the_other_left(world: Told, kcal: int) -> None:
    world.tell(meal(OLD, kcal=100))
    world.evict()
    world.tell(meal(HOT, kcal=kcal))
    world.check()


def test_a_tombstone_that_left_still_forbids(world: Told) -> None:
    world.tell(deleted(OLD, 2))
    world.evict()
    assert world.in_memory() == set()
    world.tell(meal(HOT, revision=1))
    world.check()
    assert world.live_rows() == {}


def test_what_a_crash_left_below_the_floor_is_moved_with_its_whole_day(world: Told) -> None:
    world.tell(meal(OLD, entity="old"))
    world.evict()
    world.tell(meal(OLD, kcal=200))
    world.load()
    world.crash()  # what was loaded is forgotten, what was written since is not
    assert world.in_memory() == {"a"}
    world.tell(meal(HOT, kcal=200, revision=2))
    assert world.rows["u", "2026-03-01"].entities == 2, "a day that is half known says nothing"
    world.check()


# -- profiles


def test_a_changed_profile_moves_old_days_too(world: Told) -> None:
    early = meal(OLD, time="2026-03-02T01:00:00+00:00")
    world.tell(early, meal(HOT, entity="b", time="2026-03-28T01:00:00+00:00"))
    world.evict()
    world.tell(profile("2026-03-01", day_start="04:00"))
    assert ("u", "2026-03-28") in world.live_rows()
    world.check()
    assert set(world.live_rows()) == {("u", "2026-03-01"), ("u", "2026-03-27")}


def test_a_profile_that_is_superseded_needs_no_old_days(world: Told) -> None:
    world.tell(profile("2026-03-01", revision=2), meal(OLD))
    world.evict()
    world.tell(profile("2026-03-01", revision=1))
    assert world.asks == []
    world.check()


# -- races


def test_nothing_leaves_that_clickhouse_does_not_hold(world: Told) -> None:
    world.tell(meal(OLD))
    world.store()
    world.tell(meal(OLD, kcal=200, revision=2))
    world.mark()  # of the first flush
    world.fold(LOADED.name)
    world.commit()
    assert world.in_memory() == {"a"}
    world.evict()
    assert world.in_memory() == set()
    world.check()


def test_after_a_crash_nothing_leaves_before_clickhouse_holds_what_was_restored(world: Told) -> None:
    world.tell(meal(OLD))
    world.store()
    world.mark()
    world.tell(meal(OLD, kcal=200, revision=2), commit=False)
    world.commit()
    world.mark()
    world.crash()
    world.fold(LOADED.name)
    world.commit()
    assert world.in_memory() == {"a"}
    world.evict()
    assert world.in_memory() == set()
    world.check()


def test_an_answer_waits_until_clickhouse_holds_the_flush_that_asked(world: Told) -> None:
    world.tell(meal(OLD))
    world.evict()
    world.tell(meal(OLD, revision=2))
    assert not world.answer(0)
    world.store()
    assert world.answer(0)
    world.check()


def test_an_answer_to_an_earlier_question_is_not_believed(world: Told) -> None:
    world.tell(meal(OLD), meal(OLD, entity="b"))
    world.evict()
    world.tell(meal(OLD, entity="b", revision=2))
    world.store()
    stale = world.read(0)
    world.load()
    world.tell(meal(OLD, kcal=700, revision=2))
    world.evict(days_later=2)
    assert world.in_memory() == set()
    world.tell(meal(OLD, entity="b", revision=3))
    world.say("u", stale)
    world.fold(LOADED.name)
    assert world.ledger.old.pending
    world.commit()
    world.answered = len(world.asks) - 1
    world.check()


def test_nothing_of_a_user_leaves_while_a_load_is_under_way(world: Told) -> None:
    world.tell(meal(OLD), meal(20, entity="b"))
    world.evict()
    world.tell(meal(OLD, revision=2))
    world.store()
    answer = world.read(0)
    world.tell(meal(20, entity="b", kcal=700, revision=2))
    world.evict(days_later=10)  # the 20th is old by now
    assert "b" in world.in_memory()
    world.say("u", answer)
    world.answered = 1
    world.check()


def test_loaded_entities_leave_again_after_a_while(world: Told) -> None:
    world.tell(meal(OLD), meal(OLD, entity="b"))
    world.evict()
    world.tell(meal(OLD, revision=2))
    world.load()
    assert world.in_memory() == {"a", "b"}
    world.evict(days_later=2)
    assert world.in_memory() == set()
    world.tell(meal(OLD_TOO, revision=3))
    world.answered = 1
    world.check()


def test_of_a_load_nothing_is_written_but_the_rows_that_changed(world: Told) -> None:
    world.tell(meal(OLD), meal(OLD_TOO, entity="b"), meal(3, entity="c"))
    world.evict()
    for revision in (2, 3):
        world.tell(meal(OLD, revision=revision))
        world.rows.clear()
        world.load()
        assert set(world.rows) == {("u", "2026-03-01")}
        world.evict(days_later=2 * revision)
        assert world.in_memory() == set()
    latest = dict(world.changelog)
    assert [key for key, value in latest.items() if value is not None and key[:1] != b"\0"] == []
    assert [key for key, value in latest.items() if value is not None and key.startswith(PENDING)] == []
    borrowed = [key for key, value in world.changelog if value is None and b"\0m\0b" in key]
    assert len(borrowed) == 1, "what was only loaded needs no tombstone"


def test_half_an_answer_changes_nothing_and_a_second_attempt_is_not_mixed_with_it(world: Told) -> None:
    world.tell(*(meal(OLD, entity=f"e{n}") for n in range(9)))
    world.evict()
    world.tell(meal(OLD, entity="e0", revision=2))
    world.store()
    first = world.read(0)
    assert len(first) > 2
    world.say("u", first[:-1])
    world.fold(LOADED.name)
    assert world.in_memory() == set()
    second = world.read(0)
    assert second[0].attempt != first[0].attempt
    world.say("u", second[-1:])
    world.fold(LOADED.name)
    assert world.in_memory() == set()
    world.say("u", second[:-1])
    world.answered = 1
    world.check()


def test_an_answer_that_lacks_what_was_evicted_is_refused_and_asked_again(world: Told) -> None:
    world.tell(meal(OLD), meal(OLD, entity="b"))
    world.evict()
    lost = {key: world.clickhouse.pop(key) for key in list(world.clickhouse) if key.endswith(b"b")}
    world.tell(meal(OLD, revision=2))
    world.load()
    assert world.ledger.old.refused == 1
    assert world.ledger.old.pending
    world.clickhouse |= lost
    world.evict(days_later=1)
    assert len(world.asks) == 2
    world.answered = 1
    world.check()


def test_more_than_was_evicted_writes_all_rows_again(world: Told) -> None:
    """Another generation writes into the same table: it may be ahead of us."""
    world.tell(meal(OLD), meal(OLD_TOO, entity="b"))
    world.evict()
    ahead = Told()
    ahead.tell(meal(OLD_TOO, entity="b", kcal=700, revision=2))
    ahead.store()
    world.clickhouse |= ahead.clickhouse
    world.tell(meal(OLD, revision=2))
    world.load()
    world.tell(meal(OLD_TOO, entity="b", kcal=700, revision=2))
    assert world.partition.positions["meals"].duplicate == 1
    world.answered = 1
    world.check()


def test_memory_that_outlived_another_owner_is_right(world: Told) -> None:
    world.tell(meal(OLD), meal(OLD, entity="b"))
    world.evict()
    world.tell(meal(OLD, revision=2))
    world.load()
    mine, read = (world.ledger, world.partition), len(world.changelog)
    world.crash()  # the other owner
    world.tell(meal(OLD, entity="b", kcal=300, revision=2))
    world.load()
    world.evict(days_later=3)
    world.ledger, world.partition = mine
    tail = world.changelog[read:]
    world.partition.restore([key for key, _ in tail], [value for _, value in tail], len(world.changelog))
    world.tell(meal(OLD, entity="c"))
    world.answered = 2
    world.check()


def test_a_hint_about_a_user_with_old_days_waits_for_them(world: Told) -> None:
    world.tell(meal(OLD), meal(OLD, entity="b"))
    world.evict()
    world.rows["u", "2026-03-01"].meals_logged = 99  # a store that lies
    world.topics["hints"].append((0, b"u", b'{"hint":"day","date":"2026-03-01"}'))
    world.fold("hints")
    world.commit()
    assert world.rows["u", "2026-03-01"].meals_logged == 99
    world.check()
    assert world.partition.positions["hints"].applied == 1


# -- on the wire


def test_an_eviction_of_many_is_several_records(monkeypatch: pytest.MonkeyPatch, world: Told) -> None:
    monkeypatch.setattr("streams.daily.floor.MOST_FINGERPRINTS", 4)
    world.tell(*(meal(OLD, entity=f"e{n}") for n in range(9)))
    world.evict()
    assert sum(key.startswith(b"\0floor\0") for key, _ in world.changelog) == 3
    world.crash()
    world.tell(*(meal(OLD, entity=f"e{n}", revision=2) for n in range(9)))
    world.check()


def test_records_of_an_eviction_read_back() -> None:
    world = Told()
    world.tell(meal(OLD))
    world.evict()
    [(key, value)] = [(k, v) for k, v in world.changelog if k.startswith(b"\0floor\0")]
    assert value is not None
    assert split_floor_key(key) == ("u", 0)
    assert key == floor_key("u", 0)
    found = decode_evicted(value)
    assert encode_evicted(found) == value
    assert found.sum == weight(*next(iter(world.clickhouse.items())))


def test_an_answer_without_entities_is_one_part() -> None:
    [part] = parts_of(7, "x", [])
    assert (part.part, part.parts, part.entities) == (0, 1, [])


def test_nonsense_from_a_loader_stops_nothing(world: Told) -> None:
    world.topics["loaded"] += [(0, b"u", b"nonsense"), (0, b"\xff", b""), (0, None, b"\x93\xa4part")]
    world.tell(meal(OLD))
    assert world.ledger.old.refused == 3
    world.check()


def test_of_a_user_who_was_heard_of_nothing_leaves_until_it_has_been_quiet(world: Told) -> None:
    world.quiet_ms = 2 * MS_PER_DAY
    world.crash()
    world.tell(meal(OLD))
    world.evict()
    world.evict(days_later=1)
    assert world.in_memory() == {"a"}
    world.evict(days_later=3)
    assert world.in_memory() == set()
    world.tell(meal(OLD, entity="b"))
    world.load()
    world.evict(days_later=4)
    assert world.in_memory() == {"a", "b"}
    world.evict(days_later=6)
    assert world.in_memory() == set()
    world.answered = 1
    world.check()


def test_after_a_start_nothing_leaves_before_the_quiet_time_is_over(world: Told) -> None:
    world.quiet_ms = 2 * MS_PER_DAY
    world.crash()
    world.tell(meal(OLD))
    world.crash()
    world.evict(days_later=3)
    world.evict(days_later=4)
    assert world.in_memory() == {"a"}
    world.evict(days_later=6)
    assert world.in_memory() == set()
    world.check()
