"""A made-up audience: videos not equally popular, users with tastes, bots, reactions taken back, events sent twice.

Popularity is Zipf's. Every user likes two of the categories and takes most of what is watched from them, to its end;
what else is watched is watched briefly. The same arguments bring the same bytes, on every machine and every Python.
"""

from __future__ import annotations

import json
from bisect import bisect
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import accumulate
from random import Random
from typing import NamedTuple

from producers.dice import between, dice, pick

CATEGORIES = ("music", "comedy", "sport", "cooking", "travel", "science", "games", "news")
REGIONS = ("DE", "FR", "GB", "IT", "US")
KINDS = ("like", "like", "like", "comment", "save", "share")


class Video(NamedTuple):
    """One video as its views name it."""

    id: str
    creator: str
    category: str
    hashtags: tuple[str, ...]
    sound: str
    length_s: int


class Faults(NamedTuple):
    """Shares of events that are as in real life."""

    reactions: float = 0.08
    taken_back: float = 0.2
    """Of reactions."""
    twice: float = 0.05
    bot: float = 0.0
    """Of all views: one user, one video, again and again."""


def videos(count: int, seed: int) -> list[Video]:
    """So many videos, the most popular first."""
    found = []
    for number in range(count):
        rng = dice(seed, "video", number)
        category = pick(rng, CATEGORIES)
        tags = tuple(dict.fromkeys(f"{category}{between(rng, 0, 19)}" for _ in range(between(rng, 1, 3))))
        creator, sound = f"c{between(rng, 0, count // 8):04}", f"s{between(rng, 0, count // 4):04}"
        found.append(Video(f"v{number:05}", creator, category, tags, sound, between(rng, 20, 300)))
    return found


def likes(user: int, seed: int) -> tuple[str, str]:
    """The two categories that a user likes."""
    rng = dice(seed, "taste", user)
    return pick(rng, CATEGORIES), pick(rng, CATEGORIES)


class Zipf:
    """Draws from a sequence, the n-th with a chance of 1/n."""

    def __init__(self, items: Sequence[Video]) -> None:
        self._items = items
        self._sums = list(accumulate(1 / n for n in range(1, len(items) + 1)))

    def draw(self, rng: Random) -> Video:
        """One of them."""
        return self._items[min(bisect(self._sums, rng.random() * self._sums[-1]), len(self._items) - 1)]


def events(
    *,
    users: int,
    views: int,
    start_ms: int,
    span_ms: int,
    seed: int = 1,
    catalogue: int = 1_000,
    faults: Faults = Faults(),  # noqa: B008
) -> Iterator[bytes]:
    """About so many views over a time, in the order of their times, and what goes with them."""
    shown = videos(catalogue, seed)
    everything = Zipf(shown)
    by_category = {name: Zipf([v for v in shown if v.category == name] or shown) for name in CATEGORIES}
    rng = dice(seed, "audience")
    for number in range(views):
        at = start_ms + span_ms * number // views
        if rng.random() < faults.bot:
            yield _view("bot", f"b{number}", at, shown[-1], "DE", 60)
            continue
        user = between(rng, 0, users - 1)
        liked, is_liked = likes(user, seed), rng.random() < 0.75
        video = by_category[pick(rng, liked)].draw(rng) if is_liked else everything.draw(rng)
        share = 0.5 + rng.random() / 2 if video.category in liked else rng.random() * 0.6
        region = REGIONS[user % len(REGIONS)]
        event = _view(f"u{user:06}", f"e{number}", at, video, region, round(video.length_s * share, 1))
        yield event
        if rng.random() < faults.twice:
            yield event
        if video.category in liked and rng.random() < faults.reactions:
            yield _reaction(f"u{user:06}", f"r{number}", at + 1000, video, region, pick(rng, KINDS))
            if rng.random() < faults.taken_back:
                yield _taken_back(f"u{user:06}", f"r{number}", at + 2000)


def fans(video: str, count: int, at_ms: int, *, seed: int = 1, catalogue: int = 1_000) -> Iterator[bytes]:
    """So many users who have watched nothing else see a video of the catalogue to its end, all at once."""
    (shown,) = [each for each in videos(catalogue, seed) if each.id == video]
    for fan in range(count):
        region = REGIONS[fan % len(REGIONS)]
        yield _view(f"fan{fan:05}", f"f{fan}-{video}", at_ms, shown, region, shown.length_s)


def _head(user: str, entity: str, at_ms: int, tp: str, revision: int = 1) -> dict[str, object]:
    at = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    named = {"specversion": "1.0", "id": f"{entity}-{revision}", "source": "ios/5.2.0", "type": tp, "subject": user}
    return {**named, "time": at, "entity": entity, "revision": revision}


def _shown(video: Video, region: str) -> dict[str, object]:
    tags = list(video.hashtags)
    return {
        **{"content": video.id, "creator": video.creator, "hashtags": tags, "sound": video.sound},
        **{"category": video.category, "region": region},
    }


def _view(user: str, entity: str, at_ms: int, video: Video, region: str, watched_s: float) -> bytes:
    data = {**_shown(video, region), "watched_s": watched_s, "length_s": video.length_s}
    return json.dumps({**_head(user, entity, at_ms, "view.recorded"), "data": data}).encode()


def _reaction(user: str, entity: str, at_ms: int, video: Video, region: str, kind: str) -> bytes:
    data = {**_shown(video, region), "kind": kind}
    return json.dumps({**_head(user, entity, at_ms, "reaction.recorded"), "data": data}).encode()


def _taken_back(user: str, entity: str, at_ms: int) -> bytes:
    return json.dumps(_head(user, entity, at_ms, "reaction.deleted", 2)).encode()
