"""Two readings of one design: the ledger and the plain batch pass of producers/truth.py, written apart, must agree."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from day_kit import ledger_rows
from events import encode, histories
from hypothesis import given
from hypothesis import strategies as st

from producers import generate, truth
from streams.daily import contribution


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
