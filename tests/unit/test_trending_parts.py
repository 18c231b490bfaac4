"""Single rules of trending, each shown on the smallest example."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from trending_rig import HOUR, PARTITIONS, T0, Rig, event, plain

from producers import youtube
from schemas.trending import WINDOWS, Block, block_key, encode_block
from streams.state import Records
from streams.trending.offline import Received
from streams.trending.ranking import ranked
from streams.trending.scoring import ONE, Params, baseline, hour_weights, landmark, score, weight
from streams.trending.viewers import Viewers, distinct, hash_of, packed, unpacked

ALL_1H = ("videos", "all", "1h")


def shown(records: list, params: Params = Params()) -> dict:  # noqa: B008
    rig = Rig(params)
    rig.send(records)
    rig.flush_one()
    rig.flush_two()
    assert rig.shown() == plain(records, params)
    return rig.shown()


def views(user: str, count: int, content: str, **more: object) -> list:
    return [event(user, T0, T0 + n, entity=f"{user}{content}{n}", content=content, **more) for n in range(count)]


def test_ten_thousand_views_of_one_user_count_once() -> None:
    few = [one for n in range(5) for one in views(f"u{n}", 1, "loved")]
    assert [(item, seen) for item, _, seen in shown(few + views("bot", 10_000, "pushed"))[ALL_1H]] == [("loved", 5)]
    two = [one for n in range(4) for one in views(f"w{n}", 1, "pushed")]
    assert ("pushed", 5) in {(item, seen) for item, _, seen in shown(few + two + views("bot", 1_000, "pushed"))[ALL_1H]}


def test_two_views_are_no_trend_and_short_ones_are_no_views() -> None:
    assert shown(views("a", 1, "x") + views("b", 1, "x")) == {}
    assert shown([one for n in range(9) for one in views(f"u{n}", 1, "x", watched_s=29.9)]) == {}
    assert shown([one for n in range(9) for one in views(f"u{n}", 1, "x", watched_s=10, length_s=20)])[ALL_1H]


def test_a_reaction_that_is_deleted_leaves_the_list_as_if_it_had_never_been() -> None:
    seen = [one for n in range(5) for one in views(f"u{n}", 1, "x")]
    like = event("u1", T0, T0, entity="r", kind="share", content="x")
    back = event("u1", T0, T0, entity="r", revision=2, kind="deleted")
    assert shown([*seen, like]) != shown(seen) == shown([*seen, like, back]) == shown([*seen, back, like])


def test_times_of_the_future_and_ancient_ones_count_for_nothing() -> None:
    for off in (-25 * HOUR, 6 * 60_000):
        assert shown([event(f"u{n}", T0 + off, T0, entity="e", content="x") for n in range(9)]) == {}
    assert shown([event(f"u{n}", T0 + 4 * 60_000, T0, entity="e", content="x") for n in range(9)])[ALL_1H]


def test_one_creator_has_so_many_videos_on_a_list_and_what_is_left_out_is_said() -> None:
    seen = [
        event(f"u{n}", T0, T0, entity=f"e{v}", content=f"v{v}", creator="ann") for v in range(8) for n in range(5 + v)
    ]
    rig = Rig(Params(per_creator=3))
    rig.send(seen)
    rig.flush_one()
    rig.flush_two()
    entries = rig.lists[ALL_1H].entries
    assert [(entry.id, entry.left_out) for entry in entries] == [("v7", 5), ("v6", 5), ("v5", 5)]


def test_a_blocked_item_is_gone_and_comes_back_also_after_a_crash() -> None:
    rig = Rig()
    rig.send([one for n in range(5) for one in views(f"u{n}", 1, "x")])
    rig.flush_one()
    rig.flush_two()
    assert rig.lists[ALL_1H].entries
    for at_ms, blocked in ((T0, True), (T0 + 1, False)):
        block = Block("videos", "x", blocked, "admin", "why", at_ms)
        rig.two[0].fold(Records("trending-blocks", 0, [0], [0], [block_key(block)], [encode_block(block)]))
        rig.flush_two()
        rig.crash()
        rig.flush_two()
        assert bool(rig.lists[ALL_1H].entries) is not blocked


def test_the_word_on_an_item_that_was_appended_last_holds_however_late_or_early_its_senders_clock_is() -> None:
    rig = Rig()
    rig.send([one for n in range(5) for one in views(f"u{n}", 1, "x")])
    rig.flush_one()
    for offset, (at_ms, blocked) in enumerate([(T0 + 60_000, True), (T0, False), (T0 - 1, True)]):
        block = Block("videos", "x", blocked, "admin", "why", at_ms)
        rig.two[0].fold(Records("trending-blocks", 0, [offset], [0], [block_key(block)], [encode_block(block)]))
        rig.flush_two()
        assert (ALL_1H in rig.shown()) is not blocked
        rig.crash()
        rig.flush_two()
        assert (ALL_1H in rig.shown()) is not blocked


def test_what_was_as_usual_last_week_is_no_trend_and_what_was_not_is() -> None:
    week = 7 * 24 * HOUR
    before = [event(f"u{n}", T0 - week, T0 - week, entity="old", content="daily news") for n in range(60)]
    now = [event(f"u{n}", T0, T0, entity="new", content=c) for c in ("daily news", "surprise") for n in range(30)]
    now = [one._replace(raw=one.raw.replace(b'"new"', b'"new' + one.raw[-20:-2].hex().encode() + b'"')) for one in now]
    found = shown(before + now)[ALL_1H]
    assert [item for item, _, _ in found] == ["surprise", "daily news"]
    assert found[1][1] < found[0][1] / 10


def test_event_time_as_the_clock_replays_the_past() -> None:
    rig = Rig(by_event_time=True)
    rig.send([event(f"u{n}", T0 - 10_000 * HOUR, T0, entity="e", content="x") for n in range(9)])
    rig.flush_one()
    rig.flush_two()
    assert rig.shown()[ALL_1H]


def test_a_month_that_one_partition_has_whole_before_the_next_begins_gives_the_lists_of_one_pass() -> None:
    sent = []
    for raw in youtube.events():
        said = msgspec.json.decode(raw)
        if said["data"]["content"] < "1":
            user = said["subject"].encode()
            sent.append(Received(user, raw, T0, sum(user) % PARTITIONS))
    assert len(sent) > 500
    rig = Rig(Params(), by_event_time=True)
    for number in range(PARTITIONS):
        rig.behind(number, True)
    for number in range(PARTITIONS):
        own = [one for one in sent if one.partition == number]
        for first in range(0, len(own), 100):
            rig.send(own[first : first + 100])
            rig.behind(number, first + 100 < len(own))
            rig.flush_one()
            rig.flush_two()
    found = rig.shown()
    assert found == plain(sent, Params(), by_event_time=True)
    assert sum(map(len, found.values())) > 50


def test_what_is_counted_in_the_flush_in_which_the_clock_jumps_is_still_a_baseline() -> None:
    fortnight = 14 * 24 * HOUR
    seen = [
        event(f"u{n}", at, T0, entity=f"e{at}", content=f"v{at}", sound="theme")
        for at in (T0 - fortnight, T0)
        for n in range(9)
    ]
    rig = Rig(by_event_time=True)
    rig.flush_one()
    rig.send(seen)
    rig.flush_one()
    rig.flush_two()
    rig.crash()
    rig.flush_two()
    assert rig.shown() == plain(seen, by_event_time=True)
    assert rig.lists["sounds", "all", "7d"].entries[0].expected > 1


def test_a_list_waits_for_a_partition_that_is_behind_and_not_for_one_that_is_at_its_end() -> None:
    early = [event("u1", T0 - HOUR, T0 - HOUR, entity="e", content="early")]
    late = [event(user, T0, T0, entity="e", content="late") for user in ("u2", "u3")]
    rig = Rig(Params(floor=1, least_viewers=1))
    rig.behind(early[0].partition, True)
    rig.send([*early, *late])
    rig.flush_one()
    rig.flush_two()
    assert rig.lists[ALL_1H].at_ms == T0 - HOUR
    assert rig.shown() == plain(early, rig.params)
    rig.behind(early[0].partition, False)
    rig.flush_one()
    rig.flush_two()
    assert rig.lists[ALL_1H].at_ms == T0
    assert rig.shown() == plain([*early, *late], rig.params)


@given(st.sampled_from(list(WINDOWS.values())), st.integers(0, 10**8), st.integers(0, 10_000))
def test_weights_halve_every_quarter_of_the_window(window: int, now: int, back: int) -> None:
    at, quarter = now - back % window - landmark(window, now), window // 4
    assert abs(weight(window, 4, at) - 2 * weight(window, 4, at - quarter)) <= 1


@given(st.integers(0, 10**6), st.sampled_from(list(WINDOWS.values())))
def test_the_same_every_week_is_what_is_expected(now: int, window: int) -> None:
    now += 5 * 10_080
    hourly = {hour: 60 for hour in range((now - 5 * 10_080) // 60, now // 60 + 1)}
    assert baseline(hourly, window, Params(), now, 4) == sum(hour_weights(window, 4, now).values())


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(3, 10**4))
def test_more_seen_scores_higher_and_more_expected_scores_lower(seen: int, more: int, base: int) -> None:
    def points(observed: int, expected: int) -> int:
        parts = score(Params(), 60, 0, observed * ONE, 0, expected * ONE, 9)
        return parts.score if parts else 0

    assert points(seen + more, base) >= points(seen, base) >= points(seen, base + more)


def test_a_sketch_counts_distinct_viewers_within_its_error_and_joining_again_changes_nothing() -> None:
    some, others = Viewers(), Viewers()
    for _ in range(2):
        some.join(unpacked(packed([hash_of(b"%d" % n) for n in range(50_000)])))
        others.join(unpacked(packed([hash_of(b"%d" % n) for n in range(40_000, 60_000)])))
        others.join(unpacked(packed([hash_of(b"somebody")])))
    assert abs(distinct([some, others]) - 60_001) < 60_001 * 0.05
    assert distinct([Viewers()]) == 0


def test_equals_stand_in_the_order_of_their_names() -> None:
    places = ranked({"b": 1, "a": 1, "c": 2}, blocked=(), creator_of=None, per_creator=1, size=2)
    assert [place.item for place in places] == ["c", "a"]


def test_the_longer_windows_take_turns_and_nothing_is_owed_in_the_end() -> None:
    rig = Rig()
    rig.send([event(f"u{n}", T0, T0, entity="e", content="v", region="DE") for n in range(9)])
    rig.flush_one()
    rig.flush_two()
    assert not rig.two[0].owes, "the first time all are made at once"
    for at in (T0 + 1_000, T0 + 60_000):  # the same minute, and another
        rig.lists.clear()
        rig.send([event(f"w{n}{at}", at, at, entity="e", content="v", region="DE") for n in range(3)])
        rig.flush_one()
        rig.flush_two()
        first = {window for kind, _, window in rig.lists if kind == "videos"}
        assert first in ({"1h", "24h"}, {"1h", "7d"})
        assert rig.two[0].owes
        rig.flush_two()
        assert {window for kind, _, window in rig.lists if kind == "videos"} == set(WINDOWS)
        assert not rig.two[0].owes
    assert {row.entries[0].views for (kind, _, _), row in rig.lists.items() if kind == "videos"} == {15}
