"""A row that a store will never take must not hold up the others (DESIGN §8 rule 16)."""

from __future__ import annotations

from typing import Any

from sinks.base import Refused, Sink
from sinks.batch import Batch


async def write(sink: Sink, batch: Batch) -> list[tuple[Any, Refused]]:
    """Write all of the batch that the store takes; returns the rows that it refused, with why.

    Halves the batch until the row is alone, so one bad row of 10,000 costs about 28 writes. What `Sink.write` raises
    besides Refused goes through: writing the whole again is then right.
    """
    try:
        await sink.write(batch)
        return []
    except Refused as why:
        refused = await _apart(sink, batch, why)
    await sink.write(Batch(through=batch.through))
    return refused


async def _apart(sink: Sink, batch: Batch, why: Refused) -> list[tuple[Any, Refused]]:
    rows = batch.rows()
    if len(rows) == 1:
        return [(rows[0], why)]
    refused = []
    for half in batch.halves():
        try:
            await sink.write(half)
        except Refused as again:
            refused += await _apart(sink, half, again)
    return refused
