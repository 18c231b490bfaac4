"""Who was erased, as this service knows it: what is sent of them is refused at the door, and goes nowhere.

The streams drop it too, wherever it comes from: this only says it to who sends, and keeps it out of Kafka.
"""

from __future__ import annotations

import asyncio
import logging

from schemas.suppression import Erased
from sinks.base import SinkError
from sinks.erased import Register

log = logging.getLogger(__name__)

EVERY_S, AGAIN_S = 1.0, 10.0
"""How often Kafka is asked whether somebody was erased; and when again after it did not answer."""


class Suppression:
    """Keeps the list up to date while the service runs; while Kafka is down it stays as it was."""

    def __init__(self, kafka: str, secret: str | None) -> None:
        """`secret`: what names are hashed with; None: nobody can be recognised here."""
        self._register = Register(kafka, Erased(secret))
        self._keeping: asyncio.Task[None] | None = None

    @property
    def erased(self) -> Erased:
        """The list."""
        return self._register.erased

    def begin(self) -> None:
        """Keep it from now on."""
        self._keeping = asyncio.create_task(self._keep())

    async def _keep(self) -> None:
        told = ""
        while True:
            pause_s = EVERY_S
            try:
                await self._register.refresh()
                told = ""
            except SinkError as why:
                pause_s = AGAIN_S
                if str(why) != told:
                    told = str(why)
                    log.warning("events of erased subjects may pass to the streams, which drop them: %s", why)
            await asyncio.sleep(pause_s)

    async def close(self) -> None:
        """Let go."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])
        await self._register.close()
