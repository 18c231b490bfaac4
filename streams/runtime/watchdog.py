"""Watches what nobody else does: a chunk that is never committed, a process that stood still, a topic made again."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from streams.stop import stop_process

TICK_S = 1.0


async def watch(app: Any) -> None:
    """Look once a second until the app stops; end the process when going on makes no sense."""
    tuning = app.tuning
    last_tick = time.time()  # the wall clock also counts while the machine sleeps
    verify_at = time.monotonic() + tuning.verify_every_s
    while not app.should_stop:
        await asyncio.sleep(TICK_S)
        now = time.time()
        if now - last_tick > tuning.frozen_after_s:
            stop_process(f"the process stood still for {now - last_tick:.0f} s: its memory is too old to go on from")
        last_tick = now
        oldest = app.consumer.oldest_unfinished()
        if oldest is not None and time.monotonic() - oldest.delivered_at > tuning.stuck_after_s:
            stop_process(f"{oldest.chunk!r} is not committed after {tuning.stuck_after_s:.0f} s")
        if time.monotonic() > verify_at and not app.rebalancing:
            verify_at = time.monotonic() + tuning.verify_every_s
            for table in app.tables.chunk_tables:
                await app.check_topics(table, patient=True)
