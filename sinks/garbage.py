"""Python's cyclic collector, held back while a sink runs.

Rows are freed by counting references. The collector, set to look after every 700 new objects, walks a growing batch of
50,000 over and over for nothing, which is a good part of a row's price.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

THRESHOLDS = (200_000, 50, 100)


@contextmanager
def seldom() -> Iterator[None]:
    """Inside, the collector looks rarely; where it was switched off, it stays off."""
    before = gc.get_threshold()
    gc.set_threshold(*THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
