"""What was accepted a short while ago, in memory that does not grow. Pure.

A table of buckets, as the caches of processors are made: a digest belongs into one bucket, which holds the newest few
and forgets its oldest. A dict of them takes many times the memory, and grows until it is full.
"""

from __future__ import annotations

from collections.abc import Iterable

DIGEST_BYTES = 16
WAYS = 8
"""Digests of a bucket. Of the latest quarter of all that fit, about one in a thousand is forgotten: a Poisson variable
of mean WAYS / 4 is WAYS or more that often."""


class Known:
    """The digests of events that are stored, the latest ones: no more than `most`, and hardly fewer than a quarter."""

    def __init__(self, most: int = 262_144) -> None:
        """`most`: rounded up to whole buckets; 16 bytes of memory each, from the start."""
        self._buckets = max(1, -(-most // WAYS))
        self._table = bytearray(self._buckets * WAYS * DIGEST_BYTES)

    def __contains__(self, digest: bytes) -> bool:
        start = self._start(digest)
        return self._table.find(digest, start, start + WAYS * DIGEST_BYTES) >= 0

    def add(self, digests: Iterable[bytes]) -> None:
        """Remember digests of DIGEST_BYTES each; the oldest of their buckets are forgotten."""
        size, kept = WAYS * DIGEST_BYTES, (WAYS - 1) * DIGEST_BYTES
        for digest in digests:
            start = self._start(digest)
            self._table[start : start + size] = digest + self._table[start : start + kept]

    def _start(self, digest: bytes) -> int:
        return int.from_bytes(digest[:4]) % self._buckets * (WAYS * DIGEST_BYTES)
