"""Alerts and dashboards: the files are what the lists say, and ask only for metrics and labels that there are."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from promql_parser import AggregateExpr, MatrixSelector, VectorSelector

from daybook.observe.__main__ import files
from daybook.observe.alerts import GROUPS
from daybook.observe.rules import PAGE, RULES
from daybook.observe.scraping import PROMETHEUS, service_of
from daybook.workers import KNOWN
from schemas.metrics import BY_NAME, METRICS

ROOT = Path(__file__).parents[2]
ALERTS = [alert for alerts in GROUPS.values() for alert in alerts]
BOARDS = [path for path in files() if path.endswith(".json")]
SCRAPED = {"role", "instance", "job"}
"""Labels that Prometheus adds to every series (deploy/prometheus/prometheus.yml)."""


def asked(expr: str) -> Iterator[tuple[str, set[str]]]:
    """Metric → the labels that an expression leans on; a panel's interval is Grafana's to fill in."""
    seen: list[VectorSelector] = []
    groups: list[tuple[AggregateExpr, set[str]]] = []

    def visit(node: Any) -> None:
        if isinstance(node, AggregateExpr) and node.modifier is not None:
            groups.append((node, set(node.modifier.labels)))
        elif isinstance(node, MatrixSelector):
            seen.append(node.vector_selector)
        elif isinstance(node, VectorSelector):
            seen.append(node)

    promql_parser.walk(promql_parser.parse(expr.replace("$__rate_interval", "5m")), visit)
    for selector in seen:
        yield selector.name, {matcher.name for matcher in selector.matchers.matchers}
    for group, labels in groups:
        inside: list[str] = []
        promql_parser.walk(
            group.expr,
            lambda node, inside=inside: (
                inside.append(node.vector_selector.name)
                if isinstance(node, MatrixSelector)
                else (inside.append(node.name) if isinstance(node, VectorSelector) else None)
            ),
        )
        for name in inside:
            yield name, labels


def unknown(expr: str) -> list[str]:
    """What an expression asks for and nobody has."""
    found = []
    for name, labels in asked(expr):
        if name == "up":
            found += [f"up{{{label}}}" for label in labels - SCRAPED]
            continue
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        metric = BY_NAME.get(name) or BY_NAME.get(base)
        if metric is None or (metric.kind == "histogram") != (base != name):
            found.append(name)
            continue
        known = SCRAPED | set(metric.labels) | ({"le"} if name.endswith("_bucket") else set())
        found += [f"{name}{{{label}}}" for label in labels - known]
    return found


def panels() -> Iterator[dict[str, Any]]:
    for path in BOARDS:
        yield from (panel for panel in json.loads(files()[path])["panels"] if panel["type"] != "row")


def test_the_files_are_what_the_lists_say() -> None:
    wrong = [path for path, text in files().items() if (ROOT / path).read_text(encoding="utf-8") != text]
    assert wrong == [], "python -m daybook.observe"
    written = {f"deploy/grafana/dashboards/{path.name}" for path in (ROOT / "deploy/grafana/dashboards").iterdir()}
    assert written == set(BOARDS), "none that nobody writes any more"


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_asks_for_what_there_is(alert: Any) -> None:
    assert [unknown(level.expr) for level in alert.levels] == [[] for _ in alert.levels]
    severities = [level.severity for level in alert.levels]
    assert len(severities) == len(set(severities)), "promtool takes two for a duplicate"
    labels = {name for level in alert.levels for name in re.findall(r"\$labels\.(\w+)", level.summary)}
    assert labels <= SCRAPED | {label for metric in METRICS for label in metric.labels}


def test_a_panel_asks_for_what_there_is_and_every_metric_has_one() -> None:
    exprs = [target["expr"] for panel in panels() for target in panel["targets"]]
    assert [found for expr in exprs if (found := unknown(expr))] == []
    shown = {re.sub(r"_(bucket|sum|count)$", "", name) for expr in exprs for name, _ in asked(expr)}
    assert set(BY_NAME) - shown == set()


@pytest.mark.parametrize(
    "expr",
    [
        "daybook_evnets_total",
        "rate(daybook_lag_events[5m]) > daybook_lag",
        'daybook_lag_seconds{store="redis"}',
        "sum by (partiton) (daybook_lag_events)",
        "sum by (le) (rate(daybook_http_requests_total[5m]))",
        "daybook_http_seconds",
        "daybook_lag_seconds_bucket",
        'up{store="redis"}',
    ],
)
def test_what_nobody_has_is_noticed(expr: str) -> None:
    assert unknown(expr)


def test_grafana_has_the_source_that_its_panels_name() -> None:
    folder = ROOT / "deploy" / "grafana" / "provisioning"
    (source,) = yaml.safe_load((folder / "datasources" / "daybook.yml").read_text(encoding="utf-8"))["datasources"]
    assert {panel["datasource"]["uid"] for panel in panels()} == {source["uid"]}
    assert {panel["datasource"]["type"] for panel in panels()} == {source["type"]}


def test_rules_are_read_back_as_they_were_declared() -> None:
    read = yaml.safe_load((ROOT / RULES).read_text(encoding="utf-8"))
    rules = [rule for group in read["groups"] for rule in group["rules"]]
    told = [(rule["alert"], rule["expr"], rule["for"], rule["labels"]["severity"]) for rule in rules]
    assert told == [(a.name, level.expr, level.lasts, level.severity) for a in ALERTS for level in a.levels]
    page = (ROOT / PAGE).read_text(encoding="utf-8")
    headings = {f"{PAGE}#{name.lower()}" for name in re.findall(r"^### (\w+)$", page, re.MULTILINE)}
    assert {rule["annotations"]["runbook"] for rule in rules} == headings
    assert len({alert.name for alert in ALERTS}) == len(ALERTS)


def test_prometheus_finds_every_role_and_calls_it_by_its_name() -> None:
    config = yaml.safe_load((ROOT / PROMETHEUS).read_text(encoding="utf-8"))
    found = []
    for job in config["scrape_configs"]:
        assert re.fullmatch("daybook.*", job["job_name"]), "DaybookWorkerUnreachable goes by it"
        (relabel,) = job["relabel_configs"]
        for name in job["dns_sd_configs"][0]["names"]:
            match = re.fullmatch(relabel["regex"], name)
            assert match is not None
            found.append(match[1])
            assert name == service_of(match[1])
    assert sorted(found) == sorted(KNOWN)
    assert config["rule_files"] == [Path(RULES).name]


@pytest.mark.parametrize("path", BOARDS)
def test_panels_lie_side_by_side_and_have_numbers_of_their_own(path: str) -> None:
    drawn = json.loads(files()[path])["panels"]
    assert len({panel["id"] for panel in drawn}) == len(drawn)
    taken: set[tuple[int, int]] = set()
    for panel in drawn:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool comes with Prometheus; it is not here")
def test_prometheus_own_tool_takes_the_files_and_the_alerts_fire_when_they_should() -> None:
    for what in (["check", "config", PROMETHEUS], ["test", "rules", "deploy/prometheus/rules.test.yml"]):
        done = subprocess.run(["promtool", *what], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
