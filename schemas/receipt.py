"""When an event was received: by the broker's clock, and a replay by the clock of its first time (DESIGN §8 rule 4).

A replay names the first time in a header. Anybody can set a header, so it counts only where it makes the judge
stricter: earlier than the broker's append time. Whoever sets it gains nothing by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

HEADER = "daybook-received-ms"
"""Kafka header of a replay: milliseconds since 1970 in decimal digits."""
_MOST_DIGITS = 15

Headers = Iterable[tuple[str, bytes | None]]


def first_ms(append_ms: int, headers: Headers) -> int | None:
    """The earliest time before `append_ms` that the headers name; None if they name none. Whatever else stands there
    is somebody else's.

    >>> first_ms(1000, [("traceparent", b"00-af"), ("daybook-received-ms", b"900")])
    900
    >>> first_ms(1000, [("daybook-received-ms", b"1001"), ("daybook-received-ms", b"-1")]) is None
    True
    """
    named = [
        int(value)
        for name, value in headers
        if name == HEADER and value is not None and value.isdigit() and len(value) <= _MOST_DIGITS
    ]
    earlier = [ms for ms in named if ms < append_ms]
    return min(earlier, default=None)


def judged_by(offsets: Sequence[int], append_ms: Sequence[int], headers: Mapping[int, Headers]) -> Sequence[int]:
    """The times that records are judged by; `headers` by offset, only of records that have any."""
    if not headers:
        return append_ms
    judged = list(append_ms)
    for i, offset in enumerate(offsets):
        if (named := headers.get(offset)) and (first := first_ms(append_ms[i], named)) is not None:
            judged[i] = first
    return judged


def header(ms: int) -> tuple[str, bytes]:
    """What a replay carries.

    >>> header(900)
    ('daybook-received-ms', b'900')
    """
    return HEADER, str(ms).encode()
