"""A day explained, with what each store says of it: for `daybook explain` and for the HTTP service."""

from __future__ import annotations

from daybook import defining
from daybook.explain import Explanation, explain, shown
from daybook.settings import Settings
from daybook.stored import Range, Stores
from schemas.instants import parse_day
from streams.daily.metrics import METRICS


def ask(settings: Settings, user: str, day: str, metric: str | None) -> Explanation:
    """Ask all three stores, one after the other. Raises ValueError for a day or metric that there is not."""
    try:
        parse_day(day)
    except ValueError as why:
        raise ValueError(f"{day}: {why}") from None
    if metric is not None and metric not in METRICS:
        raise ValueError(f"{metric} is no daily metric; there are {', '.join(METRICS)}")
    with Stores(settings, of=user) as stores:
        only = Range.of(user)
        found = explain(user, day, metric, stores.entities(only), stores.events(only), defining.known(settings))
        at = (user, day)
        held = {
            "postgres": stores.postgres(only).get(at),
            "clickhouse": stores.clickhouse(only).get(at),
            "redis": stores.redis([at]).get(at),
        }
    for store, row in held.items():
        if row is None and not found.exists:
            continue  # as it should be
        found.stores[store] = None if row is None else {"version": row.version, **shown(row, found.metric)}
    return found
