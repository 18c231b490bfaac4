"""A row that a store will never take must not hold up the others (DESIGN §8 rule 16)."""

from __future__ import annotations

from typing import Any

from sinks.base import Refusal, Refused, Sink
from sinks.batch import Batch

MOST_SHARE, SOME, RECENT = 0.1, 10, 10_000


class Limit:
    """Stops a sink that would drain its topic aside: with a broken encoder every row looks bad (Arroyo's DlqLimit)."""

    def __init__(self) -> None:
        self._rows = self._refused = 0.0

    def count(self, rows: int, refused: int) -> None:
        """Raises Refusal when of the last 10,000 or so rows more than a tenth, and more than ten, were set aside."""
        self._rows, self._refused = self._rows + rows, self._refused + refused
        if self._refused > max(SOME, self._rows * MOST_SHARE):
            raise Refusal(
                f"{self._refused:.0f} of the last {self._rows:.0f} rows were refused: that is no fault of the rows."
                " Nothing of the last batch is committed; the log names each row and the reason"
            )
        if self._rows > RECENT:
            self._rows, self._refused = self._rows / 2, self._refused / 2


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
