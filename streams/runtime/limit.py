"""When a worker stops instead of draining a topic into `rejected`: too large a share refused, or too long a run. Pure.

A broken client fills `rejected`, and that is right. When most of a partition is refused, it is rather the schemas that
are wrong, and everybody's numbers with them: then one line and a stop are cheaper (the idea is DlqLimit of Sentry's
Arroyo). The tally is committed with the watermark, so starting the worker again changes nothing; an operator lets the
records pass that lie there (`daybook rejected allow`), by an offset, so what comes later is under the limit again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import NamedTuple

from schemas.rows import decode_rejected
from streams.state import Pairs, Records

RECENT = 10_000
LEAST = 2_000
"""No share is judged as if it were of fewer records than that."""


class Limit(NamedTuple):
    """What is too much."""

    share: float
    """Of the last 10,000 or so records of a source partition; 1 is never too much."""
    run: int
    """Records in a row; 0 is no limit."""


class Tally(NamedTuple):
    """What was refused lately of one source partition."""

    recent: int = 0
    rejected: int = 0
    run: int = 0
    """Refused in a row, up to the last record."""


class TooManyRefused(Exception):
    """More was refused than the limit allows; the text says where, what share, why, and how to go on."""


def allowance_group(app_id: str) -> str:
    """Consumer group whose committed offsets say up to where refusals were allowed; it outlives workers."""
    return f"{app_id}-rejects-allowed"


def tallied(limit: Limit, tally: Tally, records: Records, refused: Pairs, allowed: int) -> Tally:
    """The tally after these records, of which `refused` are (rows of `rejected`, by topic/partition/offset).

    Records before the offset `allowed` count for nothing, and what came before them neither. Raises TooManyRefused.
    """
    first = bisect_left(records.offsets, allowed)
    seen = len(records.offsets) - first
    if first:
        tally = Tally()
    if not refused:
        return _fading(Tally(tally.recent + seen, tally.rejected, 0 if seen else tally.run))
    bad = {int(key.rpartition(b"/")[2]) for key, _ in refused}
    run = tally.run
    for offset in records.offsets[first:]:
        run = run + 1 if offset in bad else 0
        if limit.run and run >= limit.run:
            raise TooManyRefused(_told(records, refused, offset, f"the last {run:,} events were all refused"))
    count = sum(offset >= allowed for offset in bad)
    now = Tally(tally.recent + seen, tally.rejected + count, run)
    if now.rejected > limit.share * max(now.recent, LEAST):
        what = f"{now.rejected:,} of the last {now.recent:,} events were refused ({now.rejected / now.recent:.0%})"
        raise TooManyRefused(_told(records, refused, records.offsets[-1], what))
    return _fading(now)


def _fading(tally: Tally) -> Tally:
    if tally.recent <= RECENT:
        return tally
    return Tally(tally.recent // 2, tally.rejected // 2, tally.run)


def _told(records: Records, refused: Pairs, offset: int, what: str) -> str:
    rows = [decode_rejected(row or b"") for _, row in refused]
    (reason, path), times = Counter((row.reason, row.path) for row in rows).most_common(1)[0]
    example = next(row.offset for row in rows if (row.reason, row.path) == (reason, path))
    here = f"{records.topic}/{records.partition}"
    return (
        f"{here}: {what}, up to offset {offset}; most often: {reason} at {path} ({times:,} of {len(rows):,}, first at "
        f"offset {example}). Nothing from offset {records.offsets[0]} on is committed. If the schemas are at fault, "
        f"start a version that takes these events; if the events are bad, let them go to the topic rejected: "
        f"daybook rejected allow {here}. Then start this worker again"
    )
