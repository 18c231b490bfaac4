"""Record batches that a careless client can write and no library of ours would: a header whose name is not UTF-8."""

from __future__ import annotations

import struct
from typing import Any

from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

NAME = "XYZW"
POISON = b"\xff\xfe\xff\xfe"
SHOWN = "\\xff\\xfe\\xff\\xfe"


class PoisonedBuilder:
    """aiokafka's builder of an uncompressed batch; every header called NAME gets POISON for a name at the end."""

    def __init__(self, *, codec: int = 0) -> None:
        self._builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, 0, 1_000_000)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._builder, name)

    def build(self) -> bytes:
        return poisoned(bytes(self._builder.build()))


def poisoned(batch: bytes) -> bytes:
    """An uncompressed batch with POISON for NAME and the checksum to it (magic 2: CRC-32C from byte 21 on, at 17)."""
    changed = batch.replace(NAME.encode(), POISON)
    return changed[:17] + struct.pack(">I", calc_crc32c(changed[21:])) + changed[21:]
