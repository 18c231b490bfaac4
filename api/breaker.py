"""Whether something that may be down is asked at all. Pure: the time is an argument, in seconds of any clock."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Breaker:
    """Opens after `after` failures in a row; then one call is let through every `again_s`, until one works."""

    after: int = 1
    again_s: float = 1.0
    failures: int = 0
    """In a row."""
    next_try: float = 0.0
    """While it is open: when the next call is let through."""

    @property
    def is_open(self) -> bool:
        """Whether what is behind it counts as down."""
        return self.failures >= self.after

    def lets(self, now: float) -> bool:
        """Whether to ask now. While it is open, a yes is for one caller, who must say how it went."""
        if not self.is_open:
            return True
        if now < self.next_try:
            return False
        self.next_try = now + self.again_s
        return True

    def worked(self) -> None:
        """It answered."""
        self.failures = 0

    def failed(self, now: float) -> None:
        """It did not."""
        self.failures += 1
        if self.is_open:
            self.next_try = now + self.again_s
