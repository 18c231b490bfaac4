"""The sinks by role: which consumer group each is, and what it reads."""

from __future__ import annotations

from daybook.waiting import Group


def groups() -> dict[str, Group]:
    """Role → its group."""
    return {}
