"""The latest answers, for when no store answers (RFC 5861's stale-if-error). Pure; bounded by number and age."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Any


class Kept:
    """Answers by what was asked, the latest `most` of them."""

    def __init__(self, most: int = 10_000, seconds: float = 3_600.0) -> None:
        """`seconds`: how old an answer may be."""
        self._most, self._seconds = most, seconds
        self._answers: OrderedDict[Hashable, tuple[float, Any]] = OrderedDict()

    def put(self, asked: Hashable, answer: Any, now: float) -> None:
        """Keep an answer; `now` in seconds of any clock."""
        self._answers[asked] = (now, answer)
        self._answers.move_to_end(asked)
        if len(self._answers) > self._most:
            self._answers.popitem(last=False)

    def get(self, asked: Hashable, now: float) -> tuple[float, Any] | None:
        """How many seconds old the answer is, and the answer; None if there is none that may be given."""
        found = self._answers.get(asked)
        if found is None or now - found[0] > self._seconds:
            return None
        return now - found[0], found[1]
