"""What the Helm chart (deploy/chart) takes from the code: the roles, and the consumer group of each that has one."""

from __future__ import annotations

from daybook import waiting
from daybook.observe.scraping import API_PORT, METRICS_PORT
from daybook.sinking import groups
from daybook.workers import KNOWN

ROLES = "deploy/chart/files/roles.yaml"
RULES = "deploy/chart/files/rules.yml"
"""A copy: a chart reads no file outside its folder."""

_STREAMS = {
    "streams": waiting.DAILY_STREAM,
    "progress": waiting.PROGRESS_STREAM,
    "trending": waiting.TRENDING_STREAM,
    "lists": waiting.LISTS_STREAM,
    "affinity": waiting.AFFINITY_STREAM,
    "loader": waiting.LOADER,
}
ALONE = ("audit", "loader")
"""One of each is enough, and more than one audit would audit twice."""


def roles() -> str:
    """deploy/chart/files/roles.yaml."""
    told = {role: group.id for role, group in {**_STREAMS, **groups()}.items()}
    lines = ["# Written by `python -m daybook.observe`: do not edit."]
    for role in KNOWN:
        said = [f"port: {API_PORT if role == 'api' else METRICS_PORT}"]
        if role in told:
            said.append(f"group: {told[role]}")
        said.append(f"scales: {'false' if role in ALONE or role == 'api' else 'true'}")
        lines.append(f"{role}: {{{', '.join(said)}}}")
    return "\n".join(lines) + "\n"
