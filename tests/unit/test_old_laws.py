"""The law of old days: whatever is evicted, loaded, late, edited or lost in a crash, the rows are those of one pass."""

from __future__ import annotations

from typing import Any

from events import events, histories
from hypothesis import given, settings
from hypothesis import strategies as st
from old_world import TOPICS, World, batch_rows, run, steps

Event = dict[str, Any]


@given(histories, st.lists(steps, max_size=30))
@settings(max_examples=250)
def test_any_interleaving_of_events_evictions_loads_and_crashes_equals_the_batch_fold(
    history: list[Event], script: list[tuple[str, Any]]
) -> None:
    world = World()
    sent = run(world, history, script)
    world.heal()
    assert world.live_rows() == batch_rows(sent)
    world.check_conservation()
    assert sum(world.partition.positions[topic].received for topic in TOPICS) == len(sent)
    assert world.partition.positions["loaded"].received == 0, "what the loader says is no event"


@given(histories, st.lists(events, max_size=6), st.integers(0, 20))
@settings(max_examples=120)
def test_what_follows_an_eviction_equals_the_batch_fold(history: list[Event], more: list[Event], later: int) -> None:
    world = World()
    run(world, history, [("evict", later), ("evict", later)])
    for event in more:
        world.send(event)
    world.heal()
    assert world.live_rows() == batch_rows([*history, *more])
