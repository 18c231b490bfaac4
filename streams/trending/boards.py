"""Which items may be on a list: those whose score is not below a bar, so that of all others nothing need be known.

Within a minute only what is counted anew can rise above the bar; with the minute all scores change, and the bar is set
anew. Should too few be left over it (blocked, capped, fallen), it is set lower.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from schemas.trending import LIST_SIZE
from streams.trending.ranking import Place

ROOM = 2 * LIST_SIZE
"""Items over a bar when it is set."""


class Asked(NamedTuple):
    """What scores are asked of."""

    items: Mapping[str, Any]
    """Item → its Series."""
    window: int
    """By number."""
    now: int
    weeks: int
    """How many are known."""


class Scoring(Protocol):
    """Asks items for their scores."""

    def best(self, asked: Asked, room: int) -> tuple[dict[str, int], int]:
        """About so many of the highest scores, and the bar: who is missing is below it; 0: nobody is missing."""

    def again(self, asked: Asked, changed: Iterable[str], scores: dict[str, int], bar: int) -> None:
        """Put right the scores of items that have changed."""


def over_a_bar(scores: dict[str, int], room: int) -> tuple[dict[str, int], int]:
    """So many of the highest and their equals, and the least of them."""
    bar = heapq.nlargest(room, scores.values())[-1]
    return {item: score for item, score in scores.items() if score >= bar}, bar


class PythonScoring:
    """Every item in turn."""

    def best(self, asked: Asked, room: int) -> tuple[dict[str, int], int]:
        """See Scoring."""
        scores: dict[str, int] = {}
        self.again(asked, asked.items, scores, 0)
        return over_a_bar(scores, room) if len(scores) > room else (scores, 0)

    def again(self, asked: Asked, changed: Iterable[str], scores: dict[str, int], bar: int) -> None:
        """See Scoring."""
        for item in changed:
            series = asked.items.get(item)
            parts = None if series is None else series.parts(asked.window, asked.now, asked.weeks)
            if parts is not None and parts.score >= bar:
                scores[item] = parts.score
            else:
                scores.pop(item, None)


class Board:
    """The items of one list."""

    __slots__ = ("_room", "bar", "scores")

    def __init__(self) -> None:
        self.scores: dict[str, int] = {}
        self.bar = 0
        self._room = ROOM

    def set_anew(self, scoring: Scoring, asked: Asked) -> None:
        """With another minute: all scores have changed."""
        self.scores, self.bar = scoring.best(asked, self._room)

    def put_right(self, scoring: Scoring, asked: Asked, changed: Iterable[str]) -> None:
        """Within a minute: some have changed; once many have risen over the bar, it is raised."""
        scoring.again(asked, changed, self.scores, self.bar)
        if len(self.scores) > 2 * self._room:
            self.scores, self.bar = over_a_bar(self.scores, self._room)

    def places(self, rank: Callable[[Mapping[str, int]], list[Place]], scoring: Scoring, asked: Asked) -> list[Place]:
        """The list; `rank`: makes it of scores."""
        while True:
            found = rank(self.scores)
            if len(found) >= LIST_SIZE or not self.bar:
                return found
            self._room *= 8
            self.set_anew(scoring, asked)
