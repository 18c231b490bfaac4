"""What affinity is told in: a user's tastes, what is liked together, and recommendations with their parts.

topic    affinity          one row of tastes per user, absolute, versioned
topic    liked-together    absolute counts per item and source partition; versioned; many to a record
topic    related           what stage two makes of them, and what trends, for every partition of users; many to a record
topic    recommendations   one list per user, whole, versioned
"""

from __future__ import annotations

from typing import Annotated, NamedTuple
from zlib import crc32

import msgspec
from msgspec import Meta

LIST_SIZE = 50
"""Recommendations of a user."""
TASTES = 50
"""Categories, creators, hashtags of a row, each: the strongest."""
HOUR_MS = 3_600_000
HALF_LIFE_H = 7 * 24
"""A taste halves in a week."""
HALVINGS = 8
"""Weeks (since 1970, UTC, from a Thursday) that count: the one of the user's latest event and those before it."""
STRONGEST = 1_000
"""A view of the whole length, in thousandths; of reactions see REACTED."""
REACTED = {"like": 1_000, "comment": 1_500, "save": 1_500, "share": 2_000}
"""Ours: what costs the user more effort says more."""
UNKNOWN_LENGTH_S = 30
"""What counts as the length of a video that does not say it."""
ONE = 1 << 20

BUNDLE = 200
"""Counts in one record at most."""


class TasteRow(msgspec.Struct, omit_defaults=True, gc=False):
    """What a user likes. Weights are thousandths of a whole view now; "now" is the hour of the user's latest event."""

    user_id: str
    version: int
    as_of_ms: Annotated[int | None, Meta(description="Hour of the user's latest event [ms since 1970 UTC]")] = None
    since_ms: Annotated[int | None, Meta(description="Hour of the oldest that counts [ms since 1970 UTC]")] = None
    events: Annotated[int, Meta(description="Views and reactions that count")] = 0
    region: Annotated[str | None, Meta(description="Where most of it was, decayed as tastes are")] = None
    categories: dict[str, int] = {}
    creators: dict[str, int] = {}
    hashtags: dict[str, int] = {}

    @property
    def is_null(self) -> bool:
        """Whether nothing counts any more; such a row equals no row."""
        return not self.events


class Together(NamedTuple):
    """What users of one source partition like together with an item. Absolute: the highest version holds."""

    item: str
    source: int
    """Partition of `views`."""
    version: int
    users: int
    """Who like it; 0: nobody any more."""
    creator: str | None
    category: str | None
    near: list[tuple[str, int]]
    """The most frequent neighbours: how many users like both."""


class Related(NamedTuple):
    """The same over all source partitions."""

    item: str
    version: int
    users: int
    creator: str | None
    category: str | None
    near: list[tuple[str, int]]


class Popular(NamedTuple):
    """What trends in a region, the best first."""

    region: str
    version: int
    items: list[str]


class Suggestion(msgspec.Struct, omit_defaults=True, gc=False):
    """One recommendation, with the parts of its score (streams/affinity/suggest.py)."""

    id: str
    score: int
    reason: Annotated[str, Meta(description="The largest part: together, taste or trending")]
    together: Annotated[int, Meta(description="From what others like who like the same")] = 0
    taste: Annotated[int, Meta(description="From trending in a liked category or of a liked creator")] = 0
    trending: Annotated[int, Meta(description="From trending alone")] = 0
    because: Annotated[str | None, Meta(description="What the user liked that says most for it")] = None
    both: Annotated[int, Meta(description="How many users like both, at least")] = 0
    place: Annotated[int, Meta(description="Its place on the trending list; 0: on none")] = 0
    region: Annotated[str | None, Meta(description="Of that list")] = None
    category: str | None = None
    creator: str | None = None


class Recommendations(msgspec.Struct, omit_defaults=True, gc=False):
    """What a user may like and has not seen; it replaces the list before it as a whole."""

    user_id: str
    version: int
    at_ms: Annotated[int, Meta(description="The stream's clock [ms since 1970 UTC]")]
    entries: list[Suggestion] = []


def partition_of(item: str, partitions: int) -> int:
    """Where the counts of an item meet.

    >>> partition_of("v1", 8)
    5
    """
    return crc32(item.encode()) % partitions


pack = msgspec.msgpack.Encoder().encode
unpack_together = msgspec.msgpack.Decoder(list[Together]).decode
unpack_one_together = msgspec.msgpack.Decoder(Together).decode
unpack_related = msgspec.msgpack.Decoder(tuple[list[Related], list[Popular]]).decode
unpack_one_related = msgspec.msgpack.Decoder(Related).decode
unpack_popular = msgspec.msgpack.Decoder(Popular).decode
encode_row = msgspec.json.Encoder().encode
decode_tastes = msgspec.json.Decoder(TasteRow).decode
decode_recommendations = msgspec.json.Decoder(Recommendations).decode
