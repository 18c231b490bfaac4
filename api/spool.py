"""Events on this machine's disk while Kafka is down: written and flushed before anybody is told that they are taken.

Requests that wait at the same time share one block, one write and one fsync. Files of some megabytes are read from the
oldest on; one that is replayed whole is deleted, so a crash repeats at most one file, which changes nothing (rule 1). A
process holds the folder's lock, and begins files of its own: what another left is only read. What cannot be read is
never deleted: its file stays, with the ending .aside.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import re
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from api import blocks
from api.problems import unavailable
from producers.publish import Record

log = logging.getLogger(__name__)

FILE_BYTES = 8 << 20
"""A file that is longer is not written to any more: about this much may be repeated after a crash."""
WRITE_BYTES = 4 << 20
"""Requests share a block up to so many bytes."""
RETRY_AFTER_S = 5
_OURS = re.compile(r"\d{16}\.(spool|aside)", re.ASCII)


class SpoolInUse(Exception):
    """Another process has this folder's lock."""


@dataclass(slots=True)
class _File:
    path: Path
    size: int = 0
    """Bytes that are on the disk; what lies beyond was promised to nobody."""
    events: int = 0
    """Of them, not replayed yet."""
    done: int = 0
    """Bytes that are replayed."""
    aside: bool = False
    """Something of it cannot be read."""


class Chunk(NamedTuple):
    """The oldest events, in order, of one file; `Spool.drop` it when Kafka has acknowledged them."""

    records: list[Record]
    end: int


class Spool:
    """One folder, used from one event loop. Its files stay below `most` bytes; 0: it takes nothing, and only gives what
    an earlier process left."""

    def __init__(self, folder: Path, most: int, *, file_bytes: int = FILE_BYTES) -> None:
        self._folder, self._file_bytes = folder, file_bytes
        self.most = most
        self._files: deque[_File] = deque()
        self._open: int | None = None
        """The last file, while it is written to."""
        self._lock: int | None = None
        self._number = 0
        self._waiting: list[tuple[Sequence[Record], int, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None
        self._promised = 0
        """Bytes of `_waiting` and of the write under way."""
        self.damaged = 0
        """Bytes that were promised and cannot be read any more, since the process began."""
        self.filled = asyncio.Event()
        """Set while there is something to replay."""

    @property
    def takes(self) -> bool:
        """Whether it is there to be written to at all."""
        return self.most > 0

    @property
    def has_room(self) -> bool:
        """Whether it would take an event now."""
        return self.bytes + self._promised < self.most

    @property
    def is_empty(self) -> bool:
        """Nothing waits for Kafka, and nothing is being written."""
        return not self._promised and not self.left

    @property
    def events(self) -> int:
        """On the disk, and not replayed."""
        return sum(file.events for file in self._files)

    @property
    def left(self) -> int:
        """Bytes on the disk that are not replayed."""
        return sum(file.size - file.done for file in self._files)

    @property
    def bytes(self) -> int:
        """Of all files."""
        return sum(file.size for file in self._files)

    def open(self) -> None:
        """Look what is there. It blocks. Raises SpoolInUse, or OSError where the folder cannot be used."""
        if not self._folder.exists():
            if not self.takes:
                return
            self._folder.mkdir(mode=0o700, parents=True)
            _name_to_disk(self._folder.parent)
        self._lock = os.open(self._folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SpoolInUse(f"{self._folder} is in use by another process") from None
        for path in sorted(self._folder.iterdir()):
            if _OURS.fullmatch(path.name):
                self._number = max(self._number, int(path.stem))
                if path.suffix == ".spool":
                    self._found(path)
        if self.events:
            log.warning("%d events in %s wait for Kafka since an earlier process", self.events, self._folder)
            self.filled.set()

    def _found(self, path: Path) -> None:
        found = blocks.scan(path.read_bytes())
        file = _File(path, aside=bool(found.torn or found.damaged))
        if found.torn:
            log.warning("%s: its last %d bytes are no whole block: taken as never promised", path, found.torn)
        if found.damaged:
            log.error("%s: %d bytes of stored events cannot be read any more", path, found.damaged)
            self.damaged += found.damaged
        if not found.blocks:
            return _remove(file)
        file.size = found.blocks[-1].end
        file.events = sum(block.events for block in found.blocks)
        self._files.append(file)

    def check(self) -> None:
        """Raises Problem 503 if there is no room."""
        if not self.has_room:
            raise unavailable("events cannot be stored at the moment; send the same again", RETRY_AFTER_S)

    async def append(self, records: Sequence[Record]) -> None:
        """Returns when they are on the disk, behind all that came before. Raises Problem 503 if they may not be."""
        size = blocks.size(records)
        if self.bytes + self._promised + size > self.most:
            raise unavailable("events cannot be stored at the moment; send the same again", RETRY_AFTER_S)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((records, size, done))
        self._promised += size
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all())
        await asyncio.shield(done)  # a client that leaves does not stop what others share

    async def _write_all(self) -> None:
        while self._waiting:
            size = taken = 0
            while taken < len(self._waiting) and (not taken or size + self._waiting[taken][1] <= WRITE_BYTES):
                size += self._waiting[taken][1]
                taken += 1
            now, self._waiting = self._waiting[:taken], self._waiting[taken:]
            try:
                await self._write([record for records, _, _ in now for record in records])
            except OSError as why:
                log.error("events cannot be stored in %s: %s", self._folder, why)
                for _, _, done in now:
                    done.set_exception(unavailable("the events were not stored; send the same again", RETRY_AFTER_S))
                    done.exception()  # its client may have left
            else:
                for _, _, done in now:
                    done.set_result(None)
                self.filled.set()
            self._promised -= size

    async def _write(self, records: list[Record]) -> None:
        """One block to the end of the last file."""
        if self._open is None:
            self._number += 1
            path = self._folder / f"{self._number:016}.spool"
            self._open = await asyncio.to_thread(_begin, path)
            self._files.append(_File(path))
        file = self._files[-1]
        try:
            written = await asyncio.to_thread(_append, self._open, records)
        except OSError:  # nobody knows what lies behind the last block now: this file gets no more
            with suppress(OSError):
                os.ftruncate(self._open, file.size)
            self._end_file()
            if not file.size:
                self._files.remove(file)
                with suppress(OSError):
                    file.path.unlink()
            raise
        file.size += written
        file.events += len(records)
        if file.size >= self._file_bytes:
            self._end_file()

    def _end_file(self) -> None:
        if self._open is not None:
            os.close(self._open)
            self._open = None

    async def read(self) -> Chunk:
        """The oldest events: all that are left of a file."""
        file = next(file for file in self._files if file.size > file.done)
        start, end, events = file.done, file.size, file.events
        records = await asyncio.to_thread(_records, file.path, start, end)
        if len(records) != events:
            log.error("%s: %d stored events cannot be read any more", file.path, events - len(records))
            self.damaged += 0 if file.aside else end - start
            file.aside = True
        return Chunk(records, end)

    def drop(self, chunk: Chunk) -> None:
        """Kafka has what was read last. Files that are done are deleted."""
        file = next(file for file in self._files if file.size > file.done)
        file.done = chunk.end
        file.events = 0 if file.size == file.done else file.events - len(chunk.records)
        while self._files and self._files[0].done == self._files[0].size:
            if len(self._files) == 1:
                if self._promised:
                    break  # it may be written to at this moment
                self._end_file()
            _remove(self._files.popleft())
        if not self.left:
            self.filled.clear()

    async def settled(self) -> None:
        """Returns when nothing is being written."""
        if self._writer is not None:
            await asyncio.wait([self._writer])

    async def close(self) -> None:
        """Wait for the write under way, then let go of the folder."""
        await self.settled()
        self._end_file()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _begin(path: Path) -> int:
    """A new file, whose name, too, outlives the machine's power."""
    opened = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        _name_to_disk(path.parent)
    except OSError:
        os.close(opened)
        raise
    return opened


def _append(file: int, records: Sequence[Record]) -> int:
    """Write a block and wait for the disk; its length."""
    block = blocks.encode(records)
    left = memoryview(block)
    while left:
        left = left[os.write(file, left) :]
    _to_disk(file)
    return len(block)


def _records(path: Path, start: int, end: int) -> list[Record]:
    with path.open("rb") as opened:
        opened.seek(start)
        data = opened.read(end - start)
    return [record for block in blocks.scan(data).blocks for record in blocks.records(data, block)]


def _remove(file: _File) -> None:
    if file.aside:
        file.path.rename(file.path.with_suffix(".aside"))
    else:
        file.path.unlink()


def _to_disk(file: int) -> None:
    """As far as the disk itself: on macOS fsync alone leaves it in the disk's cache."""
    if hasattr(fcntl, "F_FULLFSYNC"):
        fcntl.fcntl(file, fcntl.F_FULLFSYNC)
    else:
        os.fsync(file)


def _name_to_disk(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
