"""What of a trace travels with records (W3C Trace Context: w3.org/TR/trace-context), and what processes do with it.

A sampled request's events carry one header. A chunk that holds such events is folded under one span, whose parent is
the first of them and which is linked to the others; so are the transaction and each sink's batch. No event has a span.
Traces are off unless a process is given a `Tracing` (daybook/observe/tracing.py makes one): nobody looks at a header.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

HEADER = "traceparent"
"""Name of the header, in Kafka as in HTTP."""
MOST = 32
"""So many spans one span follows; of more, the first."""

_SAMPLED = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f][13579bdf]")

Attributes = Mapping[str, str | int | float]
Headers = Iterable[tuple[str, bytes | None]]


class Span(Protocol):
    """Something that takes time."""

    @property
    def traceparent(self) -> bytes:
        """What follows it says this."""

    def end(self, attributes: Attributes | None = None, *, error: str | None = None) -> None:
        """It has ended now."""


class Tracing(Protocol):
    """Makes spans and sends them away. Nothing here raises, and nothing waits."""

    def begin(self, name: str, attributes: Attributes) -> Span | None:
        """A trace begins; None: this one is not sampled."""

    def follow(self, name: str, after: Sequence[bytes], attributes: Attributes) -> Span:
        """A span after others: within the trace of the first, linked to all others. `after`: from `told` or a Span."""


def told(each: Iterable[Headers]) -> list[bytes]:
    """The sampled spans that the headers of some records name, each once, in their order.

    >>> told([[("traceparent", b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01")], [("traceparent", b"no"), ("x", None)]])
    [b'00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bbbbbbbbbbbbbbbb-01']
    """
    found: dict[bytes, None] = {}
    for headers in each:
        for name, value in headers:
            if name == HEADER and value is not None and value not in found and _SAMPLED.fullmatch(value):
                found[value] = None
                if len(found) == MOST:
                    return list(found)
    return list(found)
