"""What hostile records may do, all their way: judged, folded, drained, taken by the sinks, encoded for each store.

`through` raises only where Daybook is wrong. tests/unit/test_fuzz.py feeds it with Hypothesis, tests/fuzz_atheris.py
with a coverage-guided fuzzer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

from events import RECEIVED_MS

import schemas
from schemas.codec import MAX_EVENT_BYTES, chunk_reader, reader
from schemas.receipt import Headers, judged_by
from schemas.rows import decode_daily, decode_rejected, encode_row
from schemas.topics import DAILY_SOURCES, LEDGER, SOURCES, VIEWS
from sinks.clickhouse import encode as clickhouse
from sinks.clickhouse import events as clickhouse_events
from sinks.intake import Taken, take
from sinks.postgres import encode as postgres
from sinks.redis import encode as redis
from streams.daily.core import Ledger
from streams.state import Pairs, Records

EXAMPLES = [
    line
    for name in ("events.jsonl", "older.jsonl")
    for line in (Path(schemas.__file__).parent / "examples" / name).read_bytes().splitlines()
]
TOPICS = [topic.name for topic in SOURCES]
_FOLDED = {topic.name for topic in DAILY_SOURCES}
_SUBJECT = re.compile(rb'"subject"\s*:\s*"([^"\\]*)"')
Hostile = tuple[bytes | None, bytes | None, Headers]
"""Key, value, headers."""


def key_of(raw: bytes) -> bytes:
    """The key that an honest client would send with these bytes, as far as it shows."""
    found = _SUBJECT.search(raw)
    return found[1] if found else b"u"


def through(topic: str, given: Sequence[Hostile], received_ms: int = RECEIVED_MS) -> int:
    """Send records the whole way; how many were accepted. Whatever a client wrote, nothing raises."""
    n = len(given)
    keys, values = [key for key, _, _ in given], [value for _, value, _ in given]
    headers = {offset: named for offset, (_, _, named) in enumerate(given) if named}
    times = judged_by(range(n), [received_ms] * n, headers)
    one_by_one = [reader(topic)(value, ms) for value, ms in zip(values, times, strict=True)]
    assert chunk_reader(topic)(values, times) == one_by_one

    taken = Taken()
    take(taken, topic, 3, [_record(offset, *one, received_ms) for offset, one in enumerate(given)])
    accepted = len(taken.batch.events)
    clickhouse_events.columns(taken.batch.events)
    if topic == VIEWS.name:
        assert accepted + len(taken.refused_views) == n
        _store([(b"", encode_row(row)) for row in taken.refused_views], "rejected")
    if topic in _FOLDED:
        ledger = Ledger()
        counts = ledger.fold(Records(topic, 3, range(n), [received_ms] * n, keys, values, headers))
        assert sum(counts) == n
        assert n - counts.rejected == accepted, "stream and sink take the same"
        drained = ledger.drain(1)
        assert len(drained.rows["rejected"]) == counts.rejected
        for name, rows in drained.rows.items():
            _store(rows, name)
        _remembered(ledger, drained.state)
    return accepted


def _record(offset: int, key: bytes | None, value: bytes | None, headers: Headers, received_ms: int) -> SimpleNamespace:
    return SimpleNamespace(offset=offset, timestamp=received_ms, key=key, value=value, headers=headers)


def _store(rows: Pairs, topic: str) -> None:
    """Read the rows back as the sinks do, and encode them for every store; texts must be what UTF-8 can say."""
    values = [value or b"" for _, value in rows]
    if topic == "rejected":
        refused = list(map(decode_rejected, values))
        for row in refused:
            assert len(row.raw or b"") <= MAX_EVENT_BYTES
            for text in postgres.rejected(row)[4:6]:
                assert "\x00" not in text
                text.encode()
        clickhouse.rejected(refused)
    elif topic == "daily":
        daily = list(map(decode_daily, values))
        list(postgres.staged(daily))
        clickhouse.daily(daily)
        for day in daily:
            redis.fields(day)


def _remembered(ledger: Ledger, state: Pairs) -> None:
    """What the changelog holds is what the sinks and the next owner read, and comes to the same days."""
    taken = Taken()
    records = [_record(offset, key, value, (), 0) for offset, (key, value) in enumerate(state)]
    take(taken, LEDGER.name, 3, records)
    assert not taken.unreadable
    clickhouse.entities(taken.batch.entities)
    again = Ledger()
    again.restore([key for key, _ in state], [value for _, value in state])
    for subject, user in ledger.users.items():
        assert set(again.users[subject].warm()) == set(user.warm())
