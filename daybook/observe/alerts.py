"""Every alert: its levels, what it means, what to do.

Expressions use metrics of schemas/metrics.py, Prometheus' own `up` and the labels that scraping adds (`role`,
`instance`); tests hold that.

critical   somebody is woken: what users see is wrong or stands still, or soon will
warning    somebody looks today
info       worth knowing when something else is odd
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from daybook.workers import KNOWN

Severity = Literal["critical", "warning", "info"]


class Level(NamedTuple):
    """One threshold of an alert."""

    severity: Severity
    expr: str
    """PromQL; true means that it holds."""
    lasts: str
    """How long it must hold before somebody is told."""
    summary: str
    """One line; Prometheus fills in `$labels` and `$value`."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing that can go wrong."""

    name: str
    levels: tuple[Level, ...]
    means: str
    do: str


def _gone(role: str) -> str:
    return f'absent(daybook_worker_started_seconds{{role="{role}"}})'


_REJECTED = (
    'sum by (topic) (rate(daybook_events_total{outcome="rejected"}[10m]))'
    ' / sum by (topic) (rate(daybook_events_total{outcome="received"}[10m]))'
)
_HITS = 'sum(rate(daybook_cache_lookups_total{outcome="hit"}[10m]))'
_LOOKUPS = 'sum(rate(daybook_cache_lookups_total{outcome=~"hit|miss"}[10m]))'
_QUICK = 'route!~"/v1/stream|/v1/operator|.*/explain"'
"""Streams last as long as their readers stay; the other two look deep on purpose."""
_P95 = f"histogram_quantile(0.95, sum by (route, le) (rate(daybook_http_seconds_bucket{{{_QUICK}}}[5m])))"
_ANSWERS = "sum(rate(daybook_http_requests_total[5m]))"
_DISK = "min by (role, disk) (daybook_disk_free_bytes / daybook_disk_bytes)"
_SPOOL = "daybook_ingest_spool_bytes / (daybook_ingest_spool_limit_bytes > 0)"
_NEW = "sum by (store, cause) (daybook_audit_mismatches_total unless daybook_audit_mismatches_total offset 1h) > 0"
"""What appears for the first time appears as a number already, and has no increase."""

WORKERS = (
    Alert(
        "DaybookRoleGone",
        (
            Level(
                "critical",
                " or ".join(_gone(role) for role in KNOWN if role != "audit"),
                "2m",
                "no worker of the role {{ $labels.role }} answers",
            ),
        ),
        "No process of the role serves its metrics: what it does is not done. Events are safe in Kafka; rows stand "
        "still, or for the role `api` nobody is answered.",
        "`daybook status` or the supervisor's log says how it ended (docs/how-to/watch.md). Code 78 needs a person:"
        " the last line of its log says what to do. All else: start it again, it goes on from its last commit.",
    ),
    Alert(
        "DaybookWorkerUnreachable",
        (
            Level(
                "warning", 'up{job=~"daybook.*"} == 0', "2m", "{{ $labels.role }} at {{ $labels.instance }} is silent"
            ),
        ),
        "Prometheus knows of a worker and gets no answer. Others of its role may have taken its partitions over.",
        "See whether the process lives and whether something between it and Prometheus refuses the connection. A "
        "worker that is frozen (`daybook status`: frozen) does nothing until it is continued or killed; killing is "
        "safe.",
    ),
    Alert(
        "DaybookWorkerRestarts",
        (
            Level(
                "warning",
                "changes(daybook_worker_started_seconds[15m]) > 3",
                "0m",
                "{{ $labels.role }} at {{ $labels.instance }} was started {{ $value }} times in 15 minutes",
            ),
        ),
        "A worker begins, ends and begins again. It loses nothing, and gets nothing done while it recovers its state.",
        "Read the last line of its log before each end. Code 70 stands for doubt about a transaction: look at the "
        "brokers. Killed without a word: look for a limit of memory beside `daybook_memory_bytes`.",
    ),
    Alert(
        "DaybookWorkerStuck",
        (
            Level(
                "warning",
                "max by (role, instance) (daybook_oldest_unacknowledged_seconds) > 60",
                "1m",
                "a chunk of {{ $labels.role }} at {{ $labels.instance }} waits for {{ $value | humanizeDuration }}",
            ),
            Level(
                "critical",
                "max by (role, instance) (daybook_oldest_unacknowledged_seconds) > 180",
                "1m",
                "a chunk of {{ $labels.role }} at {{ $labels.instance }} waits for {{ $value | humanizeDuration }}",
            ),
        ),
        "Records were read and are not committed. A streams worker ends itself after DAYBOOK_STUCK_AFTER_S (300) "
        "and begins anew; a sink whose store is away waits without end, and then DaybookStoreDown fires too.",
        "If a store is down, cure that. Else look at the brokers (transactions need all replicas in sync), then at "
        "the worker with py-spy before it ends itself.",
    ),
    Alert(
        "DaybookWorkerIdle",
        (
            Level(
                "info",
                "daybook_partitions == 0",
                "15m",
                "{{ $labels.role }} at {{ $labels.instance }} owns no partition",
            ),
        ),
        "More workers of the role than partitions, or more than its topics need: it stands by.",
        "Nothing, if it was meant to stand by. Else take workers away, or add partitions (docs/how-to/scale.md).",
    ),
)

FLOW = (
    Alert(
        "DaybookLag",
        (
            Level(
                "warning",
                "max by (role, topic) (daybook_lag_seconds) > 60",
                "5m",
                "{{ $labels.role }} is {{ $value | humanizeDuration }} behind on {{ $labels.topic }}",
            ),
            Level(
                "critical",
                "max by (role, topic) (daybook_lag_seconds) > 600",
                "5m",
                "{{ $labels.role }} is {{ $value | humanizeDuration }} behind on {{ $labels.topic }}",
            ),
        ),
        "Records wait that arrived so long ago: readers see numbers that old.",
        "Which role is first on an event's way (streams, progress, then the sinks)? That one is the cause. Is it "
        "one partition or all (`daybook_lag_events`)? All: too few workers (docs/how-to/scale.md) or a slow store "
        "(`daybook_write_seconds`). One: its worker. After a replay or a rebuild it shrinks by itself.",
    ),
    Alert(
        "DaybookLagUnknown",
        (
            Level(
                "warning",
                "count by (role) (daybook_partitions > 0) unless count by (role) (daybook_lag_seconds)",
                "5m",
                "workers of {{ $labels.role }} cannot ask Kafka how far behind they are",
            ),
        ),
        "They own partitions, and Kafka does not tell them where the topics end.",
        "Look at the brokers. Without them nothing is read either: expect DaybookFreshness.",
    ),
    Alert(
        "DaybookFreshness",
        (
            Level(
                "warning",
                "max by (store) (daybook_freshness_last_seconds) > 5",
                "3m",
                "an event takes {{ $value | humanizeDuration }} to be readable in {{ $labels.store }}",
            ),
            Level(
                "critical",
                "max by (store) (daybook_freshness_last_seconds) > 30",
                "3m",
                "an event takes {{ $value | humanizeDuration }} to be readable in {{ $labels.store }}",
            ),
        ),
        "The canary, a made-up event sent every few seconds, says how long the whole way takes to each store. At 60"
        " s it counts as lost.",
        "One store alone: its sink or the store. All three: Kafka or the streams worker. DaybookLag names the place.",
    ),
    Alert(
        "DaybookNothingArrives",
        (
            Level(
                "info",
                'sum(rate(daybook_events_total{outcome="received"}[10m])) == 0',
                "15m",
                "no event arrives, not even canaries",
            ),
        ),
        "The streams workers run and received nothing for a while. With canaries on that cannot be.",
        "Are producers and the role `audit` up? Does the broker take what they send (`daybook_kafka_up`)?",
    ),
    Alert(
        "DaybookRejected",
        (
            Level(
                "warning",
                f"{_REJECTED} > 0.01",
                "10m",
                "{{ $value | humanizePercentage }} of the events on {{ $labels.topic }} are refused",
            ),
            Level(
                "critical",
                f"{_REJECTED} > 0.2",
                "5m",
                "{{ $value | humanizePercentage }} of the events on {{ $labels.topic }} are refused",
            ),
        ),
        "Events break a rule of their schema. They are kept with the reason; beyond DAYBOOK_REJECTS_SHARE (0.5) of "
        "a partition's last events the worker stops (docs/adr/0012-a-limit-of-refusals.md).",
        "`daybook rejected list --since 1h` groups them by reason. Usually one version of one app: its `source` is "
        "in what it sent. Mend it, then send what was refused again (docs/how-to/rejected-events.md).",
    ),
    Alert(
        "DaybookPending",
        (
            Level(
                "warning",
                "sum by (topic) (daybook_events_pending) > 0",
                "30m",
                "{{ $value }} events of {{ $labels.topic }} wait for older entities",
            ),
        ),
        "Events that touch days beyond the hot window wait, durably, until the role `loader` brings the older "
        "entities back from ClickHouse.",
        "Does the loader run, and does ClickHouse answer it? Is the sink of ClickHouse behind? A load waits for it.",
    ),
    Alert(
        "DaybookSlowTransactions",
        (
            Level(
                "info",
                "histogram_quantile(0.99, sum by (role, le) (rate(daybook_transaction_seconds_bucket[10m]))) > 1",
                "15m",
                "transactions of {{ $labels.role }} take {{ $value | humanizeDuration }} (p99)",
            ),
        ),
        "A flush is one Kafka transaction; what it brings is readable when it ends.",
        "Look at the brokers' disks and their replication.",
    ),
)

STORES = (
    Alert(
        "DaybookStoreDown",
        (
            Level(
                "critical",
                "min by (store, role) (daybook_store_up) == 0",
                "1m",
                "{{ $labels.store }} does not answer {{ $labels.role }}",
            ),
        ),
        "A sink's writes fail, or the HTTP service leaves the store alone. The sink waits, and the topic keeps what"
        " is to be written; the service answers from the other store, and with older answers if there is none.",
        "Bring the store back; nothing else is needed, what waits is written then. The sink's log names the store's"
        " own error: wrong passwords and full disks look like this too.",
    ),
    Alert(
        "DaybookKafkaDown",
        (Level("critical", "max(daybook_kafka_up) == 0", "1m", "Kafka does not take events from the HTTP service"),),
        "The HTTP service takes events onto its disk where it may (DAYBOOK_API_SPOOL_BYTES), and answers writers "
        "with 503 else: apps keep their events and send them again.",
        "Bring the brokers back. Workers that ended meanwhile are started again by their supervisor.",
    ),
    Alert(
        "DaybookSpooled",
        (
            Level(
                "warning",
                "min_over_time(daybook_ingest_spooled_events[5m]) > 0",
                "10m",
                "{{ $value }} accepted events wait on the disk of {{ $labels.instance }}",
            ),
        ),
        "The HTTP service took events while Kafka was down, and they are in no topic yet: nobody sees their "
        "numbers, and that disk holds the only copy.",
        "Is Kafka back? Then the service's log says what hinders the replay. Keep its data folder until it is empty.",
    ),
    Alert(
        "DaybookSpoolFills",
        (
            Level(
                "warning",
                f"{_SPOOL} > 0.5",
                "1m",
                "the spool of {{ $labels.instance }} is {{ $value | humanizePercentage }} full",
            ),
            Level(
                "critical",
                f"{_SPOOL} > 0.9",
                "0m",
                "the spool of {{ $labels.instance }} is {{ $value | humanizePercentage }} full",
            ),
        ),
        "Kafka has been down for so long that the HTTP service's disk fills up; when it is full, writers get 503 and "
        "apps keep their events.",
        "Bring the brokers back. If that takes longer, and the disk has room: a greater DAYBOOK_API_SPOOL_BYTES and a "
        "restart of the service; what is on the disk stays. Nothing there may be deleted by hand.",
    ),
    Alert(
        "DaybookSpoolDamaged",
        (
            Level(
                "critical",
                "daybook_ingest_spool_damaged_bytes > 0",
                "0m",
                "{{ $value | humanize1024 }}B of accepted events on {{ $labels.instance }} cannot be read again",
            ),
        ),
        "A disk gave back something else than was written to it: accepted events may be lost.",
        "Keep the files that end in `.aside` in the folder `spool` (docs/how-to/api.md), look at the disk, and have"
        " the apps of that time send again what they still hold.",
    ),
    Alert(
        "DaybookRowsSetAside",
        (
            Level(
                "warning",
                "sum by (role) (increase(daybook_rows_set_aside_total[1h])) > 0",
                "0m",
                "the sink {{ $labels.role }} set {{ $value }} rows aside",
            ),
        ),
        "The store refused rows for what is in them: they are not in that store, and the rest went on.",
        "The sink's log names each row and the store's reason. It is a defect, here or in the table: report it; "
        "after the cure the audit has the rows said again.",
    ),
    Alert(
        "DaybookRetries",
        (
            Level(
                "info",
                "sum by (role) (rate(daybook_retries_total[15m])) > 0.05",
                "15m",
                "{{ $labels.role }} tries again {{ $value | humanize }} times a second",
            ),
        ),
        "Folds or writes fail and work when tried again.",
        "The worker's log says with which error. Connections that are cut often: look between it and the store.",
    ),
    Alert(
        "DaybookDisk",
        (
            Level(
                "info",
                f"min by (disk) (predict_linear(daybook_disk_free_bytes[6h], {4 * 86400})) < 0",
                "1h",
                "the disk {{ $labels.disk }} is full in four days if it goes on like this",
            ),
            Level(
                "warning", f"{_DISK} < 0.2", "10m", "{{ $value | humanizePercentage }} of {{ $labels.disk }} is free"
            ),
            Level(
                "critical", f"{_DISK} < 0.1", "5m", "{{ $value | humanizePercentage }} of {{ $labels.disk }} is free"
            ),
        ),
        "`data` is the disk that holds the worker's data folder (on one machine: that of all servers); "
        "`clickhouse/…` are the disks that ClickHouse names. How full those of Kafka and PostgreSQL are on other "
        "machines, only they can tell: watch them there.",
        "A full disk loses nothing: writes are refused, sinks wait. Make room or the disk larger; shorten the "
        "retention of topics; never delete files of a store by hand.",
    ),
    Alert(
        "DaybookRedisMemory",
        (
            Level(
                "warning",
                "max(daybook_redis_memory_bytes) / max(daybook_redis_memory_limit_bytes) > 0.8",
                "10m",
                "Redis has used {{ $value | humanizePercentage }} of its memory",
            ),
            Level(
                "critical",
                "max(daybook_redis_memory_bytes) / max(daybook_redis_memory_limit_bytes) > 0.95",
                "5m",
                "Redis has used {{ $value | humanizePercentage }} of its memory",
            ),
        ),
        "Redis runs with `noeviction`: at its limit it refuses writes, and its sink waits.",
        "Raise maxmemory, or shorten how long rows live there. Rows that expired are read from PostgreSQL.",
    ),
)

AUDIT = (
    Alert(
        "DaybookAuditMismatch",
        (
            Level(
                "warning",
                f"sum by (store, cause) (increase(daybook_audit_mismatches_total[1h])) > 0 or {_NEW}",
                "0m",
                "{{ $labels.store }} held {{ $value }} wrong cells ({{ $labels.cause }})",
            ),
        ),
        "The audit recomputed days from the events and found that a store said something else, after every sink had"
        " passed what was read. Their owner was asked to say them again.",
        "`SELECT * FROM audits ORDER BY found_at DESC` says which and why. Cause lost, older or altered: what "
        "happened to that store (a restore, somebody's hands)? DaybookAuditOpen fires if it is not repaired.",
    ),
    Alert(
        "DaybookAuditOpen",
        (
            Level(
                "critical", "max(daybook_audit_open) > 0", "30m", "{{ $value }} cells are wrong and were not repaired"
            ),
        ),
        "Hints to the owner did not help, or the audit has not come by again.",
        "docs/how-to/watch.md, Have it watched: rows under a version of a higher generation, and winners that "
        "outrank what events say, must be deleted by hand.",
    ),
    Alert(
        "DaybookStreamWrong",
        (
            Level(
                "critical",
                '(sum(increase(daybook_audit_mismatches_total{cause="stream"}[1h])) > 0) or (sum('
                'daybook_audit_mismatches_total{cause="stream"} unless daybook_audit_mismatches_total offset 1h) > 0)',
                "0m",
                "all stores agree on {{ $value }} cells that the events do not say",
            ),
        ),
        "The stream itself computed something that one pass over the events does not give. That is a defect.",
        "`daybook explain USER DAY METRIC` for a cell of the table `audits` with cause stream; keep the events; "
        "report it. `daybook rebuild` folds everything again once it is cured.",
    ),
    Alert(
        "DaybookAuditGone",
        (Level("warning", _gone("audit"), "10m", "nobody audits: neither freshness nor mismatches are known"),),
        "The role `audit` does not run: what is wrong or late is not noticed.",
        "Start one `daybook worker --role audit`.",
    ),
    Alert(
        "DaybookAuditStill",
        (Level("info", "increase(daybook_audit_days_total[1h]) == 0", "1h", "the audit compares no days"),),
        "Its sweep waits for a store or for a sink that is behind; or there are no days yet.",
        "The log of the role `audit` names what it waits for.",
    ),
    Alert(
        "DaybookKeepLate",
        (
            Level(
                "warning",
                "time() - max(daybook_keep_passed_seconds) > 3 * 86400",
                "1h",
                "what was due to be dropped has not been for {{ $value | humanizeDuration }}",
            ),
        ),
        "A pass over what is kept and dropped fails, or never ends: data stays longer than the settings say.",
        "The log of the role `audit` says why (`keep: …`); `daybook keep` does it at once and names the trouble.",
    ),
)

API = (
    Alert(
        "DaybookApiSlow",
        (
            Level(
                "warning",
                f"{_P95} > 0.1",
                "10m",
                "{{ $labels.route }} takes {{ $value | humanizeDuration }} (p95)",
            ),
            Level(
                "critical",
                f"{_P95} > 1",
                "5m",
                "{{ $labels.route }} takes {{ $value | humanizeDuration }} (p95)",
            ),
        ),
        "The slowest twentieth of the requests of a route take so long, from their head to the end of their answer.",
        "Does DaybookCacheHits or DaybookPool fire too? Then more is asked of PostgreSQL than it answers. Else the "
        "service's own core is full: run one more.",
    ),
    Alert(
        "DaybookApiErrors",
        (
            Level(
                "warning",
                f'sum(rate(daybook_http_requests_total{{status=~"5.."}}[5m])) / {_ANSWERS} > 0.01',
                "5m",
                "{{ $value | humanizePercentage }} of the requests fail",
            ),
            Level(
                "critical",
                f'sum(rate(daybook_http_requests_total{{status=~"5.."}}[5m])) / {_ANSWERS} > 0.1',
                "5m",
                "{{ $value | humanizePercentage }} of the requests fail",
            ),
        ),
        "Answers of 500 are a defect; 503 says that a server behind the service is away or that it has no room.",
        "The log has a line for each request with its number, and for a 500 the reason.",
    ),
    Alert(
        "DaybookApiRefusals",
        (
            Level(
                "info",
                f'sum(rate(daybook_http_requests_total{{status="429"}}[5m])) / {_ANSWERS} > 0.05',
                "15m",
                "{{ $value | humanizePercentage }} of the requests are over their limit",
            ),
        ),
        "Senders ask or send more a minute than DAYBOOK_API_USER_REQUESTS and the like allow.",
        "Who? The log says. An app in a loop is to be mended; a service that may send more needs a higher limit.",
    ),
    Alert(
        "DaybookCacheHits",
        (
            Level(
                "warning",
                f"{_HITS} / {_LOOKUPS} < 0.8 and {_LOOKUPS} > 1",
                "15m",
                "only {{ $value | humanizePercentage }} of the rows that readers ask for are in Redis",
            ),
        ),
        "PostgreSQL has rows that Redis does not: it was emptied and fills again, its sink is behind, or readers "
        "ask for what expired there. Rows that neither has are not counted.",
        "Right after a flush or a restart of Redis it passes by itself. Else compare the lag of the sinks of Redis "
        "and PostgreSQL, and how far back readers ask.",
    ),
    Alert(
        "DaybookPool",
        (
            Level(
                "warning",
                "max by (instance, store) (daybook_pool_in_use / daybook_pool_limit) > 0.8",
                "5m",
                "{{ $value | humanizePercentage }} of the connections to {{ $labels.store }} are in use",
            ),
        ),
        "Nearly all connections of an HTTP service are busy; above 100 % requests wait for one.",
        "PostgreSQL: look for slow queries and locks (`pg_stat_activity`), and whether DaybookCacheHits sends it "
        "more than usual. More services mean more connections: mind max_connections.",
    ),
)

GROUPS: dict[str, tuple[Alert, ...]] = {
    "workers": WORKERS,
    "flow": FLOW,
    "stores": STORES,
    "audit": AUDIT,
    "api": API,
}
