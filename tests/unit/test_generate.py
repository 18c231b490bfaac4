"""The made-up population: the same bytes for the same seed, good events good, bad ones bad, nothing lost on the way."""

from __future__ import annotations

import hashlib
import itertools
import os
import subprocess
import sys
import tracemalloc
from collections import Counter, defaultdict
from datetime import date
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers import diary, faults, generate, people, spoiled
from producers.bench_events import meal_events
from producers.contents import ODD, data
from producers.dice import dice
from producers.publish import route
from schemas.codec import Event, Rejected, decode, type_name
from schemas.families import FAMILY_OF
from schemas.instants import day_number, parse_instant, zone_offset_min
from schemas.plausible import implausible

FAULTY: dict[str, Any] = {
    "edits": 0.3,
    "deletes": 0.2,
    "duplicates": 0.2,
    "late": 0.2,
    "out_of_order": 0.3,
    "implausible": 0.05,
}
NOTHING_WRONG: dict[str, Any] = dict.fromkeys([*FAULTY, "bad"], 0.0)
FIRST = day_number(generate.START)


def good(raw: list[bytes]) -> list[Event]:
    found = [decode(event, family=route(event).topic) for event in raw]
    assert not [event for event in found if isinstance(event, Rejected)]
    return found  # type: ignore[return-value]


@pytest.fixture(scope="module")
def month() -> list[bytes]:
    return list(generate.events(users=40, days=32, seed=7, activity=0.3, **FAULTY))


# ── the same again ────────────────────────────────────────────────────────────────────────────────────────────────

SMALL = "from producers.generate import events; from hashlib import sha256; import sys; h = sha256()\n" + (
    "for event in events(users=5, days=6, seed=3, edits=0.5, deletes=0.5, bad=0.2): h.update(event)\n"
    "sys.stdout.write(h.hexdigest())"
)
SMALL_DIGEST = "08e34a25bb15a8a8258fc2c823e519843869ed302ed8e8080c7069b58f2ae171"


def test_a_seed_brings_these_bytes_for_ever() -> None:
    whole = hashlib.sha256()
    for event in generate.events(users=5, days=6, seed=3, edits=0.5, deletes=0.5, bad=0.2):
        whole.update(event)
    assert whole.hexdigest() == SMALL_DIGEST


@pytest.mark.parametrize("hash_seed", ["0", "1"])
def test_the_bytes_do_not_depend_on_the_process(hash_seed: str) -> None:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run([sys.executable, "-c", SMALL], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == SMALL_DIGEST


def test_another_seed_brings_other_events() -> None:
    one, other = (set(generate.events(users=3, days=3, seed=seed)) for seed in (1, 2))
    assert not one & other


def test_people_are_who_they_are_however_many_others_there_are() -> None:
    few = Counter(generate.events(users=3, days=4, seed=5))
    mine = {b"u_000000", b"u_000001", b"u_000002"}
    many = Counter(event for event in generate.events(users=30, days=4, seed=5) if route(event).key in mine)
    assert few == many


# ── what it consists of ───────────────────────────────────────────────────────────────────────────────────────────


def test_every_event_is_good_unless_asked_for(month: list[bytes]) -> None:
    good(month)


def test_every_type_of_event_occurs(month: list[bytes]) -> None:
    occurring = {type_name(event) for event in good(month)}
    assert occurring == {name for name, family in FAMILY_OF.items() if family != "views"}


def test_all_ways_of_writing_time_occur_across_zones_and_changes_of_summer_time(month: list[bytes]) -> None:
    offsets, z_with, z_without = set(), set(), 0
    at_home: dict[str, set[int]] = defaultdict(set)
    stay = {who.subject for who in (people.person(7, n, FIRST, 32, 0.3) for n in range(40)) if not who.trip[0]}
    for event in good(month):
        at = parse_instant(event.time)
        if at.offset_min is not None:
            offsets.add(at.offset_min)
            if event.subject in stay:
                at_home[event.subject].add(at.offset_min)
            if event.timezone is not None:
                assert zone_offset_min(event.timezone, at.ms) == at.offset_min
        elif event.timezone is not None:
            z_with.add(event.timezone)
        else:
            z_without += 1
    assert 345 in offsets
    assert len(offsets) >= 8
    assert any(len(seen) == 2 for seen in at_home.values())
    assert z_with
    assert z_without


def test_profiles_set_a_later_day_start_and_some_are_changed_in_the_middle(month: list[bytes]) -> None:
    profiles = [event for event in good(month) if type_name(event) == "profile.updated"]
    assert {"00:00", "04:00"} <= {event.data.day_start for event in profiles}
    per_person = defaultdict(set)
    for event in profiles:
        per_person[event.subject].add(event.data.effective_from)
    assert any(len(days) > 1 for days in per_person.values())


def test_each_fault_occurs(month: list[bytes]) -> None:
    revisions, days = defaultdict(set), defaultdict(set)
    deleted: dict[Any, int] = {}
    told = set()
    deletes_first = edits_first = 0
    for event in good(month):
        name = (event.subject, FAMILY_OF[type_name(event)], event.entity)
        if type_name(event).endswith(".deleted"):
            deletes_first += name not in revisions
            deleted[name] = max(event.revision, deleted.get(name, 0))
            continue
        edits_first += event.revision > 1 and name not in revisions
        revisions[name].add(event.revision)
        days[name].add(event.time[:10])
        told.add((name, event.revision, event.time, str(event.data)))
    assert len(month) - len(set(month)) > 0.1 * len(set(month))
    assert edits_first
    assert deletes_first
    assert any(len(seen) > 1 for seen in days.values())
    assert max(Counter((name, revision) for name, revision, *_ in told).values()) > 1
    assert any(revision < max(revisions[name], default=0) for name, revision in deleted.items())
    assert any(implausible(type_name(event), event.data) for event in good(month))


def test_without_faults_every_entity_is_told_once_and_nearly_in_order() -> None:
    events = good(list(generate.events(users=10, days=5, seed=1, **NOTHING_WRONG)))
    names = [(event.subject, event.entity) for event in events if FAMILY_OF[type_name(event)] != "plans"]
    assert len(names) == len(set(names))
    locally = [event.time[:10] for event in events if not event.time.endswith("Z")]
    assert locally == sorted(locally)


def test_shares_are_shares_of_entities() -> None:
    entities = len(list(generate.events(users=40, days=20, seed=1, **NOTHING_WRONG)))
    for name, about in [("duplicates", 0.1), ("edits", 0.13), ("deletes", 0.1), ("bad", 0.1)]:
        more = len(list(generate.events(users=40, days=20, seed=1, **{**NOTHING_WRONG, name: 0.1})))
        assert about * 0.8 < more / entities - 1 < about * 1.2, name


def test_the_estimate_is_near() -> None:
    number = sum(1 for _ in generate.events(users=100, days=20, seed=11))
    assert number == pytest.approx(generate.estimate(users=100, days=20), rel=0.15)


def test_nothing_that_was_due_is_lost_at_the_end() -> None:
    shares = faults.Shares(**FAULTY, bad=0.1, activity=0.0)
    due: list[bytes] = []
    for number, day in itertools.product(range(4), range(FIRST, FIRST + 3)):
        who, rng = people.person(9, number, FIRST, 3, 0.0), dice(9, number, day)
        at = date.fromordinal(date(1970, 1, 1).toordinal() + day).isoformat()
        for deed in diary.deeds(who, rng, day - FIRST, at):
            due += [event for _, event in faults.deliveries(who, rng, day, deed, shares)]
    sent = list(generate.events(users=4, days=3, seed=9, **FAULTY, bad=0.1, activity=0.0))
    assert Counter(sent) == Counter(due)


def test_no_delivery_is_beyond_the_horizon() -> None:
    shares = faults.Shares(edits=1, deletes=1, duplicates=1, late=1)
    who, rng = people.person(1, 0, FIRST, 3, 0.0), Random(1)
    deed = diary.Deed("water.logged", "w", 86_399, "ios/1")
    last = max(when for _ in range(3000) for when, _ in faults.deliveries(who, rng, FIRST, deed, shares))
    assert FIRST + 12 < last // faults.DAY_MS <= FIRST + faults.HORIZON_DAYS


def test_memory_does_not_grow_with_the_days() -> None:
    def peak(days: int) -> int:
        tracemalloc.start()
        for _ in generate.events(users=20, days=days, seed=1):
            pass
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    peak(3)  # fills what is made once
    volume = sum(map(len, generate.events(users=20, days=60, seed=1)))
    assert peak(60) < volume / 8


@pytest.mark.parametrize(
    "wrong",
    [
        *({"users": 0}, {"days": 0}, {"edits": 1.1}, {"late": -0.1}, {"typos": 0.1}),
        *({"start": date(1970, 1, 1)}, {"start": date(9999, 1, 1)}, {"days": 10**7}),
    ],
)
def test_arguments_that_make_no_sense_are_refused_at_once(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Expected"):
        generate.events(**{"users": 1, "days": 1, "seed": 1, **wrong})


# ── bad events ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_way_to_spoil_makes_an_event_that_is_refused_and_still_finds_its_topic() -> None:
    seen = set()
    for number, day in itertools.product(range(60), range(FIRST, FIRST + 2)):
        who, rng = people.person(2, number, FIRST, 2, 0.2), dice(2, number, day)
        for deed in [
            *diary.deeds(who, rng, day - FIRST, "2025-03-01"),
            diary.Deed("plan.ended", "plan_1", 9, "coach/1"),
        ]:
            (event,) = [event for _, event in faults.deliveries(who, rng, day, deed, faults.Shares(**NOTHING_WRONG))]
            for how in spoiled.SPOILERS:
                bad = how(event, deed.type)
                family = FAMILY_OF[deed.type]
                assert (route(bad).topic, route(bad).key) == (family, who.subject.encode())
                assert isinstance(decode(bad, family=family), Rejected), bad
                seen.add((how, deed.type))
    assert len(seen) == len(spoiled.SPOILERS) * 10


def test_bad_events_come_beside_the_good_ones() -> None:
    raw = list(generate.events(users=10, days=5, seed=4, bad=0.5, duplicates=0))
    refused = [event for event in raw if isinstance(decode(event), Rejected)]
    assert 0.25 < len(refused) / len(raw) < 0.4
    assert len({decode(event).reason for event in refused if isinstance(decode(event), Rejected)}) > 5  # type: ignore[union-attr]


@pytest.mark.parametrize("name", sorted(ODD))
def test_an_odd_event_has_exactly_one_field_that_counts_as_missing(name: str) -> None:
    who = people.person(1, 0, FIRST, 1, 0.0)
    always = faults.Shares(**{**NOTHING_WRONG, "implausible": 1.0})
    raw = faults.deliveries(who, Random(1), FIRST, diary.Deed(name, "e", 9, "ios/1"), always)[0][1]
    (event,) = good([raw])
    assert len(implausible(name, event.data)) == 1


@given(st.sampled_from(sorted(ODD)), st.integers(0, 10**6))
def test_ordinary_content_is_plausible(name: str, seed: int) -> None:
    who = people.person(seed, 0, FIRST, 30, 0.5)
    text = data(name, who, Random(seed), FIRST, "strength")
    raw = f'{{"specversion":"1.0","id":"1","source":"a/1","type":"{name}","subject":"u","time":"2025-03-01T00:00:00Z",'
    (event,) = good([f'{raw}"data":{{{text}}}}}'.encode()])
    assert implausible(name, event.data) == []


# ── the benchmark's meals ─────────────────────────────────────────────────────────────────────────────────────────


def test_the_benchmarks_meals_are_good_distinct_ordered_and_about_450_bytes() -> None:
    records = list(meal_events(20_000, 500, seed=1))
    assert list(meal_events(20_000, 500, seed=1)) == records
    sample = good([value for _, value in records[::20]])
    times = [parse_instant(event.time).ms for event in sample]
    assert times == sorted(times)
    assert [event.subject.encode() for event in sample] == [key for key, _ in records[::20]]
    assert len({value for _, value in records}) == len(records)
    assert len({key for key, _ in records}) == 500
    assert 425 < sum(len(value) for _, value in records) / len(records) < 475
    assert (times[-1] - times[0]) // 86_400_000 == 9  # 40 meals each, 4 a day
