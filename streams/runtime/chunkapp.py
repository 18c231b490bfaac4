"""The Faust app class behind `make_app`: checks before anything is folded, and an end where going on is in doubt."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import faust
from confluent_kafka import KafkaException
from faust.app.base import BootStrategy
from faust.types import TP

from schemas.metrics import Meters
from schemas.suppression import Erased
from schemas.tracing import Tracing
from streams.cluster import Cluster
from streams.runtime import admission
from streams.runtime.garbage import Collector
from streams.runtime.limit import allowance_group
from streams.runtime.quiet import FAUST_LOG
from streams.runtime.table import ChunkTable
from streams.runtime.tuning import Tuning
from streams.runtime.watchdog import watch
from streams.stop import refuse, stop_process

log = logging.getLogger(__name__)

NO_EXACTLY_ONCE = (
    "processing_guarantee=exactly_once is Faust's own, which loses and doubles events; this runtime is exact with "
    "at_least_once: leave the setting alone"
)


class _Boot(BootStrategy):
    enable_web = False  # `faust worker` would switch it on, and two workers on a machine want the same port


class ChunkApp(faust.App):
    """A Faust app that folds chunks, and ends the process rather than going on in doubt."""

    logger = FAUST_LOG
    BootStrategy = _Boot
    tables: Any

    kafka: str
    """host:port of the brokers, comma separated."""
    generation: int
    erased: Erased
    """Read to its end before the app was made."""
    renew: Callable[[], Awaitable[object]] | None
    """Brings `erased` up to date."""
    state_format: int
    """What state is written in (schemas/positions.py)."""
    tracing: Tracing | None
    """Makes spans of chunks with sampled events; None: nobody looks whether there are any."""
    tuning: Tuning
    collector: Collector
    meters: Meters
    cluster: Cluster
    chunked_names: list[str]
    """Source topics, in the order of their declaration."""

    @property
    def fetch_tuning(self) -> Tuning:
        """What the consumer's thread reads."""
        return self.tuning

    def _create_directories(self) -> None:
        """Make no data folder: nothing is kept on disk."""

    async def on_start(self) -> None:
        """Refuse what cannot be exact, before the group is joined."""
        await super().on_start()
        if self.in_transaction:
            refuse(NO_EXACTLY_ONCE)
        for table in self.tables.chunk_tables:
            await self.check_topics(table)
        self._check_sources()
        for table in self.tables.chunk_tables:
            await self._make_changelog(table)
        self.add_future(watch(self))

    async def on_stop(self) -> None:
        """Commit what is in flight, leave the group, let go of the producers."""
        await super().on_stop()
        await self.tables.release()

    async def _on_agent_error(self, agent: Any, exc: BaseException) -> None:
        stop_process(f"the agent {agent.name} failed outside of a fold, which would skip its chunk: {exc!r}", exc)

    def _crash(self, reason: BaseException) -> None:
        if not self.should_stop:
            stop_process(f"Faust crashed: {reason!r}", reason)
        super()._crash(reason)

    def _check_sources(self) -> None:
        folded = [source for table in self.tables.chunk_tables for source in table.sources]
        twice = {source for source in folded if folded.count(source) > 1}
        if twice:
            refuse(f"{sorted(twice)} would be folded into two tables of {self.conf.id}: name the sources of each table")

    async def _make_changelog(self, table: ChunkTable) -> None:
        """Have the changelog there before the group is joined.

        Faust makes it too, but goes on at once: a broker that does not name it yet assigns the partitions without it.
        """
        topic = table.changelog_topic
        try:
            await self.cluster.make(
                table.changelog_topic_name,
                table.partition_count,
                self.conf.topic_replication_factor,
                {name: str(value) for name, value in (topic.config or {}).items()} | {"cleanup.policy": "compact"},
            )
        except (KafkaException, TimeoutError) as error:
            stop_process(f"Kafka at {self.kafka} does not make the topic {table.changelog_topic_name}: {error!r}")

    async def refusals_allowed(self, tp: TP) -> int:
        """Return the offset before which an operator lets any number of records be refused; 0 where nobody said so."""
        try:
            return await self.cluster.committed(allowance_group(self.conf.id), tp) or 0
        except KafkaException as error:
            log.warning("Kafka at %s does not say what refusals are allowed: %s", self.kafka, error.args[0].str())
            return 0

    # -- admission

    async def check_topics(self, table: ChunkTable, *, patient: bool = False) -> None:
        """Refuse topics that do not fit each other, or not the ones any more that the state is folded from.

        A cluster that does not answer ends the process too, unless ``patient``: then the question waits for next time.
        """
        changelog = table.changelog_topic_name
        try:
            facts = await self.cluster.describe({*table.sources, *table.outputs, changelog})
        except KafkaException as error:
            line = f"Kafka at {self.kafka} does not answer: {error.args[0].str()}"
            if not patient:
                stop_process(line)
            return log.warning(line)
        wrong = admission.topics_fit(
            facts,
            sources=table.sources,
            outputs=table.outputs,
            changelog=changelog,
            partitions=table.partition_count,
        )
        if wrong:
            refuse(wrong)
        for topic in table.sources:
            known = table.topic_ids.setdefault(topic, facts[topic].topic_id)
            if known != facts[topic].topic_id:
                refuse(
                    f"the topic {topic} was deleted and made again while it was folded (its id was {known} and is "
                    f"{facts[topic].topic_id}): to fold again from what is there: daybook rebuild"
                )

    async def admit(self, table: ChunkTable) -> None:
        """Compare every restored position with its topic; end the process with the reason where one does not fit."""
        await self.check_topics(table)
        owned = {number: partition for number, partition in table.store.partitions.items() if table.owns(number)}
        sources = [TP(topic, number) for number in owned for topic in table.sources]
        if not sources:
            return
        starts = await self.consumer.earliest_offsets(*sources)
        ends = await self.consumer.highwaters(*sources)
        for tp in sources:
            partition = owned[tp.partition]
            position, topic_id = partition.positions.get(tp.topic), table.topic_ids[tp.topic]
            if position is None:
                partition.open(tp.topic, topic_id, starts[tp], ends[tp])
                partition.begin(tp.topic, ends[tp])
                if starts[tp]:
                    log.warning("%s/%d has no state yet and starts at offset %d", tp.topic, tp.partition, starts[tp])
                continue
            wrong = admission.position_fits(
                tp.topic,
                tp.partition,
                position,
                generation=self.generation,
                topic_id=topic_id,
                log_start=starts[tp],
                log_end=ends[tp],
            )
            if wrong:
                refuse(wrong)
            partition.begin(tp.topic, ends[tp])
