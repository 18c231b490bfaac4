"""A stream is put together by `make_app`, `chunked_topic` and `fold_table`; the settings are pinned to be exact."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import fields, replace
from typing import Any

import faust

from schemas import broker
from schemas.metrics import Meters
from schemas.positions import NEWEST
from schemas.suppression import Erased
from schemas.tracing import Tracing
from streams.cluster import Cluster
from streams.runtime.chunkapp import ChunkApp
from streams.runtime.garbage import Collector
from streams.runtime.recovery import ChunkTableManager
from streams.runtime.table import ChunkTable
from streams.runtime.transport.chunk import ChunkSchema
from streams.runtime.tuning import Tuning
from streams.state import PartitionState

MAX_POLL_INTERVAL_S = 20 * 86_400.0
"""As long as Kafka can count: whether a worker makes progress is judged by our own watchdog, which ends the process."""


def make_app(
    id: str,
    kafka: str,
    *,
    generation: int,
    state_format: int = NEWEST,
    worker_name: str | None = None,
    tuning: Tuning | None = None,
    erased: Erased | None = None,
    renew: Callable[[], Awaitable[object]] | None = None,
    tracing: Tracing | None = None,
    **settings: Any,
) -> ChunkApp:
    """Return a Faust app for chunked streams.

    ``kafka`` is host:port, several separated by commas. A stable ``worker_name`` makes the group membership static: a
    restart within the session time-out keeps its partitions and moves nobody else's. ``state_format``: what state is
    written in (schemas/positions.py). ``erased``: who may not come back, read to its end; ``renew`` reads on whenever
    partitions are taken over: what their owners were told meanwhile is not told again. ``tracing``: makes spans of
    chunks with sampled events; None: nobody looks whether there are any. ``settings`` named like a field of `Tuning`
    change the tuning, all others go to Faust.
    """
    names = {field.name for field in fields(Tuning)}
    tuning = replace(tuning or Tuning(), **{name: settings.pop(name) for name in names & settings.keys()})
    app = ChunkApp(id, **{**_settings(kafka, worker_name, tuning, id), **settings})
    app.kafka = kafka
    app.generation = generation
    app.state_format = state_format
    app.erased = Erased() if erased is None else erased
    app.renew = renew
    app.tracing = tracing
    app.tuning = tuning
    app.collector = Collector(tuning.collect_every_flushes)
    app.meters = Meters()
    app.chunked_names = []
    app.cluster = Cluster(kafka, tuning.request_timeout_s)
    return app


def _settings(kafka: str, worker_name: str | None, tuning: Tuning, id: str) -> dict[str, Any]:
    return {
        "broker": [f"chunk://{each.strip()}" for each in kafka.split(",")],
        **_login(kafka),
        "store": "chunkmem://",
        "TableManager": ChunkTableManager,
        "processing_guarantee": "at_least_once",
        "web_enabled": False,
        "topic_disable_leader": True,
        "topic_allow_declare": False,  # all are there when the group is joined (ChunkApp.on_start)
        "table_standby_replicas": tuning.standbys,
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
        "broker_max_poll_interval": MAX_POLL_INTERVAL_S,
        "broker_commit_interval": tuning.commit_interval_s,
        "broker_check_crcs": tuning.check_crcs,
        "worker_redirect_stdouts": False,
    }


def _login(kafka: str) -> dict[str, Any]:
    """How Faust's own consumer and producer log in: as all other clients of Kafka do (schemas/broker.py)."""
    told = broker.login(kafka)
    if not told:
        return {}
    if "sasl_mechanism" not in told:
        return {"broker_credentials": faust.SSLCredentials(told["ssl_context"])}
    return {
        "broker_credentials": faust.SASLCredentials(
            username=told["sasl_plain_username"],
            password=told["sasl_plain_password"],
            ssl_context=told["ssl_context"],
            mechanism=told["sasl_mechanism"],
        )
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
