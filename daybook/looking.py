"""What operators see at one look, on the command line as on the page: servers, workers, what became of events, what was
refused, how fresh stores are, what the audit found, what waits on the disk, what was dropped and who is being erased.

It is what the metrics say, so nothing here can differ from what alerts lean on.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from daybook import rejects, state
from daybook.errors import Problem
from daybook.scrape import Scraped, most, total
from daybook.settings import Settings
from schemas.metrics import SINK_ROLES
from sinks.postgres.connect import READER, as_writer

OUTCOMES = ("applied", "duplicate", "superseded", "rejected")
REASONS = 20
"""The most frequent ones."""
_CONNECT_S = 3


def look(settings: Settings) -> dict[str, Any]:
    """Never raises for something that is down: that is what it says. What nobody tells is null or left out."""
    seen = state.see(settings)
    return {
        "at_ms": time.time_ns() // 1_000_000,
        "roles": [row._asdict() for row in seen.rows],
        **told(seen.told),
        "refused": _refused(settings),
        "erasures": _erasures(settings),
    }


def told(metrics: dict[str, Scraped]) -> dict[str, Any]:
    """What the workers' metrics come to; role → its metrics."""
    streams, audit, api = (metrics.get(role, {}) for role in ("streams", "audit", "api"))
    lags = {role: lag for role, said in metrics.items() if (lag := most(said, "daybook_lag_seconds")) is not None}
    fresh = {store: total(audit, "daybook_freshness_last_seconds", store=store) for store in SINK_ROLES}
    up = {store: total(metrics.get(store, {}), "daybook_store_up", store=store) for store in SINK_ROLES}
    passed = most(audit, "daybook_keep_passed_seconds")
    return {
        "events": {name: _whole(streams, "daybook_events_total", outcome=name) for name in OUTCOMES},
        "pending": _whole(streams, "daybook_events_pending"),
        "lag_s": {role: round(lag, 3) for role, lag in lags.items()},
        "fresh_s": {store: round(value, 3) for store, value in fresh.items() if value is not None},
        "stores": {store: bool(value) for store, value in up.items() if value is not None},
        "aside": {
            store: _whole(said, "daybook_rows_set_aside_total") or 0
            for store in SINK_ROLES
            if (said := metrics.get(store))
        },
        "audit": {
            "runs": bool(audit),
            "days": _whole(audit, "daybook_audit_days_total"),
            "mismatches": _whole(audit, "daybook_audit_mismatches_total"),
            "open": _whole(audit, "daybook_audit_open"),
            "canaries_lost": _whole(audit, "daybook_canaries_lost_total"),
        },
        "spool": {
            "events": _whole(api, "daybook_ingest_spooled_events"),
            "bytes": _whole(api, "daybook_ingest_spool_bytes"),
            "limit_bytes": _whole(api, "daybook_ingest_spool_limit_bytes"),
            "damaged_bytes": _whole(api, "daybook_ingest_spool_damaged_bytes"),
        },
        "keep": {
            "passed_at_ms": None if passed is None else int(passed * 1000),
            "dropped": _whole(audit, "daybook_keep_dropped_total"),
        },
    }


def lines(found: dict[str, Any]) -> list[str]:
    """The same for people, a line each; what nobody tells is left out. Servers and workers are a table of their own."""
    events, audit, spool, keep = found["events"], found["audit"], found["spool"], found["keep"]
    said = []
    if events["applied"] is not None:
        counts = ", ".join(f"{events[name] or 0:,} {name}" for name in OUTCOMES)
        said.append(f"events: {counts}, {found['pending'] or 0:,} wait for old days")
    if found["lag_s"]:
        role, lag = max(found["lag_s"].items(), key=lambda each: each[1])
        said.append(f"lag: {lag:.1f} s at most ({role})")
    if found["fresh_s"]:
        fresh = ", ".join(f"{store} {value:.2f} s" for store, value in found["fresh_s"].items())
        said.append(f"freshness of the last canary: {fresh}")
    if found["stores"]:
        away = [store for store, answers in found["stores"].items() if not answers]
        aside = sum(found["aside"].values())
        said.append(f"stores: {' and '.join(away) + ' away' if away else 'all answer'}, {aside:,} rows set aside")
    if audit["runs"]:
        wrong, days = audit["mismatches"] or 0, audit["days"] or 0
        lost = audit["canaries_lost"] or 0
        said.append(
            f"audit: {audit['open'] or 0:,} cells wrong now, {wrong:,} found in {days:,} days, {lost:,} canaries lost"
        )
    if spool["limit_bytes"] or spool["events"]:
        said.append(
            f"spool: {spool['events'] or 0:,} events, {spool['bytes'] or 0:,} of {spool['limit_bytes'] or 0:,} bytes, "
            f"{spool['damaged_bytes'] or 0:,} damaged"
        )
    if keep["passed_at_ms"] is not None:
        age_s = max(0, found["at_ms"] - keep["passed_at_ms"]) // 1000
        said.append(f"keep: passed {age_s:,} s ago, {keep['dropped'] or 0:,} rows dropped since the audit began")
    if found["erasures"] is not None and any(found["erasures"].values()):
        said.append(
            "erasures: {unfinished:,} begun and not finished, {finished:,} finished".format(**found["erasures"])
        )
    return said


def _whole(scraped: Scraped, name: str, **labels: str) -> int | None:
    found = total(scraped, name, **labels)
    return None if found is None else int(found)


def _refused(settings: Settings) -> list[dict[str, Any]] | None:
    import psycopg

    with suppress(psycopg.Error, Problem), rejects.opened(settings.address("postgres"), READER) as found:
        return [count._asdict() for count in found.counts(rejects.Selection())[:REASONS]]
    return None


def _erasures(settings: Settings) -> dict[str, int] | None:
    import psycopg

    query = "SELECT count(finished_at), count(*) - count(finished_at) FROM erasures"
    with (
        suppress(psycopg.Error, Problem),
        psycopg.connect(as_writer(settings.address("postgres")), connect_timeout=_CONNECT_S) as connection,
    ):
        row = connection.execute(query).fetchone()
        assert row is not None
        return {"finished": row[0], "unfinished": row[1]}
    return None
