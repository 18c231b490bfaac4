"""Rows of `entities` back to the changelog records that they were made from: the inverse of `encode.entities`."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from schemas.ledger import KIND_OF_TYPE, entity_key, pack_contribution, pack_winner


class StoredEntity(NamedTuple):
    """One row of `entities`."""

    subject: str
    family: str
    entity: str
    register: str
    type: str
    revision: int
    deleted: bool
    digest: bytes
    time_ms: int
    utc_offset_min: int | None
    timezone: str | None
    source: str
    contribution: str


COLUMNS = ", ".join("toUnixTimestamp64Milli(time)" if n == "time_ms" else n for n in StoredEntity._fields)
"""What to select for a StoredEntity."""


def packed(e: StoredEntity) -> tuple[bytes, bytes]:
    """The changelog record of a row of `entities`."""
    kind = KIND_OF_TYPE[e.type]
    said = msgspec.json.decode(e.contribution) if e.contribution else {}
    contribution = pack_contribution(tuple(said.get(name) for name in kind.values), said.get("tail"))
    return entity_key(e.subject, e.family, e.entity, e.register or None), pack_winner(
        e.revision, e.deleted, e.digest, e.time_ms, e.utc_offset_min, kind.code, e.source, e.timezone, contribution
    )
