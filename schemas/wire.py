"""Record batches as a broker holds them. A header's name is UTF-8 by Kafka's protocol, and nobody looks whether it is.

The broker takes any bytes for a name; aiokafka 0.14 decodes it strictly and raises in the middle of a batch, at every
attempt: one such record would stop its partition for good. Here the batch is then read once more with the bad signs
written out. Leans on private parts of aiokafka; tests/contract/test_wire.py fails when they change.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords

_OVERHEAD, _MAGIC_AT = 12, 16


class _Slice(bytearray):
    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return bytes(self).decode(encoding, "backslashreplace")


class _Buffer(bytearray):
    """What aiokafka's reader in Python cuts names out of."""

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return _Slice(found) if isinstance(index, slice) else found


class _Lenient(_DefaultRecordBatchPy):  # type: ignore[misc]
    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        self._buffer: Any = _Buffer(self._buffer)


class Batch:
    """One batch: aiokafka's own, and the same once more for names that it does not read."""

    __slots__ = ("strict", "whole")

    def __init__(self, strict: Any, whole: bytes) -> None:
        self.strict = strict
        """Raises UnicodeDecodeError at the record whose header has a name that is not UTF-8."""
        self.whole = whole
        """As it came."""

    def lenient(self) -> Iterator[Any]:
        """All records of the batch, from its first."""
        return iter(_Lenient(self.whole))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.strict, name)

    def __next__(self) -> Any:
        return next(self.strict)

    def __iter__(self) -> Iterator[Any]:
        done = 0
        try:
            for record in self.strict:
                yield record
                done += 1
        except UnicodeDecodeError:
            yield from islice(self.lenient(), done, None)


class Batches:
    """aiokafka's MemoryRecords, whose batches can be read twice."""

    def __init__(self, data: bytes) -> None:
        self._records, self._data, self._at = MemoryRecords(data), data, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._records, name)

    def has_next(self) -> bool:
        found: bool = self._records.has_next()
        return found

    def next_batch(self) -> Any:
        batch, start = self._records.next_batch(), self._at
        if batch is None:
            return None
        self._at = start + _OVERHEAD + int.from_bytes(self._data[start + 8 : start + _OVERHEAD], "big")
        return Batch(batch, self._data[start : self._at]) if self._data[start + _MAGIC_AT] >= 2 else batch


def install() -> None:
    """Have all consumers of this process read so."""
    fetcher.MemoryRecords = Batches
