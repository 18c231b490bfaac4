"""A person leaves the archive: every file that has something of them is written anew."""

from __future__ import annotations

from collections import Counter

from daybook.keep import archiving, once
from daybook.keep.archive import Archive
from daybook.settings import Settings


def forget(settings: Settings, user: str) -> dict[str, int]:
    """Do it; returns kind of data → rows that were theirs, nothing where there is no archive.

    Raises Problem while a pass is under way, and for a file that is damaged.
    """
    if settings.archive is None:
        return {}
    found: Counter[str] = Counter()
    with once.opened(settings) as (client, connection), once.alone(connection):
        for name, rows in archiving.without(client, Archive(settings.archive), [user]).items():
            found[name.partition("-")[0]] += rows
    return dict(found)
