"""Refused views are filed on the topic `rejected`: no stream folds views yet, so no other part would."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas import broker
from schemas.rows import RejectedRow, encode_row, rejected_key
from schemas.topics import REJECTED
from sinks.base import Retry


class Filing:
    """A producer that is only made when it is needed."""

    def __init__(self, kafka: str) -> None:
        self._kafka = kafka
        self._producer: AIOKafkaProducer | None = None

    async def file(self, rows: Sequence[RejectedRow]) -> None:
        """Return once all are on the topic. Twice is once: place is identity. Raises Retry."""
        if not rows:
            return
        try:
            if self._producer is None:
                producer = AIOKafkaProducer(**broker.aiokafka(self._kafka), acks="all", enable_idempotence=True)
                await producer.start()
                self._producer = producer
            sent = [await self._producer.send(REJECTED.name, encode_row(row), rejected_key(row)) for row in rows]
            await asyncio.gather(*sent)
        except KafkaError as why:
            raise Retry(f"Kafka at {self._kafka} takes no refused views: {why}") from why

    async def close(self) -> None:
        if self._producer is not None:
            await self._producer.stop()
