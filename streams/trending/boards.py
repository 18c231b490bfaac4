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


class PythonScoring:
    """Every item in turn."""

    def best(self, asked: Asked, room: int) -> tuple[dict[str, int], int]:
        """See Scoring."""
        scores: dict[str, int] = {}
        self.again(asked, asked.items, scores, 0)
        if len(scores) <= room:
            return scores, 0
        bar = heapq.nlargest(room, scores.values())[-1]
        return {item: score for item, score in scores.items() if score >= bar}, bar

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

    def places(self, rank: Callable[[Mapping[str, int]], list[Place]], scoring: Scoring, asked: Asked) -> list[Place]:
        """The list; `rank`: makes it of scores."""
        while True:
            found = rank(self.scores)
            if len(found) >= LIST_SIZE or not self.bar:
                return found
            self._room *= 8
            self.set_anew(scoring, asked)
