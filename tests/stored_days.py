"""The days that PostgreSQL holds, in the words of producers/truth.py."""

from __future__ import annotations

import psycopg

from schemas.tables import DAILY_METRICS
from sinks.postgres.connect import as_writer

Days = dict[tuple[str, str], dict[str, object]]


def stored_days(url: str) -> Days:
    """(User, date) → metric → value, to the last bit; rows that say of nothing equal no rows."""
    with psycopg.connect(as_writer(url)) as connection:
        query = f"select user_id, date, {', '.join(DAILY_METRICS)} from user_metrics_daily where entities is not null"
        rows = connection.execute(query.encode()).fetchall()
    found: Days = {}
    for user_id, day, *metrics in rows:
        row = dict(zip(DAILY_METRICS, metrics, strict=True))
        for name in ("first_event_at", "last_event_at"):
            row[name] = round(row[name].timestamp() * 1000)
        row["bests"] = row["bests"] and {name: tuple(best) for name, best in row["bests"].items()}
        found[user_id, day.isoformat()] = row
    return found
