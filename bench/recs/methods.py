"""Who recommends: Daybook's own cores, run without a broker; the most popular; random ones. Never what was seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice

from bench.recs.split import Split
from producers.audience import likes, videos
from producers.dice import dice
from schemas.affinity import decode_recommendations
from schemas.positions import version_of
from schemas.topics import AFFINITY_GENERATION, LIKED_TOGETHER, RECOMMENDATIONS, RELATED, TRENDING
from schemas.trending import Entry, TrendingList, encode_list, list_key
from streams.affinity import core
from streams.affinity.core import Affinity
from streams.affinity.relations import Relations
from streams.state import Pairs, Records
from streams.trending.offline import Received as Viewed
from streams.trending.offline import lists
from streams.trending.scoring import Params

Method = Callable[[str], list[str]]
"""User → what is recommended, the best first."""
PARTITIONS = 4
_FIRST = version_of(AFFINITY_GENERATION, 1)


def popular(split: Split, size: int) -> Method:
    """What most users liked."""
    order = sorted(split.viewers, key=lambda video: (-split.viewers[video], video))
    return lambda user: list(islice((v for v in order if v not in split.seen.get(user, ())), size))


def random(split: Split, size: int, seed: int) -> Method:
    """Any."""

    def method(user: str) -> list[str]:
        rng = dice(seed, "random", user)
        new = [video for video in split.catalogue if video not in split.seen.get(user, ())]
        return sorted(new, key=lambda video: rng.random())[:size]

    return method


def daybook(split: Split, size: int) -> Method:
    """Both stages of streams/affinity and trending's lists, over the same records."""
    core.LISTS_A_FLUSH = core.LIVELY = len(split.seen) + 1  # all at once, for all: no clock paces a benchmark
    one = [Affinity(number, PARTITIONS) for number in range(PARTITIONS)]
    two = [Relations(number, PARTITIONS) for number in range(PARTITIONS)]
    made: dict[str, list[str]] = {}
    by_partition: dict[int, list[tuple[bytes, bytes, int]]] = {}
    for key, raw, ms in split.records:
        assert key is not None
        by_partition.setdefault(sum(key) % PARTITIONS, []).append((key, raw, ms))
    for number, some in by_partition.items():
        keys, values, times = zip(*some, strict=True)
        one[number].fold(Records("views", number, range(len(some)), times, keys, values))
    meet: dict[int, Pairs] = {}
    for state in one:
        for target, pairs in state.drain(_FIRST).rows.items():
            if isinstance(target, tuple):
                meet.setdefault(target[1], []).extend(pairs)
    for number, pairs in meet.items():
        _give(two[number], LIKED_TOGETHER.name, pairs)
    _give(two[0], TRENDING.name, [(list_key(row), encode_list(row)) for row in _trending(split)])
    for state_two in two:
        for target, pairs in state_two.drain(_FIRST + 1).rows.items():
            _give(one[int(target[1])], RELATED.name, pairs)
    for state in one:
        for _, value in state.drain(_FIRST + 2).rows[RECOMMENDATIONS.name]:
            row = decode_recommendations(value or b"")
            made[row.user_id] = [entry.id for entry in row.entries]
    return lambda user: made.get(user, [])[:size]


def _trending(split: Split) -> Iterable[TrendingList]:
    records = [Viewed(key, raw, ms) for key, raw, ms in split.records]
    for (kind, region, window), entries in lists(records, Params(), now_ms=split.now_ms, kinds=["videos"]).items():
        if window == "24h":
            shown = [Entry(each.id, each.parts.score, 0.0, 0.0, each.views, 0, 0.0, 0.0) for each in entries]
            yield TrendingList(kind, region, window, 1, split.now_ms, shown)


def _give(state: Affinity | Relations, topic: str, pairs: Pairs) -> None:
    keys, values = zip(*pairs, strict=True)
    state.fold(Records(topic, 0, range(len(pairs)), [0] * len(pairs), keys, values))


def oracle(split: Split, size: int, seed: int) -> Method:
    """Who knows what the generator planted: the two categories of each user, and how often each video is drawn."""
    shown = videos(len(split.catalogue), seed)
    chance = {video.id: 1 / place for place, video in enumerate(shown, 1)}
    of_category: dict[str, dict[str, float]] = {}
    for video in shown:
        own = of_category.setdefault(video.category, {})
        own[video.id] = 1 / (len(own) + 1)
    sums = {category: sum(own.values()) for category, own in of_category.items()}
    everything = sum(chance.values())

    def method(user: str) -> list[str]:
        odds: dict[str, float] = {}
        for category in likes(int(user[1:]), seed):
            for video, weight in of_category[category].items():
                at_all = 0.25 * chance[video] / everything
                odds[video] = odds.get(video, at_all) + 0.375 * weight / sums[category]
        new = [video for video in odds if video not in split.seen.get(user, ())]
        return sorted(new, key=lambda video: (-odds[video], video))[:size]

    return method
