"""How rows leave: out of the engine through a named pipe, buffered a little, coded, in ClickHouse's own framing.

The engine itself writes the format (`INTO OUTFILE` a FIFO), so every format is whole however long the result is, and
a slow client slows the query instead of filling memory. The first MiB is held back: a statement that fails within it
is answered with a proper status, as ClickHouse does; one that fails later ends in its exception block.
"""

import asyncio
import os
import secrets
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lz4.frame
import zstandard

_PIECE = 1 << 20
_TYPES = {
    "application/json; charset=UTF-8": ("JSON", "JSONCompact", "JSONStrings", "JSONCompactStrings", "JSONColumns"),
    "application/x-ndjson; charset=UTF-8": ("JSONEachRow", "JSONLines", "NDJSON", "JSONStringsEachRow"),
    "text/csv; charset=UTF-8; header=absent": ("CSV",),
    "text/csv; charset=UTF-8; header=present": ("CSVWithNames", "CSVWithNamesAndTypes"),
    "text/tab-separated-values; charset=UTF-8": ("TabSeparated", "TSV", "TabSeparatedWithNames", "TSVWithNames"),
    "application/octet-stream": ("Native", "RowBinary", "Parquet", "ORC", "RowBinaryWithNamesAndTypes"),
    "application/vnd.apache.arrow.stream": ("ArrowStream",),
    "application/vnd.apache.arrow.file": ("Arrow",),
}
_TYPE_OF = {format: mime for mime, formats in _TYPES.items() for format in formats}


def content_type(format: str) -> str:
    """The Content-Type that ClickHouse gives a format."""
    return _TYPE_OF.get(format, "text/plain; charset=UTF-8")


class Pipe:
    """A named pipe that the engine writes and the event loop reads."""

    def __init__(self, folder: Path) -> None:
        self.name = f"rows-{secrets.token_hex(8)}"
        self.path = str(folder / self.name)
        self.abandoned = False
        os.mkfifo(self.path, 0o600)
        self._read_end = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        # Held open, so that no reading ends before the engine has opened its end.
        self._write_end = os.open(self.path, os.O_WRONLY)

    async def read(self) -> bytes:
        """The next bytes; none when the engine has closed its end and the writer is done."""
        while True:
            try:
                return os.read(self._read_end, _PIECE)
            except BlockingIOError:
                await self._readable()

    def end(self) -> None:
        """Nothing more will be written; called once, from the thread that ran the statement."""
        os.close(self._write_end)
        Path(self.path).unlink(missing_ok=True)

    async def drain(self) -> None:
        """Read to the end and close, so that the engine never waits for a reader that is gone."""
        self.abandoned = True
        while await self.read():
            pass
        os.close(self._read_end)

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self._read_end, _settle, ready)
        try:
            await ready
        finally:
            loop.remove_reader(self._read_end)


def _settle(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


class Encoder:
    """Applies one content coding to a response, piece by piece, as one frame."""

    def __init__(self, coding: str | None) -> None:
        self.coding = coding
        makers: dict[str | None, Callable[[], Any]] = {
            "zstd": lambda: zstandard.ZstdCompressor(level=1).compressobj(),
            "lz4": _Lz4,
            "gzip": lambda: zlib.compressobj(3, wbits=31),
            "deflate": lambda: zlib.compressobj(3, wbits=15),
            None: _Plain,
        }
        self._coder = makers[coding]()

    def encode(self, data: bytes | bytearray) -> bytes:
        """The coded form of the next bytes, as far as it can be told yet."""
        coded: bytes = self._coder.compress(data)
        return coded

    def finish(self) -> bytes:
        """What closes the frame."""
        coded: bytes = self._coder.flush()
        return coded


def choose_coding(accepted: str) -> str | None:
    """The coding that ClickHouse prefers among those of an Accept-Encoding header."""
    return next((coding for coding in ("zstd", "lz4", "gzip", "deflate") if coding in accepted), None)


def exception_block(tag: str, message: str) -> bytes:
    """What ends a response whose status was sent before its statement failed (ClickHouse 25.11 and later)."""
    text = message.encode() + b"\n"
    mark = tag.encode()
    return b"\r\n__exception__\r\n%s\r\n%s%d %s\r\n__exception__\r\n" % (mark, text, len(text), mark)


class _Lz4:
    def __init__(self) -> None:
        self._frame = lz4.frame.LZ4FrameCompressor()
        self._begun = False

    def compress(self, data: bytes) -> bytes:
        begin = b"" if self._begun else self._frame.begin()
        self._begun = True
        coded: bytes = begin + self._frame.compress(data)
        return coded

    def flush(self) -> bytes:
        return (b"" if self._begun else self.compress(b"")) + bytes(self._frame.flush())


class _Plain:
    def compress(self, data: bytes) -> bytes:
        return bytes(data)

    def flush(self) -> bytes:
        return b""
