"""What the archive holds of a person: for an export."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from daybook.keep import archiving, once
from daybook.keep.archive import Archive
from daybook.settings import Settings

_PATIENT_S = 60.0
"""A pass that is under way may end meanwhile."""


def theirs(settings: Settings, user: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name of a file and row of all that is theirs, nothing where there is no archive: what an erasure would take out.

    Every file is read whole, and verified. Raises Problem while a pass is under way, and for a file that is damaged.
    Nobody may write into the archive meanwhile, so all is read before the first is given: it is one person's.
    """
    if settings.archive is None:
        return
    found: list[tuple[str, dict[str, Any]]] = []
    with once.opened(settings) as (client, connection), once.alone(connection, _PATIENT_S):
        found.extend(archiving.of(client, Archive(settings.archive), user))
    yield from found
