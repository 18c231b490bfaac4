"""The alerts as Prometheus reads them, and the page that tells people what to do."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from daybook.observe.alerts import GROUPS, Alert

RULES = "deploy/prometheus/rules.yml"
PAGE = "docs/how-to/alerts.md"

_RULES_HEAD = """# Written by `python -m daybook.observe` from daybook/observe/alerts.py: do not edit.
groups:
"""

_PAGE_HEAD = """# Alerts

What each alert means and what to do. Written by `python -m daybook.observe` from `daybook/observe/alerts.py`, as is
deploy/prometheus/rules.yml, which Prometheus loads; the metrics behind them: docs/reference/metrics.md, the ways to
look: docs/how-to/watch.md.

**critical**: somebody is woken, for what users see is wrong or stands still. **warning**: somebody looks today.
**info**: worth knowing when something else is odd. Send them where you like by the label `severity`.

The rules lean on the label `role` of every target. deploy/prometheus/prometheus.yml sets it for `docker-compose.yml`;
a Prometheus of your own must set it too. Where the numbers that this project promises give no threshold, it is a
choice: change it in `daybook/observe/alerts.py` and write the files again. deploy/prometheus/rules.test.yml tells
which series make an alert fire; `promtool test rules` (it comes with Prometheus) tries that, and so do the tests where
it is installed.
"""

_FILE = re.compile(r"(?:docs|deploy)(?:/[\w.-]+)+\.(?:md|yml)")
"""Files of the repository, as alerts name them: on the page they are links."""


def rules() -> str:
    """deploy/prometheus/rules.yml."""
    return _RULES_HEAD + "".join(
        f"  - name: daybook-{name}\n    rules:\n" + "".join(map(_rule, alerts)) for name, alerts in GROUPS.items()
    )


def _rule(alert: Alert) -> str:
    said = {"description": alert.means, "action": alert.do, "runbook": f"{PAGE}#{alert.name.lower()}"}
    return "".join(
        f"      - alert: {alert.name}\n"
        f"        expr: '{level.expr}'\n"
        f"        for: {level.lasts}\n"
        f"        labels: {{severity: {level.severity}}}\n"
        "        annotations:\n"
        + "".join(
            f"          {key}: {json.dumps(text, ensure_ascii=False)}\n"
            for key, text in {"summary": level.summary, **said}.items()
        )
        for level in alert.levels
    )


def page() -> str:
    """docs/how-to/alerts.md."""
    text = _PAGE_HEAD + "".join(
        f"\n## {name.capitalize()}\n" + "".join(map(_paragraph, alerts)) for name, alerts in GROUPS.items()
    )
    folder = Path(PAGE).parent
    return _FILE.sub(lambda at: f"[{Path(at[0]).name}]({Path(os.path.relpath(at[0], folder)).as_posix()})", text)


def _paragraph(alert: Alert) -> str:
    levels = "".join(
        f"| {level.severity} | `{level.expr.replace('|', chr(92) + '|')}` | {level.lasts} |\n" for level in alert.levels
    )
    return (
        f"\n### {alert.name}\n\n{alert.means}\n\n**Do:** {alert.do}\n\n"
        f"| level | when | for |\n| --- | --- | --- |\n{levels}"
    )
