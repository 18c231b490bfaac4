"""docs/metrics.md says what the code computes."""

from __future__ import annotations

import msgspec

from daybook.metrics_page import PAGE, page
from schemas.ledger import KIND_OF_TYPE
from schemas.tables import DAILY_METRICS
from streams.daily.metrics import METRICS
from streams.progress.metrics import MEANINGS


def test_every_metric_is_defined_once_and_in_order() -> None:
    assert tuple(METRICS) == DAILY_METRICS
    for name, metric in METRICS.items():
        known = {value for kind in metric.types for value in KIND_OF_TYPE[kind].values}
        assert metric.value is None or metric.value in known, name


def test_every_field_of_progress_is_defined_once_and_in_order() -> None:
    for part, meanings in MEANINGS.items():
        fields = [field.name for field in msgspec.structs.fields(part)]
        assert [name for name in fields if name not in ("user_id", "version")] == list(meanings)


def test_the_page_is_what_the_code_says_now() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m daybook.metrics_page"
