"""Write every file anew: `python -m daybook.observe [ROOT]`."""

from __future__ import annotations

import sys
from pathlib import Path

from daybook.observe import chart
from daybook.observe.dashboards import dashboards
from daybook.observe.rules import PAGE, RULES, page, rules
from daybook.observe.scraping import PROMETHEUS, prometheus


def files() -> dict[str, str]:
    """Path below the repository → what stands there."""
    made = {RULES: rules(), PAGE: page(), PROMETHEUS: prometheus(), **dashboards()}
    return made | {chart.ROLES: chart.roles(), chart.RULES: made[RULES]}


def write(root: Path) -> None:
    """Write them all."""
    for path, text in files().items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path())
