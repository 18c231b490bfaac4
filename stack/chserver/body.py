"""A request's body: undone from its content codings, however many frames it has, and spooled to disk.

A client may send each block as a frame of its own (clickhouse-connect does): the end of one frame is not the end of
the body. What is cut short within a frame is an error, never an end.
"""

import asyncio
import bz2
import lzma
import tempfile
import zlib
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import IO, Any

import lz4.frame
import zstandard
from aiohttp import StreamReader

from stack.chserver.errors import Code, ServerError

KEEP_IN_MEMORY = 4 << 20
"""Bytes of data that a request may hold in memory before they go to a file."""
_HEAD = 256 << 10  # max_query_size of ClickHouse: a statement ends within its first 256 KiB
OFFLOAD = 64 << 10
"""Bytes from which coding is another thread's work; fewer are done sooner than a thread is woken."""


_FAILURES = (zlib.error, OSError, EOFError, RuntimeError, lzma.LZMAError, zstandard.ZstdError)
_CODINGS: dict[str, tuple[Callable[[], Any], Code]] = {
    "gzip": (lambda: zlib.decompressobj(wbits=31), Code.ZLIB_INFLATE_FAILED),
    "deflate": (lambda: zlib.decompressobj(wbits=15), Code.ZLIB_INFLATE_FAILED),
    "lz4": (lz4.frame.LZ4FrameDecompressor, Code.LZ4_DECODER_FAILED),
    "zstd": (lambda: zstandard.ZstdDecompressor().decompressobj(), Code.ZSTD_DECODER_FAILED),
    "xz": (lzma.LZMADecompressor, Code.LZMA_STREAM_DECODER_FAILED),
    "bz2": (bz2.BZ2Decompressor, Code.BZIP2_STREAM_DECODER_FAILED),
}


class Decoder:
    """Undoes one content coding, frame after frame."""

    def __init__(self, coding: str) -> None:
        """``coding`` as in Content-Encoding; raises ServerError for one that is not known here."""
        if coding not in _CODINGS:
            message = f"Unknown compression method '{coding}'. Only {', '.join(_CODINGS)} are supported here"
            raise ServerError(Code.NOT_IMPLEMENTED, message)
        self._coding = coding
        self._make, self._code = _CODINGS[coding]
        self._frame: Any = None

    def feed(self, data: bytes) -> bytes:
        """Return what these bytes hold; raises ServerError where they are no such coding."""
        out = []
        try:
            while data:
                if self._frame is None:
                    self._frame = self._make()
                out.append(self._frame.decompress(data))
                if not self._frame.eof:
                    break
                data = self._frame.unused_data or b""
                self._frame = None
        except _FAILURES as error:
            raise ServerError(self._code, f"Cannot decompress the {self._coding} body: {error}") from error
        return b"".join(out)

    def finish(self) -> None:
        """Refuse a body that ends within a frame."""
        if self._frame is not None:
            raise ServerError(self._code, f"Cannot decompress the {self._coding} body: it ends within a frame")


class Body:
    """A body that is read once: its head to find the statement, the rest as the statement's data."""

    def __init__(self, content: StreamReader, coding: str, timeout_s: float) -> None:
        self._content = content
        self._decoder = Decoder(coding) if coding not in ("", "identity") else None
        self._timeout_s = timeout_s

    async def head(self) -> tuple[bytes, bool]:
        """The first 256 KiB or so, and whether that is all there is."""
        parts: list[bytes] = []
        size = 0
        while size <= _HEAD:
            piece = await self._next()
            if piece is None:
                return b"".join(parts), True
            parts.append(piece)
            size += len(piece)
        return b"".join(parts), False

    async def rest(self, at_most: int) -> bytes:
        """All that is left, as bytes; raises ServerError above ``at_most``."""
        parts: list[bytes] = []
        size = 0
        while (piece := await self._next()) is not None:
            parts.append(piece)
            size += len(piece)
            if size > at_most:
                raise ServerError(Code.QUERY_IS_TOO_LARGE, f"Query is larger than {at_most} bytes")
        return b"".join(parts)

    async def spool(self, first: bytes, folder: Path, workers: Executor) -> IO[bytes]:
        """All data, ``first`` and what is left, in a file that is wound back to its start; the caller closes it."""
        loop = asyncio.get_running_loop()
        file = tempfile.SpooledTemporaryFile(KEEP_IN_MEMORY, dir=str(folder))  # noqa: SIM115  the caller closes it
        try:
            file.write(first)
            while (raw := await self._raw()) is not None:
                if len(raw) < OFFLOAD:
                    file.write(self._decode(raw))
                else:
                    await loop.run_in_executor(workers, self._store, file, raw)
            self._finish()
            file.seek(0)
        except BaseException:
            file.close()
            raise
        return file

    def _store(self, file: IO[bytes], raw: bytes) -> None:
        file.write(self._decode(raw))

    async def _next(self) -> bytes | None:
        raw = await self._raw()
        if raw is None:
            self._finish()
            return None
        return self._decode(raw)

    async def _raw(self) -> bytes | None:
        async with asyncio.timeout(self._timeout_s):
            return await self._content.readany() or None

    def _decode(self, raw: bytes) -> bytes:
        return raw if self._decoder is None else self._decoder.feed(raw)

    def _finish(self) -> None:
        if self._decoder is not None:
            self._decoder.finish()
