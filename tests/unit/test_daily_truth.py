"""Two readings of one design: the ledger and the plain batch pass of producers/truth.py, written apart, must agree."""

from __future__ import annotations

from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import msgspec
from events import RECEIVED_MS, encode, histories
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from producers import generate, truth
from schemas.codec import Rejected, decode
from schemas.families import FAMILIES
from schemas.rows import DailyRow, decode_daily
from schemas.tables import DAILY_COLUMNS
from streams.daily import contribution
from streams.daily.core import Ledger
from streams.state import Records

Rows = dict[tuple[str, str], dict[str, Any]]


def metrics(row: DailyRow) -> dict[str, Any]:
    return {c.name: plain(getattr(row, c.field)) for c in DAILY_COLUMNS[3:]}


def plain(value: Any) -> Any:
    """Structs as dicts."""
    if isinstance(value, dict):
        return {name: msgspec.structs.asdict(one) if isinstance(one, Struct) else one for name, one in value.items()}
    return value


def ledger_rows(raw: list[bytes], chunk: int = 500) -> Rows:
    """Fold as a worker does: by topic, in chunks, drained in between."""
    ledger = Ledger()
    by_topic: dict[str, list[tuple[bytes, bytes]]] = defaultdict(list)
    for value in raw:
        event = decode(value)
        key, topic = (b"?", "meals") if isinstance(event, Rejected) else (event.subject.encode(), topic_of(value))
        by_topic[topic].append((key, value))
    rows: Rows = {}
    for topic, records in by_topic.items():
        for at in range(0, len(records), chunk):
            part = records[at : at + chunk]
            n = len(part)
            ledger.fold(
                Records(topic, 0, range(at, at + n), [RECEIVED_MS] * n, [k for k, _ in part], [v for _, v in part])
            )
            for _, value in ledger.drain(at).rows["daily"]:
                row = decode_daily(value or b"")
                rows[row.user_id, row.date] = metrics(row)
    return {key: row for key, row in rows.items() if row["entities"] is not None}


def topic_of(value: bytes) -> str:
    return next(f for f in FAMILIES if f != "views" and not isinstance(decode(value, family=f), Rejected))


@given(histories)
def test_any_history_folds_to_what_the_plain_pass_says(history: list[dict[str, Any]]) -> None:
    raw = [encode(event) for event in history]
    assert ledger_rows(raw) == truth.daily_rows(raw)


def test_a_generated_population_folds_to_what_the_plain_pass_says() -> None:
    raw = list(generate.events(users=20, days=40, seed=5))
    assert len(raw) > 5_000
    assert ledger_rows(raw) == truth.daily_rows(raw)


@given(st.one_of(st.floats(0, 20_000), st.integers(0, 2 * 10**7 - 1).map(lambda n: (n + 0.5) / 1000)))
def test_the_fast_rounding_of_meals_is_round_half_to_even(value: float) -> None:
    meal = one_item(value)
    assert contribution.meal(meal)[0][:8] == round(value * 1000).to_bytes(8, "little")


def one_item(energy_kcal: float) -> Any:
    """A meal with one item, as decoded, without the schema's limits."""
    item = SimpleNamespace(energy_kcal=energy_kcal, protein_g=None, carbs_g=None, fat_g=None, fibre_g=None)
    return SimpleNamespace(items=[item], portion=1.0, meal_type="lunch", from_plan=False, planned_item=None)
