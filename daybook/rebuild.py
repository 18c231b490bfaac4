"""`rebuild`: all is folded again under a new generation, with as many partitions as before or another number.

Everything that is derived is made again: ledgers, daily rows, progress, positions. What must not be lost is carried:

events    stay where they are; for another number of partitions each topic is copied, placed anew by its keys with the
          append times that the events had, and replaces the old one; so are milestones and blocks
winners   those whose events have expired are known to the old ledger and to ClickHouse's `entities` alone: each is
          hinted to its new owner, who joins it by rule 1 (DESIGN §8 rules 6 and 11)

Workers are stopped meanwhile. What is done is written to the topic `generations`, step by step: a rebuild that was cut
short is gone on with by calling it again, and no worker begins before it is finished.

Where Kafka itself was lost, the stores are what there is to begin from: lost.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec.structs import replace

from daybook import generations, kafka, lost, sinking, suppressing, waiting
from daybook.errors import Problem
from daybook.rewind import deserted
from daybook.settings import Settings
from daybook.telling import Teller
from schemas import broker
from schemas.generations import Generations, Moving
from schemas.hints import WinnerHint, encode_hint
from schemas.suppression import Erased
from schemas.topics import (
    BY_SUBJECT,
    DEFINITIONS,
    HINTS,
    LEDGER,
    MILESTONES,
    SOURCES,
    SUPPRESSED,
    TOPICS,
    TRENDING_BLOCKS,
    Topic,
)
from schemas.trending import kind_of_block, partition_of
from sinks.clickhouse import client as clickhouse
from sinks.clickhouse.cluster import stored
from sinks.postgres.connect import as_writer

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

Say = Callable[[str], None]

CARRIED = (SUPPRESSED, DEFINITIONS, *SOURCES, MILESTONES, TRENDING_BLOCKS)
"""Topics whose records nobody can derive again. (What is refused is refused again, at its new place.)"""
_SUFFIX = ".moving"
_PATIENCE_S = 60.0
_BATCH = 5_000
_BY_PLACE = {"clickhouse": ("events", "rejected", "replayed", "positions"), "postgres": ("rejected", "replayed")}
"""Tables whose rows are known by the places of events, which change."""


class Placed(NamedTuple):
    """A record for a topic, with the time that it shall have there."""

    key: bytes | None
    value: bytes | None
    ms: int
    headers: Sequence[tuple[str, bytes]] = ()


def rebuild(settings: Settings, partitions: int | None, say: Say, *, from_stores: bool = False) -> int:
    """Do it; returns the new number of rebuilds. Raises Problem if workers run or a server does not answer.

    ``from_stores``: Kafka is another one, and empty. What of its topics the stores keep is filled in.
    """
    bootstrap = settings.address("kafka")
    client = kafka.admin(bootstrap)
    groups = [
        waiting.DAILY_STREAM,
        waiting.PROGRESS_STREAM,
        waiting.LOADER,
        waiting.TRENDING_STREAM,
        waiting.LISTS_STREAM,
        waiting.AFFINITY_STREAM,
        *sinking.groups().values(),
    ]
    for group in groups:
        deserted(client, group)
    known = generations.read(bootstrap)
    if from_stores:
        known = lost.begin(settings, client, known, partitions, say)
    if known is None:
        raise Problem(f"nothing was ever folded on Kafka at {bootstrap}: run daybook migrate")
    if known.moving is None:
        count = partitions or known.partitions
        known = replace(known, moving=Moving(count))
        generations.write(bootstrap, known)
    moving = known.moving
    assert moving is not None
    count = moving.partitions
    if partitions is not None and partitions != count:
        raise Problem(f"a rebuild with {count} partitions was begun: finish it first, with daybook rebuild")
    # One that was cut short may have left the list in its copy alone.
    lists = {SUPPRESSED.name, SUPPRESSED.name + _SUFFIX} & kafka.partition_counts(client, bootstrap).keys()
    topics = Topics(client, bootstrap, known, suppressing.known(settings, lists), say)
    if moving.from_stores:
        lost.fill(topics, settings, count)
    else:
        topics.move(count)
    for group in groups:
        _forget_group(client, group.id)
    _forget_places(settings, moving.from_stores)
    hinted = _hint_winners(settings)
    say(f"{hinted:,} winners handed to their new owners")
    after = generations.facts(client, bootstrap)
    known = Generations(known.rebuilds + 1, count, dict(after.ids), known.state_format)
    generations.write(bootstrap, known)
    return known.rebuilds


class Topics:
    """The topics' part."""

    def __init__(self, client: AdminClient, bootstrap: str, known: Generations, erased: Erased, say: Say) -> None:
        self._client, self._bootstrap, self._known = client, bootstrap, known
        self.say = say
        self.erased = erased

    def move(self, count: int) -> None:
        """Every topic is new with so many partitions, or as it was where nothing changes."""
        present = kafka.partition_counts(self._client, self._bootstrap)
        same = self._known.partitions == count and all(present.get(t.name) == count for t in CARRIED)
        same = same and not self.moving.copied
        for topic in () if same else CARRIED:
            self._carry(topic, count)
        self._carry_winners(count)
        for topic in TOPICS:
            if topic not in (*CARRIED, HINTS, LEDGER):
                self.remake(topic.name, count, topic.config)

    def _carry_winners(self, count: int) -> None:
        """What the ledger holds, and no store may hold yet, is hinted to the new owners."""
        if HINTS.name not in self.moving.placed:
            self.remake(HINTS.name, count, HINTS.config)
            self.done(replace(self.moving, placed=(*self.moving.placed, HINTS.name)))
        if LEDGER.name not in self.moving.placed:
            if LEDGER.name in kafka.partition_counts(self._client, self._bootstrap):
                winners = ((m.key(), m.value()) for m in self._records(LEDGER.name))
                hints = (
                    (key.partition(b"\0")[0], encode_hint(WinnerHint(key, winner)))
                    for key, winner in winners
                    if key and winner and not key.startswith(b"\0")
                )
                Teller(self._bootstrap).send(HINTS.name, hints)
            self.remake(LEDGER.name, count, LEDGER.config)
            self.done(replace(self.moving, placed=(*self.moving.placed, LEDGER.name)))

    def _carry(self, topic: Topic, count: int) -> None:
        moving, copy = self.moving, topic.name + _SUFFIX
        by_create_time = topic.config | ({"message.timestamp.type": "CreateTime"} if topic.append_time else {})
        if topic.name not in (*moving.copied, *moving.placed):
            self.remake(copy, count, by_create_time)
            if topic.name in kafka.partition_counts(self._client, self._bootstrap):
                self._copy(topic.name, copy, placing(topic, count))
            self.done(replace(moving, copied=(*moving.copied, topic.name)))
        if topic.name not in self.moving.placed:
            self.remake(topic.name, count, by_create_time)
            moved = self._copy(copy, topic.name, placing(topic, count))
            if topic.append_time:
                self.stamp_again(topic)
            self.done(replace(self.moving, placed=(*self.moving.placed, topic.name)))
            self.say(f"{topic.name}: {moved:,} records placed in {count} partitions")
        self._delete(copy)

    @property
    def moving(self) -> Moving:
        assert self._known.moving is not None
        return self._known.moving

    def done(self, moving: Moving) -> None:
        self._known = replace(self._known, moving=moving)
        generations.write(self._bootstrap, self._known)

    def _delete(self, name: str) -> None:
        from confluent_kafka import KafkaError, KafkaException

        try:
            self._client.delete_topics([name], request_timeout=kafka.TIMEOUT_S)[name].result()
        except KafkaException as why:
            if why.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                kafka.unreachable(self._bootstrap, why)

    def remake(self, name: str, count: int, config: dict[str, str]) -> None:
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import NewTopic

        self._delete(name)
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                new = [NewTopic(name, num_partitions=count, config=config)]
                self._client.create_topics(new, request_timeout=kafka.TIMEOUT_S)[name].result()
                break
            except KafkaException as why:  # a deletion takes its time
                if time.monotonic() > deadline:
                    kafka.unreachable(self._bootstrap, why)
                time.sleep(0.2)
        while kafka.partition_counts(self._client, self._bootstrap).get(name) != count:
            if time.monotonic() > deadline:
                raise Problem(f"Kafka at {self._bootstrap} does not show the new topic {name}")
            time.sleep(0.1)

    def stamp_again(self, topic: Topic) -> None:
        """The broker's clock stamps what comes from now on; what was copied keeps its times."""
        from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

        entry = ConfigEntry("message.timestamp.type", "LogAppendTime", incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, topic.name, incremental_configs=[entry])
        for done in self._client.incremental_alter_configs([resource], request_timeout=kafka.TIMEOUT_S).values():
            done.result()

    def _copy(self, source: str, target: str, place: Callable[[bytes], int]) -> int:
        """Every committed record, placed by its key, with its time and headers; order per key stays. What is left of
        erased users stays behind."""
        of_users = source.removesuffix(_SUFFIX) in BY_SUBJECT
        records = (
            Placed(message.key(), message.value(), message.timestamp()[1], message.headers() or [])
            for message in self._records(source)
            if not of_users or (key := message.key()) is None or not self.erased.has(key)
        )
        return self.produce(target, records, place)

    def produce(self, target: str, records: Iterable[Placed], place: Callable[[Any], int]) -> int:
        """Write them; returns how many once all are acknowledged. Raises Problem with the first that is not."""
        from confluent_kafka import Producer

        producer = Producer(
            {
                **broker.librdkafka(self._bootstrap),
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "linger.ms": 20,
                "queue.buffering.max.messages": 200_000,
                "log_level": 0,
            }
        )
        failed: list[str] = []

        def delivered(error: Any, _: object) -> None:
            if error is not None:
                failed.append(error.str())

        count = 0
        for record in records:
            while True:
                try:
                    producer.produce(
                        target,
                        record.value,
                        record.key,
                        place(record.key),
                        timestamp=record.ms,
                        headers=list(record.headers),
                        on_delivery=delivered,
                    )
                    break
                except BufferError:
                    producer.poll(0.1)
            count += 1
            if count % 1_000 == 0:
                producer.poll(0)
        left = producer.flush(_PATIENCE_S)
        if failed or left:
            raise Problem(
                f"Kafka at {self._bootstrap} does not take records for {target}: {(failed or [str(left)])[0]}"
            )
        return count

    def _records(self, topic: str) -> Iterator[Any]:
        from confluent_kafka import Consumer, KafkaError, TopicPartition

        consumer = Consumer(
            {
                **broker.librdkafka(self._bootstrap),
                "group.id": f"daybook-rebuild-{topic}",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "error",
                "log_level": 0,
            }
        )
        try:
            numbers = range(kafka.partition_counts(self._client, self._bootstrap)[topic])
            begins = kafka.offsets(self._client, self._bootstrap, [(topic, n) for n in numbers], earliest=True)
            consumer.assign([TopicPartition(topic, n, begins[topic, n]) for n in numbers])
            left = set(numbers)
            while left:
                messages: Sequence[Any] = consumer.consume(_BATCH, 1.0)
                for message in messages:
                    error = message.error()
                    if error is None:
                        yield message
                    elif error.code() == KafkaError._PARTITION_EOF:
                        left.discard(message.partition())
                    else:
                        raise Problem(f"{topic} cannot be read: {error.str()}")
        finally:
            consumer.close()


def placing(topic: Topic, count: int) -> Callable[[bytes], int]:
    """Key → partition of a topic with so many: -1 leaves it to the producer, which goes by the key's hash."""
    if topic in (SUPPRESSED, DEFINITIONS):
        return lambda key: 0  # where all of it is; workers read it before they begin
    if topic is TRENDING_BLOCKS:
        return lambda key: partition_of(kind_of_block(key), count)
    return lambda key: -1


def _forget_group(client: AdminClient, group: str) -> None:
    from confluent_kafka import KafkaError, KafkaException

    try:
        client.delete_consumer_groups([group], request_timeout=kafka.TIMEOUT_S)[group].result()
    except KafkaException as why:
        if why.args[0].code() != KafkaError.GROUP_ID_NOT_FOUND:
            raise Problem(f"the consumer group {group} cannot be deleted: {why.args[0].str()}") from why


def _forget_places(settings: Settings, blocks: bool) -> None:
    """Empty what is known by places; the sinks fill it again from the topics. `blocks`: what admins said too."""
    import psycopg
    import redis

    with clickhouse.dial(settings.address("clickhouse")) as client:
        for table in _BY_PLACE["clickhouse"]:
            client.command(f"TRUNCATE TABLE {stored(table, settings.clickhouse_cluster)}")
    with psycopg.connect(as_writer(settings.address("postgres")), autocommit=True) as postgres:
        tables = (*_BY_PLACE["postgres"], *(("trending_blocks",) if blocks else ()))
        postgres.execute(f"TRUNCATE {', '.join(tables)}".encode())
    with redis.Redis.from_url(settings.address("redis")) as store:
        store.delete("daybook:filled")


def _hint_winners(settings: Settings) -> int:
    """Tell the new owners what ClickHouse knows; returns how many winners those are."""
    from daybook.stored import Stores
    from sinks.clickhouse.entities import packed

    teller, count = Teller(settings.address("kafka")), 0
    with Stores(settings) as stores:
        for users in stores.user_ranges(2_000):
            hints = []
            for entity in stores.entities(users):
                key, winner = packed(entity)
                hints.append((entity.subject.encode(), encode_hint(WinnerHint(key, winner))))
            teller.send(HINTS.name, hints)
            count += len(hints)
    return count
