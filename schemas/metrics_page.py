"""docs/reference/metrics.md, written from the list: `python -m schemas.metrics_page docs/reference/metrics.md`."""

from __future__ import annotations

import sys
from pathlib import Path

from schemas.metrics import METRICS, Metric

_HEAD = """# Metrics

Each worker serves these for Prometheus; `daybook status` names the addresses. Written from `schemas/metrics.py` by
`python -m schemas.metrics_page docs/reference/metrics.md`; what they are good for: [watch](../how-to/watch.md).

Counters of events and hints come from the committed state, so they survive restarts; all others count from the start of
the process. A partition is owned by one worker at a time: sum over workers.

| metric | type | unit | roles | labels | meaning |
| --- | --- | --- | --- | --- | --- |
"""


def page() -> str:
    """The whole page."""
    return _HEAD + "".join(map(_row, METRICS))


def _row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels) or "–"
    return (
        f"| `{metric.name}` | {metric.kind} | {metric.unit} | {', '.join(metric.roles)} | {labels} | {metric.help} |\n"
    )


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
