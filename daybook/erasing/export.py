"""All that the stores hold of one person, as JSON lines: {"store": …, "table": …, "row": {…}}.

Tables are found as an erasure finds them (stores.py), so what is erased is what is exported: events as they came and
typed, winners, days, progress, streaks, records, tastes, recommendations, refused events, findings of the audit, and
what Redis says to the app; then milestones, which lie in Kafka alone, and what the archive has of what left by age.
Changelogs hold the same winners once more and are left out.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import msgspec

from daybook.erasing.kafka import Log
from daybook.erasing.stores import Stores
from daybook.keep.theirs import theirs
from daybook.settings import Settings
from schemas.topics import MILESTONES

_encode = msgspec.json.Encoder(enc_hook=str).encode


def lines(settings: Settings, user: str) -> Iterator[bytes]:
    """One line after the other, table by table. Raises Problem, and what clients raise of a server that is away."""
    log = Log(settings.address("kafka"), user)
    with Stores(settings, user) as stores:
        for store, table, row in stores.rows():
            yield _encode({"store": store, "table": table, "row": _plain(row)})
    for value in log.values(MILESTONES):
        yield _encode({"store": "kafka", "table": MILESTONES.name, "row": msgspec.Raw(value)})
    for name, row in theirs(settings, user):
        yield _encode({"store": "archive", "table": name, "row": _plain(row)})


def _plain(row: Any) -> Any:
    """Bytes as text where they are text, else in base64."""
    if isinstance(row, dict):
        return {_plain(name): _plain(value) for name, value in row.items()}
    if isinstance(row, list | tuple):
        return [_plain(each) for each in row]
    if isinstance(row, memoryview):
        row = bytes(row)
    if isinstance(row, bytes):
        try:
            return row.decode()
        except UnicodeDecodeError:
            return {"base64": base64.b64encode(row).decode()}
    return row
