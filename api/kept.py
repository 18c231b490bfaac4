"""The latest answers, for when no store answers (RFC 5861's stale-if-error). Pure; bounded by bytes, number and age."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import Any

import msgspec

_packed = msgspec.msgpack.Encoder(order="deterministic").encode
ENTRY_BYTES = 300
"""What an answer takes besides its body: its key, its time, its place in a dict."""


class Kept:
    """Answers by what was asked: the latest, up to so many and so many bytes of them. What was asked is kept as a
    digest, since questions may be longer than answers."""

    def __init__(self, most: int = 10_000, most_bytes: int = 32 << 20, seconds: float = 3_600.0) -> None:
        """`seconds`: how old an answer may be."""
        self._most, self._most_bytes, self._seconds = most, most_bytes, seconds
        self._answers: OrderedDict[bytes, tuple[float, bytes]] = OrderedDict()
        self.bytes = 0
        """What they take now, about."""

    def put(self, asked: Any, body: bytes, now: float) -> None:
        """Keep an answer's body; `asked`: whatever msgpack can say; `now` in seconds of any clock."""
        key = _key(asked)
        if (before := self._answers.pop(key, None)) is not None:
            self.bytes -= len(before[1]) + ENTRY_BYTES
        self._answers[key] = (now, body)
        self.bytes += len(body) + ENTRY_BYTES
        while len(self._answers) > self._most or self.bytes > self._most_bytes:
            _, (_, oldest) = self._answers.popitem(last=False)
            self.bytes -= len(oldest) + ENTRY_BYTES

    def get(self, asked: Any, now: float) -> tuple[float, bytes] | None:
        """How many seconds old the answer is, and its body; None if there is none that may be given."""
        found = self._answers.get(_key(asked))
        if found is None or now - found[0] > self._seconds:
            return None
        return now - found[0], found[1]


def _key(asked: Any) -> bytes:
    return hashlib.blake2b(_packed(asked), digest_size=16).digest()
