"""A request's body, unpacked as it comes (RFC 9110 §8.4): never more in memory than its limit."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Protocol

import zstandard

from api.problems import Problem

_WINDOW_BYTES = 8 << 20
"""What a zstd frame may ask for, the least that a decoder must offer (RFC 8878 §3.1.1.1.2)."""
_GZIP = 16 + zlib.MAX_WBITS


class _Unpack(Protocol):
    def feed(self, data: bytes, room: int) -> bytes:
        """What these bytes come to, at most `room` bytes of it. Raises ValueError if they are not what they say."""

    def is_whole(self) -> bool:
        """Whether nothing is cut off."""


class Body:
    """Takes a body in pieces. Raises Problem: 413 beyond the limit, 400 for what does not unpack, 415 for a coding that
    is not known."""

    def __init__(self, coding: str, limit: int) -> None:
        """`coding`: the header Content-Encoding. `limit`: bytes, before and after unpacking."""
        makers: dict[str, Callable[[], _Unpack]] = {
            "": _Plain,
            "identity": _Plain,
            "gzip": _Gzip,
            "x-gzip": _Gzip,
            "zstd": _Zstd,
        }
        make = makers.get(coding.strip().lower())
        if make is None:
            raise Problem(415, "Content-Encoding must be gzip, zstd or identity", {"Accept-Encoding": "gzip, zstd"})
        self._unpack: _Unpack = make()
        self._coding, self._limit, self._came = coding, limit, 0
        self._parts: list[bytes] = []
        self.size = 0
        """Bytes so far, unpacked."""

    def feed(self, piece: bytes) -> int:
        """Take a piece; returns by how many bytes the body grew."""
        self._came += len(piece)
        if self._came > self._limit:
            raise self._too_much()
        try:
            found = self._unpack.feed(piece, self._limit + 1 - self.size)
        except ValueError:
            raise self._damaged() from None
        self.size += len(found)
        if self.size > self._limit:
            raise self._too_much()
        self._parts.append(found)
        return len(found)

    def whole(self) -> bytes:
        """The body, once all pieces have come."""
        if self._came and not self._unpack.is_whole():
            raise self._damaged()
        return b"".join(self._parts)

    def _too_much(self) -> Problem:
        return Problem(413, f"a body has at most {self._limit} bytes, packed or unpacked: send less at a time")

    def _damaged(self) -> Problem:
        return Problem(400, f"the body is not what Content-Encoding: {self._coding.strip().lower()} says")


class _Plain:
    def feed(self, data: bytes, room: int) -> bytes:
        return data

    def is_whole(self) -> bool:
        return True


class _Gzip:
    """Members one after another, as RFC 1952 §2.2 allows."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP)

    def feed(self, data: bytes, room: int) -> bytes:
        found: list[bytes] = []
        try:
            while data and room > 0:
                if self._member.eof:
                    self._member = zlib.decompressobj(_GZIP)
                found.append(self._member.decompress(data, room))
                room -= len(found[-1])
                data = self._member.unconsumed_tail or self._member.unused_data
        except zlib.error as why:
            raise ValueError("no gzip") from why
        return b"".join(found)

    def is_whole(self) -> bool:
        return self._member.eof


class _Zstd:
    """Frames one after another, as RFC 8878 §3.1 allows. Fed in small steps, so that a step cannot come to much."""

    def __init__(self) -> None:
        self._decoder = zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES)
        self._frame = self._decoder.decompressobj()

    def feed(self, data: bytes, room: int) -> bytes:
        found: list[bytes] = []
        try:
            while data and room > 0:
                if self._frame.eof:
                    self._frame = self._decoder.decompressobj()
                step, data = data[:_STEP_PACKED], data[_STEP_PACKED:]
                found.append(self._frame.decompress(step))
                room -= len(found[-1])
                data = self._frame.unused_data + data
        except zstandard.ZstdError as why:
            raise ValueError("no zstd") from why
        return b"".join(found)

    def is_whole(self) -> bool:
        return self._frame.eof


_STEP_PACKED = 64
"""One RLE block of 4 bytes comes to at most 128 KiB (RFC 8878 §3.1.1.2.4): so a step to at most 2 MiB."""
