"""The law of old days: whatever is evicted, loaded, late, edited or lost in a crash, the rows are those of one pass."""

from __future__ import annotations

from typing import Any

from events import events, histories
from hypothesis import given, settings
from hypothesis import strategies as st
from old_world import TOPICS, World, batch_rows

Event = dict[str, Any]

steps = st.one_of(
    st.tuples(st.just("send"), events),
    st.tuples(st.just("fold"), st.sampled_from(TOPICS)),
    st.tuples(st.just("fold all"), st.none()),
    st.tuples(st.just("commit"), st.none()),
    st.tuples(st.just("crash"), st.none()),
    st.tuples(st.just("store"), st.integers(1, 3)),
    st.tuples(st.just("store all"), st.none()),
    st.tuples(st.just("mark"), st.integers(0, 20)),
    st.tuples(st.just("evict"), st.integers(0, 20)),
    st.tuples(st.just("evict"), st.integers(0, 20)),
    st.tuples(st.just("answer"), st.integers(0, 5)),
    st.tuples(st.just("load"), st.none()),
    st.tuples(st.just("half an answer"), st.integers(0, 5)),
    st.tuples(st.just("keep an answer"), st.integers(0, 5)),
    st.tuples(st.just("late answers"), st.none()),
)


def run(world: World, history: list[Event], script: list[tuple[str, Any]]) -> list[Event]:
    """Do the script; returns all events that were sent."""
    sent = list(history)
    kept: list[tuple[str, Any]] = []
    for event in history:
        world.send(event)
    for what, given_ in script:
        match what:
            case "send":
                world.send(given_)
                sent.append(given_)
            case "fold":
                world.fold(given_, 3)
            case "fold all":
                for topic in TOPICS:
                    world.fold(topic)
            case "commit":
                world.commit()
            case "crash":
                world.crash()
            case "store":
                world.store(given_)
            case "store all":
                world.store()
            case "mark":
                world.mark(given_)
            case "evict":  # everything happens as it does when nobody hurries
                for topic in TOPICS:
                    world.fold(topic)
                world.commit()
                world.store()
                world.mark(given_)
                world.fold("loaded")
                world.commit()
            case "load":
                world.store()
                for which in range(len(world.asks)):
                    world.answer(which)
                world.fold("loaded")
            case "late answers":
                for subject, parts in kept:
                    world.say(subject, parts)
            case _ if world.asks:
                which = given_ % len(world.asks)
                parts = world.read(which)
                if what == "keep an answer":
                    kept.append((world.asks[which][0], parts))
                else:
                    world.say(world.asks[which][0], parts[:-1] if what == "half an answer" else parts)
        world.check_conservation()
    return sent


@given(histories, st.lists(steps, max_size=30))
@settings(max_examples=400)
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
@settings(max_examples=200)
def test_what_follows_an_eviction_equals_the_batch_fold(history: list[Event], more: list[Event], later: int) -> None:
    world = World()
    run(world, history, [("evict", later), ("evict", later)])
    for event in more:
        world.send(event)
    world.heal()
    assert world.live_rows() == batch_rows([*history, *more])
