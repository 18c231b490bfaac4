"""Trending in any order, any number of times, with bots, edits and deletes: the lists of one plain pass."""

from __future__ import annotations

import random

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from trending_rig import HOUR, PARTITIONS, T0, Rig, event, plain

from streams.trending.offline import Received

PHASES = [Phase.explicit, Phase.reuse, Phase.generate]

SHOWN = st.fixed_dictionaries(
    {"content": st.sampled_from("abcde")},
    optional={
        "creator": st.sampled_from(["ann", "bob"]),
        "hashtags": st.lists(st.sampled_from(["x", "y", "z"]), max_size=3),
        "sound": st.sampled_from(["s", "t"]),
        "region": st.sampled_from(["DE", "FR"]),
        "watched_s": st.sampled_from([1, 29, 30, 60, 100_000]),
    },
)


@st.composite
def histories(draw: st.DrawFn) -> list[Received]:
    """Views and reactions over some days, edited and deleted, each received some time after it happened."""
    found: list[Received] = []
    for n in range(draw(st.integers(1, 25))):
        user, entity = draw(st.sampled_from(["u1", "u2", "u3", "u4"])), f"e{n}"
        at = T0 + draw(st.integers(-3 * 24 * 60, 0)) * 60_000
        kind = draw(st.sampled_from(["view", "view", "view", "like", "share"]))
        data = draw(SHOWN)
        late = draw(st.sampled_from([0, 0, 1000, HOUR, 23 * HOUR, 25 * HOUR, -10 * 60_000]))
        found.append(event(user, at, at + late, entity=entity, kind=kind, **data))
        for revision in range(2, 2 + draw(st.sampled_from([0, 0, 1, 2]))):
            moved = at + draw(st.integers(-120, 120)) * 60_000
            kinds = ["deleted", kind] if kind != "view" else ["view"]
            edit = draw(st.sampled_from(kinds))
            more = {} if edit == "deleted" else draw(SHOWN)
            found.append(event(user, moved, moved + 2000, entity=entity, revision=revision, kind=edit, **more))
    return found


@st.composite
def months(draw: st.DrawFn) -> list[Received]:
    """Views over seven weeks by the events' own times, each partition's in about their order."""
    found: list[tuple[int, Received]] = []
    for n in range(draw(st.integers(1, 40))):
        user, entity = draw(st.sampled_from(["u1", "u2", "u3", "u4"])), f"e{n}"
        at = T0 - draw(st.integers(0, 7 * 168) | st.integers(0, 12)) * HOUR + draw(st.integers(-59, 0)) * 60_000
        kind = draw(st.sampled_from(["view", "view", "view", "view", "like"]))
        for revision in range(1, 2 + draw(st.sampled_from([0, 0, 0, 1]))):
            data = draw(SHOWN)
            late = draw(st.sampled_from([0, 0, 0, 1, 6, 26])) * HOUR
            moved = at + (revision - 1) * draw(st.integers(-60, 60)) * 60_000
            once = event(user, moved, T0, entity=entity, revision=revision, kind=kind, **data)
            found += [(moved + late, once)] * draw(st.sampled_from([1, 1, 2]))
    return [record for _, record in sorted(found, key=lambda one: one[0])]


@settings(deadline=None, max_examples=60, phases=PHASES)
@given(months(), st.randoms(use_true_random=False))
def test_a_partition_that_is_weeks_behind_the_others_loses_nothing(
    history: list[Received], chance: random.Random
) -> None:
    rig = Rig(by_event_time=True)
    waiting = {number: [one for one in history if one.partition == number] for number in range(PARTITIONS)}
    for number, some in waiting.items():
        rig.behind(number, bool(some))
    while any(waiting.values()):
        number = chance.choice([number for number, some in waiting.items() if some])
        size = chance.choice([1, 3, 100])
        rig.send(waiting[number][:size])
        del waiting[number][:size]
        rig.behind(number, bool(waiting[number]))
        if chance.random() < 0.7:
            rig.flush_one(only=number)
        if chance.random() < 0.5:
            rig.flush_two(chance)
        if chance.random() < 0.1:
            rig.flush_one()
            rig.flush_two()
            rig.crash()
            for each, some in waiting.items():
                rig.behind(each, bool(some))
    rig.flush_one()
    rig.flush_two()
    assert rig.shown() == plain(history, by_event_time=True)


@settings(deadline=None, max_examples=60, phases=PHASES)
@given(histories(), st.randoms(use_true_random=False))
def test_any_order_any_repetition_and_crashes_give_the_lists_of_one_plain_pass(
    history: list[Received], chance: random.Random
) -> None:
    rig = Rig()
    copies = history + [
        copy._replace(received_ms=copy.received_ms + 5000) for copy in chance.sample(history, len(history) // 2)
    ]
    chance.shuffle(copies)
    while copies:
        size = chance.randint(1, 8)
        rig.send(copies[:size])
        del copies[:size]
        if chance.random() < 0.5:
            rig.flush_one()
        if chance.random() < 0.5:
            rig.flush_one()
            rig.flush_two(chance)
        if chance.random() < 0.2:
            rig.flush_one()
            rig.flush_two()
            rig.crash()
    rig.flush_one()
    rig.flush_two()
    # A copy that comes late is no other event; the clock went on by it.
    last = max(record.received_ms for record in history)
    assert rig.shown() == plain(history, now_ms=max(last, max(two.clock_ms for two in rig.two)))
