"""The most extreme events that the schemas take, and the strangest that they refuse, are stored by every store."""

from __future__ import annotations

import json
import uuid
from typing import Any

import clickhouse_connect
import psycopg
import pytest
from conftest import RunningStack
from fuzz_ways import EXAMPLES

import sinks
from schemas.codec import Rejected, reader
from schemas.families import FAMILY_OF
from schemas.refusal import filed
from schemas.rows import RejectedRow, decode_daily, decode_rejected
from schemas.topics import DAILY_SOURCES
from sinks import aside
from sinks.batch import Batch, EventRow
from sinks.migrate import migrate
from streams.daily.core import Ledger
from streams.state import Records

NOW_MS = 1_900_000_000_000
TEXT = "'\"\\\n\r\t\u2028\u202e\ufeff\U0010ffff{}%s$1;--\x01\x7f"


def extremes(subject: str) -> list[bytes]:
    """Every event with its texts, times and numbers at the edge of what is allowed."""
    found = []
    for raw in EXAMPLES:
        event = json.loads(raw)
        event |= {
            "subject": subject,
            "id": f"{TEXT}{len(found)}",
            "source": "\\" * 200,
            "sentat": "9999-12-31T23:59:59-23:59",
        }
        event |= {
            "entity": f"{len(found)}{TEXT}",
            "revision": 2_147_483_647,
            "time": "1970-01-02T00:00:00.999999999+14:00",
        }
        event["data"] = {name: _extreme(name, value) for name, value in event["data"].items()}
        found.append(json.dumps(event).encode())
    return found


def _extreme(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {inner: _extreme(inner, item) for inner, item in value.items()}
    if isinstance(value, list):
        return [_extreme(name, item) for item in value] if value and isinstance(value[0], dict) else value
    edges = {
        "effective_from": "0001-01-01",
        "effective_until": "9999-12-31",
        "name": TEXT,
        "exercise": TEXT,
        "portion": 2,
    }
    edges |= {
        "reps": 100_000,
        "load_kg": 100_000,
        "duration_s": 1e7,
        "energy_kcal": 1e5,
        "weight_kg": 5e-324,
        "rating": 1,
    }
    return edges.get(name, value)


@pytest.mark.parametrize("role", sinks.ROLES)
async def test_no_store_refuses_what_the_schemas_take_or_what_refusals_hold(stack: RunningStack, role: str) -> None:
    await migrate(stack.endpoints.postgres, stack.endpoints.clickhouse)
    subject = f"{uuid.uuid4().hex}{TEXT}"
    batch = Batch()
    for topic in DAILY_SOURCES:
        raws = [raw for raw in extremes(subject) if FAMILY_OF[json.loads(raw)["type"]] == topic.name]
        judged = [reader(topic.name)(raw, NOW_MS) for raw in raws]
        accepted = [(raw, got) for raw, got in zip(raws, judged, strict=True) if not isinstance(got, Rejected)]
        assert accepted, judged
        batch.events += [EventRow(topic.name, 0, n, NOW_MS, raw, *got) for n, (raw, got) in enumerate(accepted)]
        ledger = Ledger()
        n = len(raws)
        ledger.fold(Records(topic.name, 0, range(n), [NOW_MS] * n, [subject.encode()] * n, raws))
        rows = ledger.drain(1).rows
        batch.daily += [decode_daily(value or b"") for _, value in rows["daily"]]
        batch.rejected += [decode_rejected(value or b"") for _, value in rows["rejected"]]
    strange = Rejected(f"reason \x00{TEXT}", f"$.\x00{TEXT}")
    batch.rejected.append(filed(strange, subject, 2**31 - 1, 2**62, NOW_MS, b"\xff\x00" * 9, b"\xff\x00"))
    sink = sinks.build(role, getattr(stack.endpoints, role))
    await sink.open()
    try:
        assert await aside.write(sink, batch) == []
    finally:
        await sink.close()
    if role == "clickhouse":
        client = clickhouse_connect.get_client(dsn=stack.endpoints.clickhouse, autogenerate_session_id=False)
        found = client.query("SELECT count() FROM events WHERE subject = {s:String}", parameters={"s": subject})
        assert found.result_rows[0][0] == len(batch.events)
    if role == "postgres":
        with psycopg.connect(stack.endpoints.postgres) as connection:
            kept = connection.execute("SELECT raw, key FROM rejected WHERE topic = %s", (subject,)).fetchone()
        assert kept == (b"\xff\x00" * 9, b"\xff\x00")
        assert isinstance(batch.rejected[-1], RejectedRow)
