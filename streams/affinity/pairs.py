"""What is liked together: two items that one user likes, at most ten apart in the order in which they were last liked.

The number of users with both is what counts (co-visitation: Davidson et al., The YouTube Video Recommendation System,
RecSys 2010). A user is in it once per pair however often both are watched, so a bot adds one. A like that is added,
moved or taken out changes some twenty pairs around it, whatever the length of the order; any history of changes leaves
the pairs of the order as it is. Pure.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable

REACH = 10
"""How far apart two likes may be."""

Change = Callable[[str, str, int], None]
"""Hears of two items that a user likes together from now on (1), or no more (-1)."""


class Likes:
    """What one user likes, in order."""

    __slots__ = ("order", "times")

    def __init__(self) -> None:
        self.times: dict[str, list[int]] = {}
        """Item → when it was liked [ms], ascending."""
        self.order: list[tuple[int, str]] = []
        """When each was liked last."""

    def add(self, item: str, ms: int, change: Change) -> bool:
        """One more like; whether the item is new."""
        times = self.times.get(item)
        if times is None:
            self.times[item] = [ms]
            self._put(ms, item, change)
            return True
        last = times[-1]
        insort(times, ms)
        if ms > last:
            self._take(last, item, change)
            self._put(ms, item, change)
        return False

    def remove(self, item: str, ms: int, change: Change) -> bool:
        """One like less, of those that were added; whether none of the item is left."""
        times = self.times[item]
        last = times[-1]
        times.remove(ms)
        if not times:
            del self.times[item]
            self._take(last, item, change)
            return True
        if times[-1] < last:
            self._take(last, item, change)
            self._put(times[-1], item, change)
        return False

    def _put(self, ms: int, item: str, change: Change) -> None:
        at = bisect_left(self.order, (ms, item))
        self._around(at, item, change, 1)
        self.order.insert(at, (ms, item))

    def _take(self, ms: int, item: str, change: Change) -> None:
        at = bisect_left(self.order, (ms, item))
        del self.order[at]
        self._around(at, item, change, -1)

    def _around(self, at: int, item: str, change: Change, sign: int) -> None:
        """Pairs of an item that comes between others, or leaves; those that it pushes apart are pairs no more."""
        order = self.order
        first = max(0, at - REACH)
        for _, other in order[first : at + REACH]:
            change(item, other, sign)
        for left in range(first, min(at, len(order) - REACH)):
            change(order[left][1], order[left + REACH][1], -sign)
