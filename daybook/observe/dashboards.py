"""Two boards: what an operator looks at first, and every metric there is, each with its meaning."""

from __future__ import annotations

import json

from daybook.observe.panels import Line, Panel, Row, board, of_metric
from schemas.metrics import METRICS, SINK_ROLES, STREAM_ROLES, Metric

FOLDER = "deploy/grafana/dashboards"

_RATE = "[$__rate_interval]"
_RECEIVED = f'sum by (topic) (rate(daybook_events_total{{outcome="received"}}{_RATE}))'
_HITS = f'sum(rate(daybook_cache_lookups_total{{outcome="hit"}}{_RATE}))'
_FOUND = f'sum(rate(daybook_cache_lookups_total{{outcome=~"hit|miss"}}{_RATE}))'


def _quantile(share: float, name: str, by: str) -> str:
    return f"histogram_quantile({share}, sum by ({by}, le) (rate({name}_bucket{_RATE})))"


FIRST = (
    Row(
        "Is it well?",
        (
            Panel(
                "Slowest freshness now",
                (Line("max by (store) (daybook_freshness_last_seconds)", "{{store}}"),),
                "s",
                "How long the last canary took to be readable in each store",
                red_from=5,
                only_latest=True,
            ),
            Panel(
                "Wrong cells not repaired",
                (Line("max(daybook_audit_open)", "open"),),
                about="What the audit found and has not seen right again",
                red_from=1,
                only_latest=True,
            ),
            Panel(
                "Workers that answer",
                (Line("count by (role) (daybook_worker_started_seconds)", "{{role}}"),),
                about="Processes of each role that serve their metrics",
                only_latest=True,
            ),
        ),
    ),
    Row(
        "An event's way",
        (
            Panel("Events a second", (Line(_RECEIVED, "{{topic}}"),), about="Received, by topic"),
            Panel(
                "What becomes of them",
                (Line(f'sum by (outcome) (rate(daybook_events_total{{outcome!="received"}}{_RATE}))', "{{outcome}}"),),
                about="received = applied + duplicate + superseded + rejected + pending",
            ),
            Panel(
                "Share refused",
                (
                    Line(
                        f'sum by (topic) (rate(daybook_events_total{{outcome="rejected"}}{_RATE})) / {_RECEIVED}',
                        "{{topic}}",
                    ),
                ),
                "percentunit",
                red_from=0.01,
            ),
            Panel(
                "Behind [seconds]",
                (Line("max by (role) (daybook_lag_seconds)", "{{role}}"),),
                "s",
                "Age of the newest record that is done while others wait",
                red_from=60,
            ),
            Panel("Behind [records]", (Line("sum by (role) (daybook_lag_events)", "{{role}}"),)),
            Panel(
                "Freshness, p99",
                (Line(_quantile(0.99, "daybook_freshness_seconds", "store"), "{{store}}"),),
                "s",
                "From sending a canary to its row being readable",
                red_from=5,
            ),
            Panel(
                "Oldest chunk not committed",
                (Line("max by (role) (daybook_oldest_unacknowledged_seconds)", "{{role}}"),),
                "s",
                red_from=60,
            ),
            Panel(
                "Transactions, p99", (Line(_quantile(0.99, "daybook_transaction_seconds", "role"), "{{role}}"),), "s"
            ),
            Panel("Writes to stores, p99", (Line(_quantile(0.99, "daybook_write_seconds", "role"), "{{role}}"),), "s"),
        ),
    ),
    Row(
        "Those who read",
        (
            Panel(
                "Requests a second",
                (Line(f"sum by (status) (rate(daybook_http_requests_total{_RATE}))", "{{status}}"),),
            ),
            Panel("Latency, p95", (Line(_quantile(0.95, "daybook_http_seconds", "route"), "{{route}}"),), "s"),
            Panel(
                "Rows found in Redis",
                (Line(f"{_HITS} / {_FOUND}", "share of those that any store has"),),
                "percentunit",
            ),
            Panel(
                "Events taken a second",
                (Line(f"sum by (verdict) (rate(daybook_ingest_events_total{_RATE}))", "{{verdict}}"),),
            ),
            Panel(
                "Connections in use",
                (Line("max by (store) (daybook_pool_in_use / daybook_pool_limit)", "{{store}}"),),
                "percentunit",
                red_from=0.8,
            ),
            Panel("Bodies under way", (Line("sum(daybook_ingest_held_bytes)", "all services"),), "bytes"),
        ),
    ),
    Row(
        "Room",
        (
            Panel(
                "Disk in use",
                (Line("1 - min by (disk) (daybook_disk_free_bytes / daybook_disk_bytes)", "{{disk}}"),),
                "percentunit",
                red_from=0.8,
            ),
            Panel(
                "Redis' memory",
                (
                    Line("max(daybook_redis_memory_bytes)", "used"),
                    Line("max(daybook_redis_memory_limit_bytes)", "limit"),
                ),
                "bytes",
            ),
            Panel("Memory of workers", (Line("max by (role) (daybook_memory_bytes)", "{{role}}"),), "bytes"),
            Panel("Size of the stores", (Line("sum by (store) (daybook_table_bytes)", "{{store}}"),), "bytes"),
            Panel(
                "Largest tables",
                (Line("topk(10, max by (store, table) (daybook_table_bytes))", "{{store}} {{table}}"),),
                "bytes",
            ),
            Panel(
                "Dropped a day, by policy",
                (Line("sum by (dataset) (increase(daybook_keep_dropped_total[1d]))", "{{dataset}}"),),
                about="Rows that were kept as long as the settings say",
            ),
        ),
    ),
)


def _room(metric: Metric) -> str:
    roles = set(metric.roles)
    if len(roles) > 8:
        return "All workers"
    if roles <= set(STREAM_ROLES):
        return "Streams"
    if roles <= set(SINK_ROLES) | {"api"} and roles & set(SINK_ROLES):
        return "Sinks"
    if roles == {"audit"}:
        return "The audit"
    return "The HTTP service" if roles == {"api"} else "All that read topics"


def _every() -> list[Row]:
    rooms: dict[str, list[Panel]] = {}
    for metric in METRICS:
        rooms.setdefault(_room(metric), []).append(of_metric(metric))
    return [Row(title, panels) for title, panels in rooms.items()]


def dashboards() -> dict[str, str]:
    """File → what stands in it."""
    made = {
        "daybook.json": board("daybook", "Daybook", FIRST, "What an operator looks at first."),
        "daybook-metrics.json": board(
            "daybook-metrics",
            "Daybook: every metric",
            _every(),
            "Every metric of schemas/metrics.py, with its meaning.",
        ),
    }
    return {f"{FOLDER}/{name}": json.dumps(each, indent=1, ensure_ascii=False) + "\n" for name, each in made.items()}
