"""What operators see at one look: servers, workers, what became of events, what was refused, what the audit found."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from daybook import rejects, state
from daybook.errors import Problem
from daybook.scrape import Scraped, scrape, total
from daybook.settings import Settings
from sinks.postgres.connect import READER

OUTCOMES = ("applied", "duplicate", "superseded", "rejected")
REASONS = 20
"""The most frequent ones."""


def look(settings: Settings) -> dict[str, Any]:
    """Never raises for something that is down: that is what it says. What nobody tells is null or left out."""
    rows = state.look(settings)
    told = {row.role: scrape(row.metrics) for row in rows if row.role in ("worker-streams", "worker-audit")}
    streams, audit = told.get("worker-streams", {}), told.get("worker-audit", {})
    return {
        "at_ms": time.time_ns() // 1_000_000,
        "roles": [row._asdict() for row in rows],
        "events": {name: _whole(streams, "daybook_events_total", outcome=name) for name in OUTCOMES},
        "pending": _whole(streams, "daybook_events_pending"),
        "refused": _refused(settings),
        "audit": {
            "runs": bool(audit),
            "days": _whole(audit, "daybook_audit_days_total"),
            "mismatches": _whole(audit, "daybook_audit_mismatches_total"),
            "open": _whole(audit, "daybook_audit_open"),
        },
    }


def _whole(scraped: Scraped, name: str, **labels: str) -> int | None:
    found = total(scraped, name, **labels)
    return None if found is None else int(found)


def _refused(settings: Settings) -> list[dict[str, Any]] | None:
    import psycopg

    with suppress(psycopg.Error, Problem), rejects.opened(settings.address("postgres"), READER) as found:
        return [count._asdict() for count in found.counts(rejects.Selection())[:REASONS]]
    return None
