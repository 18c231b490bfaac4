"""Trending in any order, any number of times, with bots, edits and deletes: the lists of one plain pass."""

from __future__ import annotations

import random

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from trending_histories import histories, months
from trending_rig import PARTITIONS, Rig, plain

from streams.trending.offline import Received

PHASES = [Phase.explicit, Phase.reuse, Phase.generate]


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
