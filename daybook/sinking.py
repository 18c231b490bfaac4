"""The sinks as this installation runs them: one consumer group and one store for each role."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable
from contextlib import suppress

import sinks
from daybook.heartbeat import Heartbeat
from daybook.kafka import TIMEOUT_S as kafka_timeout_s
from daybook.settings import Settings
from daybook.waiting import Group
from sinks.watching import SinkWatch

log = logging.getLogger(__name__)
ROLL_UP_EVERY_S = 600.0


def groups() -> dict[str, Group]:
    """Role → its consumer group, with the topics that it reads."""
    from sinks.runner import group_of

    # A sink says itself what it reads; one that is not opened asks nobody.
    unopened = {role: sinks.build(role, "redis://nowhere") for role in sinks.ROLES}
    return {role: Group(f"the sink {role}", group_of(role), sink.topics) for role, sink in unopened.items()}


def run(settings: Settings, role: str, ready: Callable[[], None], watch: SinkWatch) -> None:
    """Keep the store of one role up to date until SIGTERM or Ctrl-C; what is under way is finished first.

    Raises sinks.base.Stop, one line, when going on would lose data or can never work.
    """
    asyncio.run(_run(settings, role, ready, watch))


async def _run(settings: Settings, role: str, ready: Callable[[], None], watch: SinkWatch) -> None:
    from daybook import suppressing
    from daybook.observe.tracing import tracing
    from sinks.runner import run_sink
    from streams.cluster import Cluster

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    sink, kafka = sinks.build(role, settings.address(role)), settings.address("kafka")
    cluster = Cluster(kafka, kafka_timeout_s)
    beside = asyncio.create_task(_roll_up(settings.address(role), stop)) if role == "clickhouse" else None
    heart = asyncio.create_task(Heartbeat(role, settings.stuck_after_s, watch.stuck_s).beat())
    try:
        await run_sink(
            sink,
            kafka,
            stop=stop,
            instance_id=settings.name_of(role),
            identify=cluster.topic_ids,
            watch=watch,
            on_ready=ready,
            register=suppressing.register(settings),
            tracing=tracing(settings, role),
            log_every_s=settings.log_every_s,
        )
    finally:
        heart.cancel()
        if beside is not None:
            beside.cancel()
            await asyncio.wait([beside])


async def _roll_up(url: str, stop: asyncio.Event) -> None:
    """Keep the daily counts of views up to date; they are made anew as a whole, so a time missed is made up for."""
    from sinks.base import SinkError
    from sinks.clickhouse.rollup import roll_up

    while not stop.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), ROLL_UP_EVERY_S)
        try:
            await roll_up(url)
        except SinkError as why:
            log.warning("views are not rolled up now: %s", why)
