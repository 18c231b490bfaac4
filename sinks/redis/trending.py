"""Trending lists as Redis takes them. Pure. A sorted set holds bare ids, for clients with nothing but ZREVRANGE."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from schemas.tables import TRENDING
from schemas.trending import TrendingList

FILLED_BY = "ZADD"
"""See lists.lua."""
_pack = msgspec.msgpack.Encoder().encode


def keys(kind: str, region: str, window: str) -> tuple[str, str]:
    """The sorted set of a list, and the hash beside it that says how new it is.

    >>> keys("videos", "all", "1h")
    ('daybook:trending:videos:all:1h', 'daybook:trending-at:videos:all:1h')
    """
    assert TRENDING.redis is not None
    own = TRENDING.redis.format(kind=kind, region=region, window=window)
    return own, own.replace("daybook:trending:", "daybook:trending-at:", 1)


def script_arguments(rows: Iterable[TrendingList]) -> tuple[list[str], list[bytes]]:
    """Keys and packed lists for lists.lua; scores are thousandths, below 2^53."""
    names: list[str] = []
    packed = []
    for row in rows:
        names += keys(row.kind, row.region, row.window)
        said = ["version", str(row.version), "at_ms", str(row.at_ms)]
        packed.append(_pack([said, [text for entry in row.entries for text in (str(entry.score), entry.id)]]))
    return names, packed
