"""Tastes and what is liked together, in any order, any number of times, with edits and deletes: those of one pass."""

from __future__ import annotations

import random

from affinity_rig import PARTITIONS, Rig, plain, received
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from trending_rig import HOUR, T0, event

from producers.tastes import Received
from streams.affinity.pairs import REACH, Likes

PHASES = [Phase.explicit, Phase.reuse, Phase.generate]
LAWS = settings(deadline=None, max_examples=30, phases=PHASES)
WEEK_H = 168

SHOWN = st.fixed_dictionaries(
    {"content": st.sampled_from("abcdef")},
    optional={
        "creator": st.sampled_from(["ann", "bob"]),
        "category": st.sampled_from(["music", "sport", "news"]),
        "hashtags": st.lists(st.sampled_from(["x", "y", "z"]), max_size=3),
        "region": st.sampled_from(["DE", "FR"]),
        "watched_s": st.sampled_from([0, 1, 14.999, 15, 29.5, 60, 100_000]),
        "length_s": st.sampled_from([0, 30, 33.3, 120]),
    },
)


@st.composite
def histories(draw: st.DrawFn) -> list[Received]:
    """Views and reactions over some weeks, edited and deleted."""
    found = []
    for n in range(draw(st.integers(1, 25))):
        user, entity = draw(st.sampled_from(["u1", "u2", "u3", "u4"])), f"e{n}"
        at = T0 - draw(st.integers(0, 8 * WEEK_H - 1) | st.integers(0, 30)) * HOUR
        kind = draw(st.sampled_from(["view", "view", "view", "like", "share"]))
        for revision in range(1, 2 + draw(st.sampled_from([0, 0, 1, 2]))):
            edit = draw(st.sampled_from([kind, "deleted"])) if revision > 1 and kind != "view" else kind
            moved = at + (revision - 1) * draw(st.integers(-120, 0)) * 60_000
            data = draw(SHOWN)
            if edit != "view":
                data = {} if edit == "deleted" else {name: data[name] for name in data if name != "length_s"}
            found.append(
                event(
                    user, moved, T0, entity=entity, revision=revision, kind=edit, **({} if edit == "deleted" else data)
                )
            )
    return received(found)


def run(history: list[Received], chance: random.Random, *, crashes: bool = True) -> Rig:
    """The history in any order, parts of it twice, flushed now and then."""
    rig = Rig()
    copies = history + [
        one._replace(received_ms=one.received_ms + 5000) for one in chance.sample(history, len(history) // 2)
    ]
    chance.shuffle(copies)
    while copies:
        size = chance.randint(1, 8)
        rig.send(copies[:size])
        del copies[:size]
        if chance.random() < 0.5:
            rig.flush_one()
        if chance.random() < 0.3:
            rig.flush_two(chance)
        if crashes and chance.random() < 0.2:
            rig.flush_one()
            rig.flush_two()
            rig.crash()
    rig.settle()
    return rig


@LAWS
@given(histories(), st.randoms(use_true_random=False))
def test_any_order_any_repetition_and_crashes_give_what_one_plain_pass_gives(
    history: list[Received], chance: random.Random
) -> None:
    rig = run(history, chance)
    rows, counts = plain(history)
    assert rig.shown() == rows
    assert rig.together() == counts


@LAWS
@given(histories(), st.randoms(use_true_random=False))
def test_what_is_deleted_is_as_if_it_had_never_been(history: list[Received], chance: random.Random) -> None:
    gone = received(
        event(f"u{n}", T0, T0, entity=f"gone{n}", kind="like", content="abcdef"[n % 6], category="gone", creator="gone")
        for n in range(chance.randint(1, 6))
    )
    deletes = received(event(f"u{n}", T0, T0, entity=f"gone{n}", revision=2, kind="deleted") for n in range(len(gone)))
    with_them = run(history + gone + deletes, chance)
    without = run(history, chance, crashes=False)
    assert with_them.shown() == without.shown()
    assert with_them.together() == without.together()


@LAWS
@given(histories(), st.randoms(use_true_random=False))
def test_nobody_is_recommended_what_that_user_has_seen_and_every_list_is_short(
    history: list[Received], chance: random.Random
) -> None:
    rig = run(history, chance)
    for state in rig.one:
        for subject, user in state.users.items():
            shown = [entry.id for entry in rig.lists[subject.decode()].entries]
            assert not set(shown) & set(user.seen)
            assert len(shown) == len(set(shown)) <= 50


@LAWS
@given(st.integers(0, 150), st.randoms(use_true_random=False))
def test_pairs_are_those_of_the_order_whatever_led_to_it(size: int, chance: random.Random) -> None:
    likes, pairs = Likes(), dict[tuple[str, str], int]()
    held: list[tuple[str, int]] = []

    def change(one: str, other: str, sign: int) -> None:
        pair = (min(one, other), max(one, other))
        pairs[pair] = pairs.get(pair, 0) + sign
        assert pairs[pair] in (0, 1)

    for _ in range(size):
        item, ms = chance.randrange(30), chance.randrange(50)
        if chance.random() < 0.7:
            likes.add(f"i{item:02}", ms, change)
            held.append((f"i{item:02}", ms))
        elif held:
            likes.remove(*held.pop(ms % len(held)), change)
    order = [item for _, item in likes.order]
    assert likes.order == sorted((max(ms for name, ms in held if name == item), item) for item in order)
    expected = {
        (min(one, other), max(one, other)) for n, one in enumerate(order) for other in order[n + 1 : n + 1 + REACH]
    }
    assert {pair for pair, count in pairs.items() if count} == expected


def test_a_user_who_watches_one_video_ten_thousand_times_is_one_user_who_likes_it() -> None:
    rig = Rig()
    bot = received(
        event("bot", T0 - n * 1000, T0, entity=f"b{n}", content="a", category="music") for n in range(10_000)
    )
    rig.send(bot)
    rig.send(received([event("bot", T0, T0, entity="other", content="b", category="music")]))
    rig.settle()
    assert rig.together() == ({"a": 1, "b": 1}, {("a", "b"): 1})


def test_a_user_stays_bounded_and_it_is_the_latest_that_stay() -> None:
    from streams.affinity.core import MOST_EVENTS

    rig = Rig()
    days = [
        event("u1", T0 + n * 60_000, T0 + n * 60_000, entity=f"e{n}", content=f"v{n}") for n in range(MOST_EVENTS + 70)
    ]
    rig.send(received(days))
    rig.settle()
    (user,) = [user for state in rig.one for user in state.users.values()]
    assert len(user.entities) == MOST_EVENTS
    assert f"v{MOST_EVENTS + 69}" in user.seen
    assert "v69" not in user.seen
    assert sum(len(state.items) for state in rig.one) == MOST_EVENTS


def test_who_is_silent_for_longer_than_anything_counts_is_forgotten_with_all_that_was_counted() -> None:
    rig = Rig()
    rig.send(received([event("u1", T0, T0, entity="old", content="a", category="music", creator="ann")]))
    rig.settle()
    told = rig.shown()["u1"]
    later = T0 + 12 * WEEK_H * HOUR
    rig.send(received([event(f"u{n}", later, later, entity="new", content="b") for n in range(2, 12)]))
    rig.settle()
    rig.settle()
    assert [user for state in rig.one for user in state.users if user == b"u1"] == []
    assert "a" not in {item for state in rig.two for item in state.items}
    assert rig.shown()["u1"] == told
    rig.crash()
    assert [user for state in rig.one for user in state.users if user == b"u1"] == []


def test_a_taste_halves_in_a_week_and_is_gone_after_eight() -> None:
    week = WEEK_H * HOUR
    for weeks, left in ((0, 1000), (1, 500), (3, 125), (7, 7), (8, None)):
        rig = Rig()
        first = event("u1", T0 - weeks * week, T0, entity="a", content="a", category="sport", watched_s=60, length_s=60)
        last = event("u1", T0, T0, entity="b", content="b", category="news", watched_s=60, length_s=60)
        rig.send(received([first, last]))
        rig.settle()
        assert rig.shown()["u1"].categories.get("sport") == left
        assert rig.shown()["u1"].categories["news"] == 1000


def test_of_more_neighbours_than_a_partition_tells_the_most_frequent_are_told_whatever_came_first() -> None:
    from streams.affinity.core import MOST_NEAR

    # Everybody likes the same hub, and eight of 90 videos.
    videos = [f"v{n:02}" for n in range(90)]
    history = received(
        event(f"u{user}", T0 + place, T0, entity=f"e{user}-{place}", content=content)
        for user in range(120)
        for place, content in enumerate(["hub", *random.Random(user).sample(videos, 8)])
    )
    told = []
    for some in (history, history[::-1]):
        rig = Rig()
        rig.send(some)
        rig.settle()
        told.append([sorted(state.items["hub"][s].near) for state in rig.two for s in state.items.get("hub", {})])
        assert [len(near) for near in told[-1]] == [MOST_NEAR] * PARTITIONS
    assert told[0] == told[1]
    users, pairs = plain(history)[1]
    for near in told[0]:
        assert all(0 < both <= pairs[min("hub", other), max("hub", other)] <= users["hub"] for other, both in near)


def test_the_partitions_of_the_rig_are_all_used() -> None:
    assert {sum(f"u{n}".encode()) % PARTITIONS for n in range(1, 5)} == set(range(PARTITIONS))
