"""Panels of Grafana: what a metric looks like by its kind, and how panels lie on a board."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from schemas.metrics import Metric

DATASOURCE = {"type": "prometheus", "uid": "daybook"}
"""As deploy/grafana/provisioning names it."""
_WIDTH, _COLUMNS, _HEIGHT = 24, 3, 7
_UNITS = {"seconds": "s", "unix seconds": "s", "bytes": "bytes", "share": "percentunit"}
"""Grafana's ids of units, where it has one."""


class Line(NamedTuple):
    """One question of a panel."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel: lines over time, or only their latest values."""

    title: str
    lines: tuple[Line, ...]
    unit: str = "short"
    about: str = ""
    red_from: float | None = None
    """From where its values are drawn red."""
    only_latest: bool = False


class Row(NamedTuple):
    """Panels under one title."""

    title: str
    panels: Sequence[Panel]


def of_metric(metric: Metric) -> Panel:
    """A metric's own panel: a counter's rate, a gauge's highest value, a histogram's median and tail.

    >>> from schemas.metrics import BY_NAME
    >>> of_metric(BY_NAME["daybook_records_total"]).lines
    (Line(expr='sum by (role, topic) (rate(daybook_records_total[$__rate_interval]))', legend='{{role}} {{topic}}'),)
    """
    kept = [label for label in metric.labels if label != "partition"]
    by = ", ".join(["role", *kept])
    legend = " ".join(f"{{{{{label}}}}}" for label in ["role", *kept])
    unit, name = _UNITS.get(metric.unit, "short"), metric.name
    match metric.kind:
        case "counter":
            lines = [Line(f"sum by ({by}) (rate({name}[$__rate_interval]))", legend)]
        case "gauge" if metric.unit == "unix seconds":
            lines = [Line(f"time() - max by ({by}, instance) ({name})", f"{legend} {{{{instance}}}}")]
        case "gauge" if metric.unit == "0 or 1" or name.endswith("_free_bytes"):
            lines = [Line(f"min by ({by}) ({name})", legend)]
        case "gauge":
            lines = [Line(f"max by ({by}) ({name})", legend)]
        case "histogram":
            lines = [
                Line(
                    f"histogram_quantile({share}, sum by ({by}, le) (rate({name}_bucket[$__rate_interval])))",
                    f"p{round(share * 100)} {legend}",
                )
                for share in (0.5, 0.95, 0.99)
            ]
    a_second = metric.kind == "counter"
    title = f"{name.removeprefix('daybook_').removesuffix('_total').replace('_', ' ')}{' a second' if a_second else ''}"
    return Panel(title, tuple(lines), unit, f"{metric.help}. `{name}`, {metric.unit}")


def board(uid: str, title: str, rows: Iterable[Row], about: str) -> dict[str, Any]:
    """A dashboard as Grafana keeps it (its JSON model)."""
    panels: list[dict[str, Any]] = []
    top = 0
    for row in rows:
        place = {"h": 1, "w": _WIDTH, "x": 0, "y": top}
        panels.append({"type": "row", "title": row.title, "collapsed": False, "gridPos": place, "panels": []})
        top += 1
        for number, panel in enumerate(row.panels):
            width = _WIDTH // _COLUMNS
            x, y = number % _COLUMNS * width, top + number // _COLUMNS * _HEIGHT
            panels.append(_panel(panel, {"h": _HEIGHT, "w": width, "x": x, "y": y}))
        top += -(-len(row.panels) // _COLUMNS) * _HEIGHT
    for number, drawn in enumerate(panels, 1):
        drawn["id"] = number
    return {
        "uid": uid,
        "title": title,
        "description": about,
        "tags": ["daybook"],
        "timezone": "browser",
        "refresh": "15s",
        "time": {"from": "now-3h", "to": "now"},
        "editable": False,
        "graphTooltip": 1,
        "schemaVersion": 39,
        "templating": {"list": []},
        "annotations": {"list": []},
        "links": [{"type": "dashboards", "tags": ["daybook"], "asDropdown": False, "title": "Daybook"}],
        "panels": panels,
    }


def _panel(panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.red_from is not None:
        steps.append({"color": "red", "value": panel.red_from})
    defaults: dict[str, Any] = {"unit": panel.unit, "thresholds": {"mode": "absolute", "steps": steps}}
    if not panel.only_latest:
        marked = "area" if panel.red_from is not None else "off"
        defaults["min"] = 0
        defaults["custom"] = {"lineWidth": 1, "fillOpacity": 8, "thresholdsStyle": {"mode": marked}}
    return {
        "type": "stat" if panel.only_latest else "timeseries",
        "title": panel.title,
        "description": panel.about,
        "datasource": DATASOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "targets": [
            {
                "refId": chr(ord("A") + number),
                "datasource": DATASOURCE,
                "expr": line.expr,
                "legendFormat": line.legend or "__auto",
            }
            for number, line in enumerate(panel.lines)
        ],
    }
