"""Recommendations as Redis takes them. Pure. The list holds bare ids, for clients with nothing but LRANGE."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from schemas.affinity import Recommendations, Suggestion
from schemas.tables import RECOMMENDATIONS

FILLED_BY = "RPUSH"
"""See lists.lua."""
_json = msgspec.json.Encoder().encode
_pack = msgspec.msgpack.Encoder().encode


def keys(user_id: str) -> tuple[str, str]:
    """The list of a user, and the hash beside it: how new it is, and the entries with their parts.

    >>> keys("u_1")
    ('daybook:recommendations:u_1', 'daybook:recommendations-at:u_1')
    """
    assert RECOMMENDATIONS.redis is not None
    own = RECOMMENDATIONS.redis.format(user_id=user_id)
    return own, own.replace("daybook:recommendations:", "daybook:recommendations-at:", 1)


def script_arguments(rows: Iterable[Recommendations]) -> tuple[list[str], list[bytes]]:
    """Keys and packed lists for lists.lua."""
    names: list[str] = []
    packed = []
    for row in rows:
        names += keys(row.user_id)
        said = ["version", str(row.version), "at_ms", str(row.at_ms), "entries", _json(row.entries).decode()]
        packed.append(_pack([said, [entry.id for entry in row.entries]]))
    return names, packed


def row(user_id: str, fields: Mapping[str, str]) -> Recommendations:
    """A list from the hash beside it."""
    entries = msgspec.json.decode(fields["entries"], type=list[Suggestion])
    return Recommendations(user_id, int(fields["version"]), int(fields["at_ms"]), entries)
