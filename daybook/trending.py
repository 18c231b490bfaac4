"""Trending for people: what is on a list and why, what an admin keeps off, what other parameters would have shown."""

from __future__ import annotations

import getpass
import time
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from daybook.errors import Misuse, Problem
from daybook.settings import Settings
from schemas import broker
from schemas.topics import TRENDING_BLOCKS
from schemas.trending import WINDOWS, Block, Entry, TrendingList, block_key, encode_block, partition_of
from schemas.trending import type_of_kind as number_of_kind
from sinks.clickhouse import client as clickhouse
from sinks.postgres.connect import as_writer
from streams.trending.offline import Listed, Lists, Received, lists
from streams.trending.scoring import Params


def read_list(settings: Settings, kind: str, region: str, window: str) -> TrendingList | None:
    """A list as PostgreSQL has it; None where there never was one."""
    import psycopg

    from sinks.postgres.trending import SELECT, row

    with psycopg.connect(as_writer(settings.address("postgres"))) as connection:
        query = f"{SELECT} WHERE kind = %s AND region = %s AND time_window = %s"
        found = connection.execute(query, (kind, region, window)).fetchone()
    return None if found is None else row(found)


def all_lists(settings: Settings) -> list[TrendingList]:
    """Every list that PostgreSQL has."""
    import psycopg

    from sinks.postgres.trending import SELECT, row

    with psycopg.connect(as_writer(settings.address("postgres"))) as connection:
        return [row(values) for values in connection.execute(SELECT).fetchall()]


def explained(row: TrendingList, place: int, entry: Entry, params: Params | None = None) -> Iterator[str]:
    """Why an entry stands where it stands, line by line."""
    params = params or Params()
    half_life = WINDOWS[row.window] / params.half_lives_per_window
    yield f"{entry.id}: place {place} of {len(row.entries)} among {row.kind}, region {row.region}, last {row.window}"
    yield f"score           {entry.score / 1000:,.3f} = (observed - expected)² / expected"
    yield f"observed        {entry.observed:,.3f}, of which reactions {entry.reactions:,.3f}"
    why = "the floor" if entry.expected <= params.floor + 0.001 else "the same hours of the weeks before"
    yield f"expected        {entry.expected:,.3f}, from {why}"
    yield f"views           {entry.views:,} qualified, one per user and {PER[row.window]} of UTC"
    yield f"unique viewers  {entry.unique_viewers:,}, many by sketch (standard error 1.6 %)"
    yield f"decay           {entry.decay:.1%} is left; halves every {half_life:g} min"
    if row.kind == "videos":
        cap = f"{entry.left_out} more of {entry.creator} left out" if entry.left_out else "not applied"
        yield f"creator         {entry.creator or 'unknown'}; cap of {params.per_creator} a list: {cap}"
    yield f"as of           {moment(row.at_ms)}"


def moment(ms: int) -> str:
    """RFC 3339 in UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def say_block(settings: Settings, kind: str, item: str, *, blocked: bool, reason: str) -> Block:
    """Put an admin's word on the topic: stage two follows it, PostgreSQL keeps every word. Raises Problem."""
    import asyncio

    from aiokafka import AIOKafkaProducer
    from aiokafka.errors import KafkaError

    from daybook import kafka

    bootstrap = settings.address("kafka")
    partitions = kafka.partition_counts(kafka.admin(bootstrap), bootstrap).get(TRENDING_BLOCKS.name)
    if partitions is None:
        raise Problem(f"Kafka at {bootstrap} has no topic {TRENDING_BLOCKS.name}: run daybook migrate first")
    block = Block(kind, item, blocked, getpass.getuser(), reason, int(time.time() * 1000))

    async def send() -> None:
        producer = AIOKafkaProducer(**broker.aiokafka(bootstrap), acks="all", enable_idempotence=True)
        await producer.start()
        try:
            to = partition_of(number_of_kind[kind], partitions)
            await producer.send_and_wait(TRENDING_BLOCKS.name, encode_block(block), block_key(block), partition=to)
        finally:
            await producer.stop()

    try:
        asyncio.run(send())
    except KafkaError as why:
        raise Problem(f"Kafka at {bootstrap} does not take it: {why}") from why
    return block


def blocked_now(settings: Settings) -> set[tuple[str, str]]:
    """What is kept off the lists, as (kind, id)."""
    import psycopg

    query = "SELECT DISTINCT ON (kind, id) kind, id, blocked FROM trending_blocks ORDER BY kind, id, filed DESC"
    with psycopg.connect(as_writer(settings.address("postgres"))) as connection:
        return {(kind, item) for kind, item, blocked in connection.execute(query).fetchall() if blocked}


def received(settings: Settings, from_ms: int, to_ms: int, by: str = "received_at") -> list[Received]:
    """The raw views and reactions of a time that ClickHouse still has, each partition's in the order of receipt."""

    query = f"""
SELECT subject, raw, toUnixTimestamp64Milli(received_at), partition FROM events
WHERE topic = 'views' AND {by} > fromUnixTimestamp64Milli({{a:Int64}}) AND {by} <= fromUnixTimestamp64Milli({{b:Int64}})
ORDER BY partition, offset"""
    with clickhouse.dial(settings.address("clickhouse")) as client:
        rows = client.query(query, parameters={"a": from_ms, "b": to_ms}, column_formats={"raw": "bytes"}).result_rows
    return [Received(subject.encode(), bytes(raw), ms, partition) for subject, raw, ms, partition in rows]


def params_of(file: Path) -> Params:
    """Parameters from a TOML or JSON file. Raises Misuse."""
    try:
        text = file.read_bytes()
        decode = msgspec.toml.decode if file.suffix == ".toml" else msgspec.json.decode
        return decode(text, type=Params)
    except OSError as why:
        raise Misuse(f"--params: {file}: {why.strerror}") from why
    except msgspec.MsgspecError as why:
        names = ", ".join(Params.__struct_fields__)
        raise Misuse(f"--params: {file}: {why}; known: {names}, all integers") from why


PER = {"1h": "hour", "24h": "day", "7d": "week"}


class Compared(NamedTuple):
    """Two lists beside each other."""

    now: list[Listed]
    then: list[Listed]
    correlation: float | None
    churn: float

    def lines(self) -> Iterator[str]:
        """Place by place, then what changed."""
        for place in range(max(len(self.now), len(self.then))):
            left, right = (_shown(side, place) for side in (self.now, self.then))
            yield f"{place + 1:>3}  {left:<40} {right:<40}"
        told = "too few in common" if self.correlation is None else f"{self.correlation:.3f}"
        yield f"rank correlation (Spearman, of what is on both) {told}; churn {self.churn:.1%}"


def _shown(side: Sequence[Listed], place: int) -> str:
    return f"{side[place].id[:26]} {side[place].parts.score / 1000:,.2f}" if place < len(side) else "-"


def compared(now: list[Listed], then: list[Listed]) -> Compared:
    """Spearman's correlation of the places that both know, and the share of the first that is not on the second."""
    left, right = [entry.id for entry in now], [entry.id for entry in then]
    both = [item for item in left if item in set(right)]
    order = {item: place for place, item in enumerate(item for item in right if item in set(both))}
    n = len(both)
    gaps = sum((place - order[item]) ** 2 for place, item in enumerate(both))
    correlation = 1 - 6 * gaps / (n * (n * n - 1)) if n > 1 else None
    return Compared(now, then, correlation, 1 - n / len(left) if left else 0.0)


def backtest(
    settings: Settings,
    params: Params,
    from_ms: int,
    to_ms: int,
    *,
    by_event_time: bool,
    blocked: Collection[tuple[str, str]],
) -> tuple[Lists, Lists]:
    """The lists at the end of a time, from its views: as they are made now, and as these parameters make them."""
    by = "time" if by_event_time else "received_at"
    records = received(settings, from_ms, to_ms, by)
    if not records:
        raise Problem(
            f"ClickHouse has no views from {moment(from_ms)} to {moment(to_ms)}: raw views are kept for 7 days"
        )
    made = [
        lists(records, each, by_event_time=by_event_time, now_ms=to_ms, blocked=blocked) for each in (Params(), params)
    ]
    return made[0], made[1]
