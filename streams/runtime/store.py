"""The Faust store behind a ChunkTable: one `OwnedPartition` each, restored chunk by chunk by Faust's own recovery."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from faust.stores import STORES
from faust.stores.base import Store
from faust.types import TP

from schemas.positions import UnknownFormat
from streams.runtime.partition import OwnedPartition
from streams.runtime.quiet import FAUST_LOG
from streams.stop import refuse, stop_process


class ChunkStore(Store[Any, Any]):
    """Registered as ``chunkmem`` in the entry points ``faust.stores``; its table is a `ChunkTable`."""

    logger = FAUST_LOG
    table: Any

    def __post_init__(self) -> None:
        self.data: dict[Any, Any] = {}  # what Faust's own tables would use; stays empty
        self.partitions: dict[int, OwnedPartition] = {}
        self.records_read = 0
        self._next_changelog_offset: dict[TP, int] = {}

    def open(self, number: int) -> OwnedPartition:
        """Return the partition, new and empty where it was not held."""
        if number not in self.partitions:
            self.partitions[number] = self.table.new_partition(number)
        return self.partitions[number]

    def expect(self, tp: TP, offset: int) -> None:
        """Say at which changelog offset recovery goes on reading."""
        self._next_changelog_offset[tp] = offset

    # -- what Faust calls

    def apply_changelog_batch(
        self, batch: Iterable[Any], to_key: Callable[[Any], Any], to_value: Callable[[Any], Any]
    ) -> None:
        """Restore the chunks of a batch, each behind the last without a gap; any doubt ends the process.

        Faust's recovery logs an exception as a warning and waits for ever, so none leaves here.
        """
        for event in batch:
            chunk = event.value
            try:
                self._restore(chunk)
            except UnknownFormat as why:
                refuse(f"{chunk.tp.topic}/{chunk.tp.partition}: {why}")
            except Exception as error:
                stop_process(f"the state in {chunk!r} cannot be restored: {error}", error)

    def _restore(self, chunk: Any) -> None:
        partition = self.partitions.get(chunk.tp.partition)
        if partition is None:
            return  # a late chunk of a partition that has left; the next owner reads it
        expected = self._next_changelog_offset.get(chunk.tp, 0)
        if chunk.start > expected:
            raise ValueError(f"what was read before it ends at offset {expected - 1}")
        if chunk.next_offset <= expected:
            return  # read before
        partition.restore(chunk.keys, chunk.values, chunk.next_offset - 1)
        self._next_changelog_offset[chunk.tp] = chunk.next_offset
        self.records_read += len(chunk)

    def persisted_offset(self, tp: TP) -> int | None:
        """Return the last changelog offset that memory reflects."""
        partition = self.partitions.get(tp.partition)
        return None if partition is None else partition.changelog_offset

    def set_persisted_offset(self, tp: TP, offset: int) -> None:
        """Ignore Faust's idea of the offset: restoring and committing know it."""

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Forget the partitions that left; whatever they had not committed goes with them."""
        kept = {tp.partition for tp in assigned if tp.topic == self.table.changelog_topic_name}
        for number in [number for number in self.partitions if number not in kept]:
            self.partitions.pop(number).close()
        for tp in [tp for tp in self._next_changelog_offset if tp.partition not in kept]:
            del self._next_changelog_offset[tp]

    def reset_state(self) -> None:
        """Nothing is kept outside memory."""

    async def backup_partition(self, tp: Any, flush: bool = True, purge: bool = False, keep: int = 1) -> None:
        """The changelog is the backup."""

    def restore_backup(self, tp: Any, latest: bool = True, backup_id: int = 0) -> None:
        """The changelog is the backup."""


STORES.aliases["chunkmem"] = "streams.runtime.store:ChunkStore"  # also where the package is not (re)installed
