"""A user's own events: JSON lines in, a verdict for every line, the accepted ones published as they were written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from producers.publish import Published, Record, publish_records
from schemas.codec import MAX_AHEAD_MS, Rejected, decode, type_name
from schemas.families import FAMILY_OF
from schemas.instants import parse_instant

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one line: a record to send, or the reason why not."""

    line: int
    """From 1, as editors count."""
    outcome: Record | Rejected

    @property
    def accepted(self) -> bool:
        return isinstance(self.outcome, Record)


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of all lines."""

    accepted: int
    refused: int
    published: Published


def judge(lines: Iterable[bytes], *, now_ms: int) -> Iterator[Verdict]:
    """Judge lines one by one; blank lines are skipped but counted. Reads no further than it is asked to.

    `now_ms`: the sender's clock in ms since 1970; Kafka's own decides in the end (DESIGN §4).
    """
    for number, line in enumerate(lines, start=1):
        event = line.removeprefix(_BYTE_ORDER_MARK).strip() if number == 1 else line.strip()
        if event:
            yield Verdict(number, judge_one(event, now_ms=now_ms))


def judge_one(raw: bytes, *, now_ms: int) -> Record | Rejected:
    """One event as it will be sent, its bytes untouched; or why it is refused, and where in it."""
    event = decode(raw)
    if isinstance(event, Rejected):
        return event
    if parse_instant(event.time).ms > now_ms + MAX_AHEAD_MS:
        return Rejected("time is more than 24 h ahead of this machine's clock", "$.time")
    return Record(FAMILY_OF[type_name(event)], event.subject.encode(), raw)


def send(
    kafka: str,
    lines: Iterable[bytes],
    *,
    now_ms: int,
    on_verdict: Callable[[Verdict], None] | None = None,
    rate: float | None = None,
) -> Sent:
    """Judge lines and publish the accepted ones; the refused ones stop nothing. Raises PublishError as `publish` does.

    `on_verdict` gets every line's verdict, in the order of the lines, before its event is acknowledged.
    """
    refused = 0

    def accepted() -> Iterator[Record]:
        nonlocal refused
        for verdict in judge(lines, now_ms=now_ms):
            if on_verdict is not None:
                on_verdict(verdict)
            if isinstance(verdict.outcome, Record):
                yield verdict.outcome
            else:
                refused += 1

    published = publish_records(kafka, accepted(), rate=rate)
    return Sent(published.events, refused, published)
