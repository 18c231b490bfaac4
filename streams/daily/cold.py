"""Users on disk: RocksDB holds every winner, memory only the users whom events touched last.

On disk lies what the changelog holds, one record per entity. It is written when a flush is drained, and thrown away
when the partition leaves and at the next start: it is larger memory, never a second truth, so it cannot be ahead of
what was committed, nor older than the changelog's tombstones (DESIGN §8 rule 15).
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Container, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, cast

from rocksdict import Options, Rdict, WriteBatch, WriteOptions

from streams.daily.entities import Entities
from streams.daily.users import User, Users

KEPT = 10_000
"""Users of a partition that stay in memory."""


class ColdUsers(Users):
    """Subject → user: those in memory as a dict has them; whoever else is asked for is read from disk."""

    def __init__(self, folder: Path, kept: int = KEPT) -> None:
        """`folder`: of one partition, for this object alone; made now, gone after `close`."""
        folder.mkdir(parents=True)
        options = Options(raw_mode=True)
        options.create_if_missing(True)
        options.set_write_buffer_size(32 << 20)
        self._folder, self._kept = folder, kept
        self._disk = Rdict(str(folder), options)
        unsynced: Any = WriteOptions()
        unsynced.disable_wal = True  # nobody reads it after a crash
        self._write_options = unsynced

    def __missing__(self, subject: str) -> User:
        user = self._read(subject)
        if user is None:
            raise KeyError(subject)
        self[subject] = user
        return user

    def get(self, subject: str, default: Any = None, /) -> Any:
        try:
            return self[subject]
        except KeyError:
            return default

    def _read(self, subject: str) -> User | None:
        prefix = subject.encode() + b"\0"
        entities = Entities()
        records = self._disk.iter()
        records.seek(prefix)
        while records.valid():
            key = cast(bytes, records.key())
            if not key.startswith(prefix):
                break
            entities[key] = cast(bytes, records.value())
            records.next()
        if not entities:
            return None
        user = User()
        user.entities, user.cells = entities, None
        return user

    def put(self, keys: Sequence[bytes], values: Sequence[bytes | None]) -> None:
        self._write(zip(keys, values, strict=True))
        if self:  # after a rebalance, or for a hint: users in memory must know it too
            there = [(k, v) for k, v in zip(keys, values, strict=True) if _subject(k) in self]
            super().put([key for key, _ in there], [value for _, value in there])

    def _write(self, pairs: Any) -> None:
        batch = WriteBatch(raw_mode=True)
        for key, value in pairs:
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        self._disk.write(batch, self._write_options)

    def subjects(self) -> Iterator[str]:
        """Everybody, in byte order, as of now and read as it is asked for."""
        records = self._disk.iter()
        records.seek_to_first()
        while records.valid():
            subject = _subject(cast(bytes, records.key()))
            yield subject
            records.seek(subject.encode() + b"\1")

    def settle(self, log: Mapping[bytes, bytes | None], stay: Container[str]) -> None:
        self._write((key, value) for key, value in log.items() if key[0])
        if len(self) > self._kept:  # whoever came first goes first; who is needed again is read again
            gone = [subject for subject in islice(self, len(self) - self._kept * 9 // 10) if subject not in stay]
            for subject in gone:
                del self[subject]

    def close(self) -> None:
        self.clear()
        self._disk.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def cold_users(folder: Path, kept: int = KEPT) -> ColdUsers:
    """Users of one partition in a folder of their own under `folder`."""
    return ColdUsers(folder / uuid.uuid4().hex, kept)


def _subject(key: bytes) -> str:
    return key[: key.index(b"\0")].decode()
