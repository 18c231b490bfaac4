"""How fast a backfill may go, and when it must wait. Pure: what was measured comes in."""

from __future__ import annotations

from typing import NamedTuple

MOMENT = 300
"""So many records are always under way somewhere: markers that end transactions count too."""

AT_MOST_SAID = 4_000
"""Rows a second that owners are asked to say again at a budget of 100%: a few percent of what one of them can."""


class Budget(NamedTuple):
    """A share of one processor's time, or so many user-days a second."""

    share: float = 0.5
    days_per_s: float | None = None

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Read 25% or 2000 (user-days a second). Raises ValueError, saying what is expected.

        >>> Budget.parse("25%"), Budget.parse("2000")
        (Budget(share=0.25, days_per_s=None), Budget(share=1.0, days_per_s=2000.0))
        """
        number = text.removesuffix("%").replace(",", "").replace("_", "")
        if number.isascii() and number.isdigit() and int(number) > 0:
            if not text.endswith("%"):
                return cls(1.0, float(number))
            if int(number) <= 100:
                return cls(int(number) / 100)
        raise ValueError(f"expected a share such as 25%, or user-days a second such as 2000, got {text!r}")

    def rest_s(self, took_s: float, days: int) -> float:
        """How long to rest after a piece of work, so that in the end no more was used than allowed."""
        by_share = took_s * (1 - self.share) / self.share
        by_rate = 0.0 if self.days_per_s is None else days / self.days_per_s - took_s
        return max(0.0, by_share, by_rate)

    @property
    def rows_per_s(self) -> float:
        """How many rows owners may be asked to say again in a second: what that costs is spent by others."""
        return AT_MOST_SAID * self.share if self.days_per_s is None else self.days_per_s

    def __str__(self) -> str:
        return f"{self.share:.0%} of the time" if self.days_per_s is None else f"{self.days_per_s:,.0f} user-days/s"


class Look(NamedTuple):
    """What was seen at one moment."""

    at_s: float
    behind: int
    """Records that some consumer of live events has not committed."""
    ended: int
    """Where the topics of live events end, summed: it grows by what arrives."""
    postgres_ms: float
    """How long a small commit took."""


class Limits(NamedTuple):
    """Beyond which a backfill waits."""

    lag_s: float
    postgres_ms: float


class Pressure:
    """Says whether to wait, and why; it goes on again at half of the limit only, so that it does not flutter."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._last: Look | None = None
        self._waits = False

    def why_wait(self, look: Look) -> str | None:
        """Why to wait, in words; None: go on."""
        last, self._last = self._last, look
        scale = 0.5 if self._waits else 1.0
        why = self._why(look, lag_s(last, look), scale)
        self._waits = why is not None
        return why

    def _why(self, look: Look, lag: float, scale: float) -> str | None:
        if lag > self._limits.lag_s * scale:
            return f"live events are {lag:.1f} s behind" if lag != float("inf") else "live events stand still"
        if look.postgres_ms > self._limits.postgres_ms * scale:
            return f"a commit in PostgreSQL takes {look.postgres_ms:.0f} ms"
        return None


def lag_s(last: Look | None, look: Look) -> float:
    """How many seconds of live events are not processed: what is behind, at the rate at which it is worked off.

    Infinite where something waits and nothing was worked off since the last look.

    >>> lag_s(Look(0.0, 1_000, 9_000, 1.0), Look(2.0, 1_300, 10_300, 1.0))
    2.0
    """
    if look.behind <= MOMENT or last is None or look.at_s <= last.at_s:
        return 0.0
    done = (look.ended - look.behind) - (last.ended - last.behind)
    waiting = look.behind - MOMENT
    return waiting * (look.at_s - last.at_s) / done if done > 0 else float("inf")
