"""Kafka was lost, with all its data: what the stores keep of its topics is filled into another, empty one.

events       ClickHouse's `events`, in the order of their receipt and with its times, as far back as the topics keep;
             refused ones from `rejected`, to be refused again
winners      ClickHouse's `entities`, hinted to their owners as in every rebuild: what is older than the events
erased       PostgreSQL's `erasures`: nobody who was erased comes back
definitions  PostgreSQL's `backfills`: what was put in force of other definitions of metrics
blocks       PostgreSQL's `trending_blocks`: every word of an admin
generation   above all that any store holds a row of, so that every store takes the new rows

Not to be had again: events that Kafka had acknowledged and ClickHouse had not stored. A row that another store made of
one is named here, and goes back to what the stored events say (`daybook repair`). Milestones are notifications: gone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
from msgspec.structs import replace

from daybook import defining, generations, kafka, suppressing
from daybook.backfill.runs import backfills, definitions_of
from daybook.errors import Problem, Refused
from daybook.settings import Settings
from schemas.definitions import KEY as DEFINITIONS_KEY
from schemas.definitions import encode as encode_definitions
from schemas.generations import Generations, Moving
from schemas.positions import GENERATION_SHIFT, NEWEST
from schemas.receipt import header
from schemas.suppression import Suppression
from schemas.suppression import encode as encode_suppression
from schemas.topics import (
    DEFINITIONS,
    GENERATIONS,
    REBUILDS_APART,
    SOURCES,
    SUPPRESSED,
    TOPICS,
    TRENDING_BLOCKS,
    Topic,
)
from schemas.trending import Block, block_key, encode_block
from sinks.clickhouse import client as clickhouse
from sinks.postgres.connect import as_writer, see_all_rows

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

    from daybook.rebuild import Placed, Topics

Say = Callable[[str], None]

WAY = "daybook rebuild --from-stores"
_PAGE = 200_000
"""About so many records are read from ClickHouse at a time."""
_NAMED = 20
_MARGIN_MS = 3_600_000
"""What a topic would drop within the hour is not filled in: nothing shall leave it before it was folded."""
_VERSIONED = {
    "clickhouse": ("positions", "daily", "progress", "trending"),
    "postgres": ("user_metrics_daily", "user_progress", "trending_lists", "user_tastes", "user_recommendations"),
}


def refuse_if_lost(settings: Settings) -> None:
    """Called where Kafka holds nothing of ours. Raises Refused if the stores do: their rows would beat all new ones."""
    if (rebuilds := rebuilds_stored(settings)) is not None:
        raise Refused(
            f"Kafka at {settings.address('kafka')} has nothing of Daybook on it, and the stores hold rows (of rebuild "
            f"{rebuilds}): if Kafka was lost, fill it from the stores: {WAY}. To begin anew, empty the stores first"
        )


def rebuilds_stored(settings: Settings) -> int | None:
    """The highest number of rebuilds that any row in PostgreSQL or ClickHouse was made after; None without rows."""
    found: list[int] = []
    with psycopg.connect(settings.address("postgres"), autocommit=True) as connection:
        see_all_rows(connection)
        for table in _VERSIONED["postgres"]:
            row = connection.execute("SELECT to_regclass(%s)", (table,)).fetchone()
            if row is not None and row[0] is not None:
                row = connection.execute(f"SELECT max(version) FROM {table}".encode()).fetchone()
                found += [] if row is None or row[0] is None else [row[0]]
    with clickhouse.dial(settings.address("clickhouse")) as client:
        there = "SELECT name FROM system.tables WHERE database = currentDatabase()"
        for table in {name for (name,) in client.query(there).result_rows} & set(_VERSIONED["clickhouse"]):
            ((version, rows),) = client.query(f"SELECT max(version), count() FROM {table}").result_rows
            found += [version] if rows else []
    return max(found) // (REBUILDS_APART << GENERATION_SHIFT) if found else None


def begin(
    settings: Settings, client: AdminClient, known: Generations | None, partitions: int | None, say: Say
) -> Generations:
    """Write down that the topics are being filled; again changes nothing. Raises Problem if Kafka is not empty."""
    from confluent_kafka.admin import NewTopic

    bootstrap = settings.address("kafka")
    if known is not None and known.moving is not None and known.moving.from_stores:
        return known
    counts = kafka.partition_counts(client, bootstrap)
    ours = [(topic.name, n) for topic in TOPICS for n in range(counts.get(topic.name, 0))]
    filled = sorted({topic for (topic, _), end in kafka.offsets(client, bootstrap, ours).items() if end})
    if known is not None or filled:
        what = f"records on {filled[0]}" if filled else "a Daybook of its own"
        raise Problem(
            f"Kafka at {bootstrap} is not empty, it has {what}: only a new one is filled from the stores "
            "(for this one: daybook rebuild)"
        )
    before = rebuilds_stored(settings)
    if before is None:
        raise Problem("the stores hold nothing: there is nothing to fill Kafka from; begin with daybook migrate")
    for line in _only_elsewhere(settings):
        say(line)
    count = partitions or _partitions_before(settings)
    if GENERATIONS.name not in counts:
        new = [NewTopic(GENERATIONS.name, num_partitions=1, config=GENERATIONS.config)]
        client.create_topics(new, request_timeout=kafka.TIMEOUT_S)[GENERATIONS.name].result()
    known = Generations(before, count, {}, NEWEST, Moving(count, from_stores=True))
    generations.write(bootstrap, known)
    return known


def _partitions_before(settings: Settings) -> int:
    with clickhouse.dial(settings.address("clickhouse")) as client:
        ((most, rows),) = client.query("SELECT max(partition), count() FROM positions").result_rows
    if not rows:
        raise Problem("ClickHouse does not know how many partitions there were: say so with --partitions")
    return int(most) + 1


def _only_elsewhere(settings: Settings) -> Iterator[str]:
    """What rows say that no stored event says: the events are lost."""
    from daybook import verify
    from daybook.stored import Stores

    lines: list[str] = []
    users: set[str] = set()
    in_force = defining.known(settings)
    with Stores(settings) as stores:
        for some in stores.user_ranges(verify.USERS_AT_A_TIME):
            found = verify.compare(stores, in_force, some)[2]
            lines += [line for _, line in found]
            users |= {user for user, _ in found}
    if not lines:
        yield "every row in the stores is what the stored events say"
        return
    yield (
        f"{len(lines):,} numbers of {len(users):,} users are not what the stored events say: Kafka had events that "
        "ClickHouse had not. They are lost, unless their senders send them again:"
    )
    yield from lines[:_NAMED]
    if len(lines) > _NAMED:
        yield f"and {len(lines) - _NAMED:,} more"


def fill(topics: Topics, settings: Settings, count: int) -> None:
    """All topics are there with so many partitions, and hold what the stores keep of them."""
    with _Keepers(settings) as keepers:
        _topic(topics, SUPPRESSED, count, keepers.suppressed)
        _topic(topics, DEFINITIONS, count, keepers.definitions)
        # What was just written, or by an earlier try.
        topics.erased = suppressing.known(settings)
        for source in SOURCES:
            _topic(topics, source, count, lambda source=source: keepers.events(source))  # type: ignore[misc]
        _topic(topics, TRENDING_BLOCKS, count, keepers.blocks)
    for topic in TOPICS:
        if topic not in (*SOURCES, SUPPRESSED, DEFINITIONS, TRENDING_BLOCKS):
            topics.remake(topic.name, count, topic.config)


def _topic(topics: Topics, topic: Topic, count: int, records: Callable[[], Iterator[Placed]]) -> None:
    from daybook.rebuild import placing

    if topic.name in topics.moving.placed:
        return
    by_create_time = topic.config | ({"message.timestamp.type": "CreateTime"} if topic.append_time else {})
    topics.remake(topic.name, count, by_create_time)
    wanted = (r for r in records() if not topic.append_time or r.key is None or not topics.erased.has(r.key))
    filled = topics.produce(topic.name, wanted, placing(topic, count))
    if topic.append_time:
        topics.stamp_again(topic)
    topics.done(replace(topics.moving, placed=(*topics.moving.placed, topic.name)))
    topics.say(f"{topic.name}: {filled:,} records from the stores in {count} partitions")


class _Span(NamedTuple):
    """Some records of a table, by their receipt [ms]; the end is not one of them."""

    begin: int
    end: int


class _Keepers:
    """What PostgreSQL and ClickHouse keep of Kafka's topics."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._clickhouse = clickhouse.dial(settings.address("clickhouse"))

    def __enter__(self) -> _Keepers:
        return self

    def __exit__(self, *_: object) -> None:
        self._clickhouse.close()

    def suppressed(self) -> Iterator[Placed]:
        """Who was erased, or was about to be. Raises Problem if it was written down under another key than ours."""
        from daybook.rebuild import Placed

        query = "SELECT subject, min(begun_at), max(receipt->>'kid') FROM erasures GROUP BY subject ORDER BY subject"
        found = self._asked(query)
        if not found:
            return
        kid = suppressing.register(self._settings).erased.kid
        for subject, begun_at, said in found:
            if said is not None and said != kid:
                raise Problem(
                    f"erasures were written down with the key {said}, and ours is {kid}: set DAYBOOK_ERASURE_KEY"
                )
            ms = _ms(begun_at)
            yield Placed(subject.encode(), encode_suppression(Suppression(kid, ms)), ms)

    def definitions(self) -> Iterator[Placed]:
        """The definitions of metrics that were put in force, or were about to be."""
        from daybook.rebuild import Placed

        in_force = definitions_of(backfills(self._settings.address("postgres")))
        if in_force.number:
            yield Placed(DEFINITIONS_KEY, encode_definitions(in_force), round(time.time() * 1000))

    def blocks(self) -> Iterator[Placed]:
        """What admins said of trending, in their order."""
        from daybook.rebuild import Placed

        for kind, name, blocked, by, reason, at in self._asked(
            'SELECT kind, id, blocked, by, reason, at FROM trending_blocks ORDER BY at, "partition", "offset"'
        ):
            block = Block(kind, name, blocked, by, reason, _ms(at))
            yield Placed(block_key(block), encode_block(block), block.at_ms)

    def events(self, topic: Topic) -> Iterator[Placed]:
        """Accepted ones in the order of their receipt, then refused ones in theirs."""
        from daybook.rebuild import Placed

        for key, ms, raw, _ in self._rows("events", "subject", "received_at", topic):
            yield Placed(key, raw, ms)
        for key, ms, raw, first in self._rows("rejected", "key", "coalesce(original_at, received_at)", topic):
            yield Placed(key, raw, ms, [header(first)] if first < ms else [])

    def _asked(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(as_writer(self._settings.address("postgres")), autocommit=True) as connection:
            return connection.execute(query.encode()).fetchall()

    def _rows(self, table: str, key: str, first: str, topic: Topic) -> Iterator[tuple[Any, int, Any, int]]:
        """A row is twice in a table until its parts are merged: each place counts once."""
        query = (
            f"SELECT {key}, toUnixTimestamp64Milli(received_at) AS ms, raw, toUnixTimestamp64Milli({first})"
            f" FROM {table} WHERE topic = {{topic:String}} AND received_at >= fromUnixTimestamp64Milli({{begin:Int64}})"
            " AND received_at < fromUnixTimestamp64Milli({end:Int64})"
            " ORDER BY ms, partition, offset LIMIT 1 BY partition, offset"
        )
        formats: dict[str, Any] = {key: "bytes", "raw": "bytes"}
        for span in self._spans(table, topic):
            asked = {"topic": topic.name, "begin": span.begin, "end": span.end}
            with self._clickhouse.query_row_block_stream(query, parameters=asked, column_formats=formats) as blocks:
                for block in blocks:
                    yield from block

    def _spans(self, table: str, topic: Topic) -> Iterator[_Span]:
        assert topic.keep is not None
        kept_from = int((time.time() - topic.keep.total_seconds()) * 1000) + _MARGIN_MS
        minutes = self._clickhouse.query(
            f"SELECT toUnixTimestamp(toStartOfMinute(received_at)) AS minute, count() FROM {table}"
            " WHERE topic = {topic:String} AND received_at >= fromUnixTimestamp64Milli({begin:Int64})"
            " GROUP BY minute ORDER BY minute",
            parameters={"topic": topic.name, "begin": kept_from},
        ).result_rows
        return spans([(minute * 1000, rows) for minute, rows in minutes], kept_from, _PAGE)


def spans(minutes: list[tuple[int, int]], begin: int, size: int) -> Iterator[_Span]:
    """Spans that together hold all, about `size` rows each. ``minutes``: (begin of one [ms], rows), in their order.

    >>> [tuple(span) for span in spans([(0, 5), (60_000, 7), (180_000, 1)], 30_000, 10)]
    [(30000, 120000), (120000, 240000)]
    """
    rows = 0
    for at, more in minutes:
        rows += more
        if rows >= size or at == minutes[-1][0]:
            yield _Span(begin, at + 60_000)
            begin, rows = at + 60_000, 0


def _ms(at: datetime) -> int:
    return round(at.astimezone(UTC).timestamp() * 1000)
