"""The Faust app of a stream: settings pinned for exactness, the chunk transport, checks before anything is folded."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any

import faust
from faust.types import TP

from streams.runtime import admission
from streams.runtime.admin import Cluster
from streams.runtime.garbage import Collector
from streams.runtime.quiet import FAUST_LOG
from streams.runtime.recovery import ChunkTableManager
from streams.runtime.stop import refuse, stop_process
from streams.runtime.table import ChunkTable
from streams.runtime.transport.chunk import ChunkSchema
from streams.runtime.tuning import FOREVER_S, Tuning
from streams.runtime.watchdog import watch
from streams.state import PartitionState

log = logging.getLogger(__name__)

NO_EXACTLY_ONCE = (
    "processing_guarantee=exactly_once is Faust's own, which loses and doubles events; this runtime is exact with "
    "at_least_once: leave the setting alone"
)


class ChunkApp(faust.App):
    """A Faust app that folds chunks, and ends the process rather than going on in doubt."""

    logger = FAUST_LOG
    tables: Any

    kafka: str
    """host:port of the brokers, comma separated."""
    generation: int
    tuning: Tuning
    collector: Collector
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
            await self._check_topics(table)
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

    # -- admission

    async def _check_topics(self, table: ChunkTable) -> None:
        changelog = table.changelog_topic_name
        try:
            facts = await self.cluster.describe({*table.sources, *table.outputs, changelog})
        except Exception as error:
            refuse(f"Kafka at {self.kafka} does not answer: {error}")
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
                    f"{facts[topic].topic_id}): raise the generation to fold again from what is there"
                )

    async def verify_sources(self, table: ChunkTable) -> None:
        """End the process if a source topic is not the one any more that the state is folded from."""
        await self._check_topics(table)

    async def admit(self, table: ChunkTable) -> None:
        """Compare every restored position with its topic; end the process with the reason where one does not fit."""
        await self._check_topics(table)
        owned = table.store.partitions
        sources = [TP(topic, number) for number in owned for topic in table.sources]
        if not sources:
            return
        starts = await self.consumer.earliest_offsets(*sources)
        ends = await self.consumer.highwaters(*sources)
        for tp in sources:
            partition = owned[tp.partition]
            position, topic_id = partition.positions.get(tp.topic), table.topic_ids[tp.topic]
            if position is None:
                partition.open(tp.topic, topic_id, starts[tp])
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


def make_app(
    id: str,
    kafka: str,
    *,
    generation: int,
    worker_name: str | None = None,
    tuning: Tuning | None = None,
    **settings: Any,
) -> ChunkApp:
    """Return a Faust app for chunked streams.

    ``kafka`` is host:port, several separated by commas. A stable ``worker_name`` makes the group membership static: a
    restart within the session time-out keeps its partitions and moves nobody else's. ``settings`` named like a field
    of `Tuning` change the tuning, all others go to Faust.
    """
    names = {field.name for field in fields(Tuning)}
    tuning = replace(tuning or Tuning(), **{name: settings.pop(name) for name in names & settings.keys()})
    app = ChunkApp(id, **{**_settings(kafka, worker_name, tuning, id), **settings})
    app.kafka = kafka
    app.generation = generation
    app.tuning = tuning
    app.collector = Collector(tuning.collect_every_flushes)
    app.chunked_names = []
    app.cluster = Cluster(kafka, tuning.request_timeout_s)
    return app


def _settings(kafka: str, worker_name: str | None, tuning: Tuning, id: str) -> dict[str, Any]:
    return {
        "broker": [f"chunk://{broker.strip()}" for broker in kafka.split(",")],
        "store": "chunkmem://",
        "TableManager": ChunkTableManager,
        "processing_guarantee": "at_least_once",
        "web_enabled": False,
        "topic_disable_leader": True,
        "table_standby_replicas": 0,  # a standby of memory that recovery reads again would only cost
        "stream_wait_empty": True,  # on a rebalance: finish and commit what is in flight
        "stream_recovery_delay": 0.0,
        "consumer_auto_offset_reset": "earliest",
        "consumer_max_fetch_size": tuning.fetch_bytes,
        "consumer_group_instance_id": worker_name,
        "broker_client_id": worker_name or id,
        "broker_session_timeout": tuning.session_timeout_s,
        "broker_heartbeat_interval": tuning.heartbeat_interval_s,
        "broker_rebalance_timeout": tuning.rebalance_timeout_s,
        "broker_request_timeout": tuning.request_timeout_s,
        "broker_max_poll_interval": FOREVER_S / 100_000,  # judged by our own watchdog instead
        "broker_commit_interval": tuning.commit_interval_s,
        "broker_check_crcs": tuning.check_crcs,
        "worker_redirect_stdouts": False,
    }


def chunked_topic(app: ChunkApp, *names: str) -> Any:
    """Return a channel over source topics that delivers chunks; partition p of all of them meets in one worker."""
    # app.topic() drops maxsize on its way (Faust 0.15.3), and the default would hold 4,096 chunks.
    app.chunked_names.extend(names)
    return faust.Topic(app, topics=names, schema=ChunkSchema(), maxsize=app.tuning.queue_chunks)


def fold_table(
    app: ChunkApp,
    name: str,
    partitions: int,
    state_factory: Callable[[int], PartitionState],
    outputs: Sequence[str],
    sources: Sequence[str] | None = None,
) -> ChunkTable:
    """Declare the state of a stream; its changelog is ``{app id}-{name}-changelog``.

    ``sources`` are the topics whose chunks are folded into it: all that the app reads, unless it has several tables.
    """
    # Made directly: with app.Table() the class would be a setting of the whole app.
    table = ChunkTable(
        app,
        name=name,
        partitions=partitions,
        state_factory=state_factory,
        outputs=outputs,
        sources=None if sources is None else tuple(sources),
        beacon=app.tables.beacon,
    )
    app.tables.add(table)
    return table
