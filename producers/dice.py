"""Random numbers that roll the same on every machine and every Python.

Only `Random.random()` is drawn from: it alone is promised to bring the same sequence for the same seed for ever
(docs of the module random, "Notes on Reproducibility"); choice, shuffle, gauss and the rest have changed before.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from random import Random
from typing import TypeVar

T = TypeVar("T")


def dice(*what: object) -> Random:
    """Dice of their own for whatever is named, such as (seed, user, day): no draw here moves any draw elsewhere."""
    digest = blake2b("/".join(map(str, what)).encode(), digest_size=8).digest()
    return Random(int.from_bytes(digest, "big"))


def pick(rng: Random, sequence: Sequence[T]) -> T:
    """One of them, each as likely."""
    return sequence[int(rng.random() * len(sequence))]


def between(rng: Random, low: int, high: int) -> int:
    """A whole number, low and high included."""
    return low + int(rng.random() * (high - low + 1))
