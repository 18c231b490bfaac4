"""What counts where several sources saw the same thing, said once more, slowly: for producers/truth.py.

Written from the rules in docs/metrics.md. Activity is looked at stretch by stretch: between any two neighbouring
moments at which an interval begins or ends, somebody stronger is there or nobody is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

HOURS_20 = 72_000


class Seen(NamedTuple):
    """Something that one source saw, from `begin` to `end` in ms."""

    key: bytes
    platform: str
    begin: int
    end: int
    value: int = 0

    @property
    def is_total(self) -> bool:
        return self.end - self.begin >= HOURS_20 * 1000

    def common(self, other: Seen) -> int:
        """How many ms both were there."""
        return max(0, min(self.end, other.end) - max(self.begin, other.begin))


def by_strength(platforms: Iterable[str], weakest_first: Sequence[str] | None) -> list[str]:
    """The platforms, the strongest first."""
    listed = {name: place for place, name in enumerate(weakest_first or (), 1)}
    usual = {"web": 1, "phone": 2, "watch": 3}

    def find(places: Mapping[str, int], platform: str) -> int:
        found = [places.get(platform, 0)]
        if platform in {"ios", "android"}:
            found.append(places.get("phone", 0))
        return found[0] or found[-1]

    return sorted(set(platforms), key=lambda name: (-find(listed, name), -find(usual, name), _backwards(name)))


def _backwards(name: str) -> list[int]:
    """Sorts names from Z to A, a longer one before its beginning."""
    return [-ord(letter) for letter in name] + [1]


def activity(seen: Sequence[Seen], weakest_first: Sequence[str] | None) -> int | None:
    """What a day's intervals come to in one metric, of those that say it."""
    if not seen:
        return None
    moments = sorted({moment for one in seen for moment in (one.begin, one.end)})
    counting: list[tuple[Seen, int]] = []
    for platform in by_strength((one.platform for one in seen), weakest_first):
        own = [one for one in seen if one.platform == platform]
        if totals := [one for one in own if one.is_total]:
            total = sorted(totals, key=lambda one: (one.end - one.begin, one.begin, one.key))[-1]
            own = [total] + [one for one in own if one.key != total.key and not one.common(total)]
        mine = []
        for one in own:
            stronger = [(other, share) for other, share in counting if other.common(one)]
            alone = 0
            for begin, end in pairwise(moments):
                inside = one.begin <= begin and end <= one.end
                if inside and not any(other.begin <= begin and end <= other.end for other, _ in stronger):
                    alone += end - begin
            whole = one.end - one.begin
            share = (2 * one.value * alone + whole) // (2 * whole)
            if one.is_total and stronger:
                share = min(share, max(0, one.value - sum(share for _, share in stronger)))
            mine.append((one, share))
        counting += mine
    return sum(share for _, share in counting)


def alike(seen: Iterable[Seen], weakest_first: Sequence[str] | None) -> dict[bytes, bytes]:
    """Workouts or sleeps that are left out → the one that counts for them."""
    waiting = sorted(seen, key=lambda one: (one.begin, one.key))
    counting: list[Seen] = []
    left_out: dict[bytes, bytes] = {}
    for platform in by_strength((one.platform for one in waiting), weakest_first):
        for one in waiting:
            if one.platform != platform:
                continue
            for other in counting:
                shorter = min(one.end - one.begin, other.end - other.begin)
                if other.platform != platform and one.common(other) > shorter / 2:
                    left_out[one.key] = other.key
                    break
            else:
                counting.append(one)
    return left_out
