"""The verdict: what Kafka holds, folded by one plain batch pass (producers/truth.py), beside what the stores hold.

Nothing is taken from the system under test but the events themselves: which are to be refused, that each is counted
once, and every day of every user.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

import clickhouse_connect
import msgspec
import psycopg
from confluent_kafka import Consumer, TopicPartition
from faults_cluster import Cluster
from faults_feeder import Sent, fingerprint

from daybook.stored import Range, Stores
from daybook.verify import verify
from producers import truth
from schemas.codec import Rejected, decode, type_name
from schemas.families import FAMILY_OF
from schemas.tables import DAILY_COLUMNS
from schemas.topics import DAILY_SOURCES

COUNTS = ("received", "applied", "duplicate", "superseded", "rejected", "pending")
SURE = ("received", "rejected", "pending")
"""What does not depend on the order in which events are joined: one that waited for old entities is joined later."""
METRICS = DAILY_COLUMNS[3:]


@dataclass
class Verdict:
    """What the judge found; nothing under `wrong` is what was promised."""

    events: int = 0
    unique: int = 0
    days: int = 0
    verified_days: int = 0
    topics: dict[str, dict[str, int]] = field(default_factory=dict)
    """Per source topic: received, applied, duplicate, superseded, rejected, as the ledger's positions say."""
    mismatches: int = 0
    wrong: list[str] = field(default_factory=list)
    """The first of them, one line each."""
    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, line: str) -> None:
        self.mismatches += 1
        if len(self.wrong) < 50:
            self.wrong.append(line)


def judge(cluster: Cluster, sent: Collection[Sent] = (), *, live: bool = True) -> Verdict:
    """Compare everything. `sent`: what the feeders know they sent. `live`: run `daybook verify` as well."""
    verdict = Verdict()
    began = time.monotonic()
    stored = _stored(cluster)
    verdict.seconds["reading the stores"] = time.monotonic() - began
    began = time.monotonic()
    _compare(cluster, sent, stored, verdict)
    verdict.seconds["offline fold and comparison"] = time.monotonic() - began
    if live:
        began = time.monotonic()
        report = verify(cluster.servers)
        verdict.verified_days = report.cells
        for line in report.mismatches:
            verdict.add(f"daybook verify: {line}")
        verdict.seconds["daybook verify"] = time.monotonic() - began
    return verdict


def _stored(cluster: Cluster) -> dict[str, dict[Any, Any]]:
    """All daily rows of all stores."""
    everybody = Range(None, None)
    with Stores(cluster.servers) as stores:
        held = {"postgres": stores.postgres(everybody), "clickhouse": stores.clickhouse(everybody)}
        held["redis"] = stores.redis(sorted(held["postgres"].keys() | held["clickhouse"].keys()))
        held["redis"] |= stores.redis(sorted(set(stores.days_only_in_redis())))
    return held


def _compare(cluster: Cluster, sent: Collection[Sent], stored: dict[str, Any], verdict: Verdict) -> None:
    counts: dict[tuple[str, int], Counter[str]] = {}
    refused: set[tuple[str, int, int]] = set()
    accepted = checksum = 0
    for number in range(cluster.servers.partitions or 0):
        best: dict[bytes, truth.Entity] = {}
        seen: set[int] = set()
        for topic in (source.name for source in DAILY_SOURCES):
            count = counts[topic, number] = Counter()
            for offset, key, value in read(cluster.servers.address("kafka"), topic, number):
                mark = fingerprint(topic, key, value)
                checksum = (checksum + mark) % 2**64
                seen.add(mark)
                count["received"] += 1
                what = _fold(best, topic, key, value)
                count[what] += 1
                if what == "rejected":
                    refused.add((topic, number, offset))
                else:
                    accepted += 1
        verdict.unique += len(seen)
        for day, row in truth.rows_of(best.values()).items():
            verdict.days += 1
            for store, rows in stored.items():
                _compare_day(store, day, row, rows.pop(day, None), verdict)
    for store, rows in stored.items():
        for day in rows:
            verdict.add(f"{store}: {day} has a row and no events")
    verdict.events = sum(count["received"] for count in counts.values())
    _conservation(cluster, counts, verdict)
    _filed(cluster, refused, accepted, verdict)
    if sent:
        _all_arrived(sent, counts, checksum, verdict)


def _fold(best: dict[bytes, truth.Entity], topic: str, key: bytes | None, value: bytes | None) -> str:
    """What becomes of one event, in the order of its topic."""
    event = decode(value)
    if isinstance(event, Rejected) or FAMILY_OF[type_name(event)] != topic or key != event.subject.encode():
        return "rejected"
    entity = truth.entity_of(event)
    old = best.get(entity.key)
    if old is not None and entity.rank <= old.rank:
        return "duplicate" if entity.rank == old.rank else "superseded"
    best[entity.key] = entity
    return "applied"


def _compare_day(store: str, day: Any, want: truth.Row, found: Any, verdict: Verdict) -> None:
    if found is None:
        return verdict.add(f"{store}: {day} is missing")
    held = {c.name: msgspec.to_builtins(getattr(found, c.field)) for c in METRICS}
    values = {name: (want[name], value) for name, value in held.items() if value != want[name]}
    if values:
        verdict.add(f"{store}: {day} (events, store): {values}")


def _conservation(cluster: Cluster, counts: dict[tuple[str, int], Counter[str]], verdict: Verdict) -> None:
    """received = applied + duplicate + superseded + rejected, per topic and partition, and as many as were sent."""
    with clickhouse_connect.get_client(dsn=cluster.servers.address("clickhouse")) as client:
        rows = client.query(f"SELECT topic, partition, {', '.join(COUNTS)} FROM positions_current").result_rows
    found = {(topic, number): dict(zip(COUNTS, values, strict=True)) for topic, number, *values in rows}
    for place, want in counts.items():
        said = found.get(place, dict.fromkeys(COUNTS, 0))
        whole = sum(said[name] for name in COUNTS[1:])
        if any(said[name] != want[name] for name in SURE) or whole != said["received"]:
            verdict.add(f"{place[0]}/{place[1]}: the events come to {dict(want)}, the ledger says {said}")
        total = verdict.topics.setdefault(place[0], dict.fromkeys(COUNTS, 0))
        for name in COUNTS:
            total[name] += said[name]


def _filed(cluster: Cluster, refused: set[tuple[str, int, int]], accepted: int, verdict: Verdict) -> None:
    """Every refused event is filed once, every accepted one is kept once."""
    families = [topic.name for topic in DAILY_SOURCES]
    with psycopg.connect(cluster.servers.address("postgres")) as connection:
        query = 'SELECT topic, partition, "offset" FROM rejected WHERE topic = ANY(%s)'
        held = {"postgres": set(connection.execute(query, [families]).fetchall())}
    with clickhouse_connect.get_client(dsn=cluster.servers.address("clickhouse")) as client:
        rows = client.query("SELECT topic, partition, offset FROM rejected_current WHERE topic != 'views'").result_rows
        held["clickhouse"] = set(map(tuple, rows))
        once = "SELECT count(), uniqExact(topic, partition, offset) FROM events FINAL WHERE topic != 'views'"
        [(kept, places)] = client.query(once).result_rows
    for store, found in held.items():
        for place in found ^ refused:
            verdict.add(f"{store}: {place} is {'filed and good' if place in found else 'refused and not filed'}")
    if not kept == places == accepted:
        verdict.add(f"clickhouse keeps {kept} events of {places} offsets, {accepted} were accepted")


def _all_arrived(sent: Collection[Sent], counts: Any, checksum: int, verdict: Verdict) -> None:
    """What Kafka holds is what was sent, byte by byte, and the bad ones are the ones that were made bad."""
    for topic in sorted({topic for topic, _ in counts}):
        want = sum(each.counts[topic] for each in sent)
        have = sum(count["received"] for (name, _), count in counts.items() if name == topic)
        if want != have:
            verdict.add(f"{topic}: {want} events were sent, Kafka holds {have}")
        bad = sum(each.bad[topic] for each in sent)
        rejected = sum(count["rejected"] for (name, _), count in counts.items() if name == topic)
        if bad != rejected:
            verdict.add(f"{topic}: {bad} bad events were sent, the schemas refuse {rejected}")
    if sum(each.checksum for each in sent) % 2**64 != checksum:
        verdict.add("the bytes in Kafka are not those that were sent")


def read(kafka: str, topic: str, number: int) -> Iterator[tuple[int, bytes | None, bytes | None]]:
    """All records of a partition: offset, key, value."""
    reader = Consumer(
        {
            "bootstrap.servers": kafka,
            "group.id": "faults-judge",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "log_level": 0,
        }
    )
    reader.assign([TopicPartition(topic, number, 0)])
    try:
        while True:
            for message in reader.consume(10_000, 1.0):
                if message.error():
                    return
                yield message.offset(), message.key(), message.value()
    finally:
        reader.close()
