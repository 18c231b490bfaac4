"""What operators are told in lines: of a partition's chunks, of a sink's batches, and of all that the metrics say."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from typing import Any

import pytest

from daybook import looking
from daybook.observe import logs
from daybook.scrape import Sample
from schemas.positions import Position
from sinks.batch import Batch
from sinks.intake import Taken
from sinks.tally import Tally
from streams.runtime.chunklog import ChunkLog


def at(next_offset: int, received: int) -> Position:
    return Position(1, 1, "id", next_offset, received=received)


async def test_a_partition_tells_its_first_commit_at_once_and_sums_up_the_next(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    told = ChunkLog("daybook-daily", 3, every_s=0.2)
    told.add({"meals": at(10, 10)}, {"meals": at(15, 14)}, 1, 7, 0.002)
    told.add({"meals": at(15, 14)}, {"meals": at(16, 15)}, 1, 1, 0.004)
    await asyncio.sleep(0.01)
    for n in range(16, 26):
        told.add({"meals": at(n, n - 1)}, {"meals": at(n + 1, n)}, 1, 2, 0.001)
    told.add({}, {"hints": at(5, 0)}, 0, 0, 0.0)  # first seen: nothing of it is known to be new
    assert len(caplog.records) == 1
    while len(caplog.records) < 2:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    first, second = caplog.records
    assert first.getMessage() == "daybook-daily/3: 5 events, 8 rows in 2 transactions of 3 ms: meals 10-15"
    assert vars(first)["offsets"] == {"meals": [10, 15]}
    assert vars(second)["offsets"] == {"meals": [16, 25]}
    assert (vars(second)["events"], vars(second)["rows"], vars(second)["transactions"]) == (10, 20, 11)
    await asyncio.sleep(0.3)
    assert len(caplog.records) == 2, "who does nothing says nothing"


def test_a_sink_tells_which_offsets_it_stored(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    tally = Tally("redis", every_s=3_600)
    for first, last in ((3, 5), (6, 9)):
        taken = Taken(batch=Batch(), records=4, offsets={("daily", 1): (first, last)})
        tally.add(taken, 0, 0.01)
        tally.say_if_due(0)
    assert [vars(record)["offsets"] for record in caplog.records] == [{"daily/1": [3, 5]}], "the second waits"
    tally.say(0)
    assert vars(caplog.records[1])["offsets"] == {"daily/1": [6, 9]}
    assert caplog.records[1].getMessage().endswith(": daily/1 6-9")


def test_a_line_of_json_has_what_the_line_says_as_fields(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before, level, hook = root.handlers[:], root.level, sys.excepthook
    try:
        logs.configure("json")
        logging.getLogger("daybook.x").info("%d rows", 7, extra={"rows": 7, "offsets": {"daily/1": [3, 5]}})
        logging.getLogger("daybook.x").warning(
            "no: %s", "postgresql://me:hunter2@pg", extra={"at_url": ["a:b://c:pw@d"]}
        )
        try:
            raise ValueError("broken")
        except ValueError:
            logging.getLogger("daybook.x").exception("it ends")
    finally:
        root.handlers[:], root.level, sys.excepthook = before, level, hook
    fine, hidden, bad = map(json.loads, capsys.readouterr().err.splitlines())
    assert fine.pop("at").endswith("Z")
    said = {"message": "7 rows", "rows": 7, "offsets": {"daily/1": [3, 5]}}
    assert fine == {"level": "info", "logger": "daybook.x", **said}
    assert (hidden["message"], hidden["at_url"]) == ("no: postgresql://me:***@pg", ["a:b://c:***@d"])
    assert "ValueError: broken" in bad["exception"], "one line, the trace in it"


def samples(**values: float) -> dict[str, list[Sample]]:
    return {name: [Sample({}, value)] for name, value in values.items()}


def test_status_says_what_the_metrics_say_and_nothing_where_nobody_tells() -> None:
    unknown = {**looking.told({}), "at_ms": 10_000, "refused": None, "erasures": None, "roles": []}
    assert looking.lines(unknown) == []
    metrics: dict[str, Any] = {
        "streams": {
            "daybook_events_total": [Sample({"outcome": "applied"}, 1_200.0), Sample({"outcome": "rejected"}, 3.0)],
            **samples(daybook_lag_seconds=0.25, daybook_events_pending=2.0),
        },
        "redis": {"daybook_store_up": [Sample({"store": "redis"}, 0.0)], **samples(daybook_lag_seconds=7.5)},
        "postgres": {
            "daybook_store_up": [Sample({"store": "postgres"}, 1.0)],
            **samples(daybook_rows_set_aside_total=2.0),
        },
        "audit": {
            "daybook_freshness_last_seconds": [Sample({"store": "redis"}, 0.31)],
            **samples(daybook_audit_open=1.0, daybook_audit_days_total=900.0, daybook_keep_passed_seconds=4.0),
        },
        "api": samples(
            daybook_ingest_spooled_events=5.0,
            daybook_ingest_spool_bytes=700.0,
            daybook_ingest_spool_limit_bytes=1_000.0,
            daybook_ingest_spool_damaged_bytes=0.0,
        ),
    }
    erasures = {"finished": 4, "unfinished": 1}
    found = {**looking.told(metrics), "at_ms": 10_000, "refused": None, "erasures": erasures, "roles": []}
    assert looking.lines(found) == [
        "events: 1,200 applied, 0 duplicate, 0 superseded, 3 rejected, 2 wait for old days",
        "lag: 7.5 s at most (redis)",
        "freshness of the last canary: redis 0.31 s",
        "stores: redis away, 2 rows set aside",
        "audit: 1 cells wrong now, 0 found in 900 days, 0 canaries lost",
        "spool: 5 events, 700 of 1,000 bytes, 0 damaged",
        "keep: passed 6 s ago, 0 rows dropped since the audit began",
        "erasures: 1 begun and not finished, 4 finished",
    ]
