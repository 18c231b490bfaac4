"""Where a store is, for people: its URL without the password."""

from __future__ import annotations

from urllib.parse import urlsplit


def shown(store: str, url: str) -> str:
    """The store with its host, port and database.

    >>> shown("PostgreSQL", "postgresql://me:secret@127.0.0.1:5432/daybook")
    'PostgreSQL at 127.0.0.1:5432/daybook'
    """
    parts = urlsplit(url)
    return f"{store} at {parts.netloc.rpartition('@')[2]}{parts.path}"
