"""The loader as this installation runs it: brings users' old entities back from ClickHouse (docs/adr/0017)."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

from daybook.heartbeat import Heartbeat
from daybook.settings import Settings


def run(settings: Settings, ready: Callable[[], None]) -> None:
    """Answer loads until SIGTERM or Ctrl-C. Raises sinks.base.Stop, one line, when going on can never work."""
    asyncio.run(_run(settings, ready))


async def _run(settings: Settings, ready: Callable[[], None]) -> None:
    from sinks.clickhouse.loader import Loader

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    loader = Loader(
        settings.address("clickhouse"),
        settings.address("kafka"),
        instance_id=settings.name_of("loader"),
        entities_per_s=settings.loads_per_s,
    )
    heart = asyncio.create_task(Heartbeat("loader", settings.stuck_after_s, lambda: 0.0).beat())
    try:
        await loader.run(stop, ready)
    finally:
        heart.cancel()
