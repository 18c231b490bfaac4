"""Recommendations: what those like who like the same, and what trends where the user's tastes are; never what was seen.

together   Σ over the latest RECENT likes a of the user:  both(a, b) · 10⁶ / √(users(a) · users(b)), the older the less
           (cosine between items: Sarwar et al., Item-Based Collaborative Filtering, WWW 2001), damped where few are
taste      what trends, by its place, as much as the user's tastes are of its category and creator
trending   what trends, by its place: all that there is for who has just come

Integers all the way; at most PER_CREATOR of a creator. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from math import isqrt
from typing import NamedTuple

import msgspec

from schemas.affinity import LIST_SIZE, Popular, Related, Suggestion, TasteRow, pack
from schemas.trending import ALL

RECENT = 20
"""Likes of a user that speak for others, the latest."""
PER_CREATOR = 5
"""Entries of one creator in a list."""
DAMPING = 4
"""Added to both sides of a cosine: two of two users who like both say less than a hundred of a hundred."""
TASTE, TRENDING = 400_000, 20_000
"""What the first place of a trending list is worth to a user who likes nothing else than its category, and to all."""
CREATOR_MILLI = 500
"""What a liked creator is worth beside a liked category."""

_near = msgspec.msgpack.Decoder(list[tuple[str, int]]).decode


class About(NamedTuple):
    """What is known of an item."""

    version: int
    users: int
    creator: str | None
    category: str | None
    near: bytes
    """Packed: most are never asked for."""


class Known:
    """What stage two has told so far."""

    def __init__(self) -> None:
        self.items: dict[str, About] = {}
        self.popular: dict[str, Popular] = {}
        """By region."""

    def take(self, item: Related) -> bool:
        """Take what is related to an item, if it is news."""
        held = self.items.get(item.item)
        if held is not None and held.version >= item.version:
            return False
        if item.users or item.creator or item.category:
            self.items[item.item] = About(item.version, item.users, item.creator, item.category, pack(item.near))
        else:
            self.items.pop(item.item, None)
        return True

    def forget(self, item: str) -> None:
        """Nothing is known of an item any more."""
        self.items.pop(item, None)

    def take_popular(self, popular: Popular) -> bool:
        """Take a list of what trends, if it is news."""
        held = self.popular.get(popular.region)
        if held is not None and held.version >= popular.version:
            return False
        self.popular[popular.region] = popular
        return True


def suggest(
    likes: TasteRow,
    order: Sequence[tuple[int, str]],
    seen: Mapping[str, int],
    known: Known,
    *,
    size: int = LIST_SIZE,
) -> list[Suggestion]:
    """What a user may like, the best first. `order`: what the user liked, the latest last; `seen`: left out."""
    found: dict[str, Suggestion] = {}
    _from_likes(found, order, seen, known)
    _from_trending(found, likes, seen, known)
    for entry in found.values():
        entry.score = entry.together + entry.taste + entry.trending
        entry.reason = max(("together", "taste", "trending"), key=lambda part: getattr(entry, part))
    return list(_diverse(sorted(found.values(), key=lambda entry: (-entry.score, entry.id)), size))


def cold(known: Mapping[str, Sequence[str]], region: str | None, size: int = LIST_SIZE) -> list[Suggestion]:
    """What is shown to somebody of whom nothing is known: what trends in the region, then everywhere.

    >>> [entry.id for entry in cold({"DE": ["a"], "all": ["b", "a"]}, "DE")]
    ['a', 'b']
    """
    own = Known()
    own.popular = {name: Popular(name, 0, list(items)) for name, items in known.items()}
    return suggest(TasteRow("", 0, region=region), (), {}, own, size=size)


def _from_likes(
    found: dict[str, Suggestion], order: Sequence[tuple[int, str]], seen: Collection[str], known: Known
) -> None:
    most: dict[str, int] = {}
    for back, (_, item) in enumerate(reversed(order[-RECENT:])):
        about = known.items.get(item)
        if about is None:
            continue
        weight = 2 * RECENT - back
        for other, both in _near(about.near):
            if other in seen:
                continue
            of_other = known.items.get(other)
            if of_other is None:
                continue
            by = weight * both * 1_000_000 // (isqrt((about.users + DAMPING) * (of_other.users + DAMPING)) * 2 * RECENT)
            entry = found.get(other)
            if entry is None:
                entry = found[other] = _entry(other, of_other)
            entry.together += by
            if by > most.get(other, 0):
                most[other] = by
                entry.because, entry.both = item, both


def _from_trending(found: dict[str, Suggestion], likes: TasteRow, seen: Collection[str], known: Known) -> None:
    of_category, of_creator = sum(likes.categories.values()), sum(likes.creators.values())
    for region in dict.fromkeys((likes.region or ALL, ALL)):
        popular = known.popular.get(region)
        if popular is None:
            continue
        places = len(popular.items)
        for place, item in enumerate(popular.items, 1):
            if item in seen:
                continue
            entry = found.get(item)
            if entry is None:
                entry = found[item] = _entry(item, known.items.get(item))
            if entry.place:
                continue  # the own region comes first
            entry.place, entry.region = place, region
            left = places + 1 - place
            milli = 0
            if of_category and entry.category is not None:
                milli += likes.categories.get(entry.category, 0) * 1000 // of_category
            if of_creator and entry.creator is not None:
                milli += likes.creators.get(entry.creator, 0) * CREATOR_MILLI // of_creator
            entry.taste = TASTE * milli // 1000 * left // places
            # What trends in the region comes before what only trends elsewhere.
            entry.trending = TRENDING * left // (places if region != ALL or likes.region is None else 2 * places)


def _entry(item: str, about: About | None) -> Suggestion:
    if about is None:
        return Suggestion(item, 0, "")
    return Suggestion(item, 0, "", category=about.category, creator=about.creator)


def _diverse(entries: Sequence[Suggestion], size: int) -> Iterator[Suggestion]:
    """The best, not too many of one creator."""
    of_creator: Counter[str] = Counter()
    left = size
    for entry in entries:
        if not left:
            return
        if entry.creator is not None:
            of_creator[entry.creator] += 1
            if of_creator[entry.creator] > PER_CREATOR:
                continue
        left -= 1
        yield entry
