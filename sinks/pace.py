"""A bound on how much is done a second. Pure: the clock is an argument."""

from __future__ import annotations


class Pace:
    """So many units a second, and as many at once after a pause."""

    def __init__(self, per_s: float) -> None:
        self._per_s = self._left = per_s
        self._at: float | None = None

    def spend(self, units: float, now_s: float) -> None:
        """Say that so much was done; more than was left is owed."""
        self._left = self._left_at(now_s) - units
        self._at = now_s

    def wait_s(self, now_s: float) -> float:
        """How long to wait until nothing is owed."""
        return max(0.0, -self._left_at(now_s) / self._per_s)

    def _left_at(self, now_s: float) -> float:
        passed = 0.0 if self._at is None else max(0.0, now_s - self._at)
        return min(self._per_s, self._left + passed * self._per_s)
