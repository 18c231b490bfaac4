"""What an agent iterates over."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from streams.runtime.transport.chunk import Chunk


async def chunks(stream: Any) -> AsyncIterator[Chunk]:
    """Yield the stream's chunks, never acknowledged by being passed: ``table.fold`` does it when they are committed."""
    stream.enable_acks = False  # Faust's noack() would make a second stream over the same channel
    async for event in stream.events():
        chunk: Chunk = event.value
        chunk.ack = event.ack
        yield chunk
