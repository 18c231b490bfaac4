"""Trending lists as Redis takes them. Pure. A sorted set holds bare ids, for clients with nothing but ZREVRANGE."""

from __future__ import annotations

from schemas.tables import TRENDING
from schemas.trending import TrendingList


def keys(kind: str, region: str, window: str) -> tuple[str, str]:
    """The sorted set of a list, and the hash beside it that says how new it is.

    >>> keys("videos", "all", "1h")
    ('daybook:trending:videos:all:1h', 'daybook:trending-at:videos:all:1h')
    """
    assert TRENDING.redis is not None
    own = TRENDING.redis.format(kind=kind, region=region, window=window)
    return own, own.replace("daybook:trending:", "daybook:trending-at:", 1)


def arguments(row: TrendingList, ttl_s: int) -> list[str]:
    """What trending.lua takes; scores are thousandths, below 2^53."""
    found = [str(row.version), str(row.at_ms), str(ttl_s)]
    for entry in row.entries:
        found += [str(entry.score), entry.id]
    return found
