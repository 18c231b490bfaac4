"""The Helm chart: what it renders to is what Kubernetes takes and what the code has. No cluster ever ran it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from typing import Any

import kubernetes_validate
import pytest
import yaml
from charting import CHART, RENDERED, VALUES, digest, helm, render

from daybook import sinking, waiting
from daybook.observe.__main__ import files
from daybook.observe.chart import ROLES, RULES
from daybook.settings import SECRETS, Settings
from daybook.workers import KNOWN

TEXT = RENDERED.read_text(encoding="utf-8")
OBJECTS: list[dict[str, Any]] = [each for each in yaml.safe_load_all(TEXT) if each]
NOT_KUBERNETES = {"ScaledObject", "TriggerAuthentication"}
"""Kinds of its own that a cluster learns from elsewhere; no schema of them is here."""
needs_helm = pytest.mark.skipif(shutil.which("helm") is None, reason="Helm is not here")


def of(kind: str) -> dict[str, dict[str, Any]]:
    """Objects of a kind by name."""
    return {each["metadata"]["name"]: each for each in OBJECTS if each["kind"] == kind}


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and template of everything that runs."""
    for each in OBJECTS:
        if each["kind"] in ("StatefulSet", "Job"):
            yield each["metadata"]["name"], each["spec"]["template"]


def selects(selector: dict[str, str], labels: dict[str, str]) -> bool:
    return bool(selector) and selector.items() <= labels.items()


def test_what_was_rendered_is_of_this_chart() -> None:
    assert digest() in TEXT.split("\n", 1)[0], "where Helm is: python tests/charting.py"
    assert "PrometheusRule" not in {each["kind"] for each in OBJECTS}, "else the rules belong into the digest"


@needs_helm
def test_helm_takes_the_chart_and_renders_what_is_kept() -> None:
    assert [each for each in yaml.safe_load_all(render(*VALUES).stdout) if each] == OBJECTS
    linted = helm("lint", str(CHART), "--strict", "--set", "kafka=k:1")
    assert linted.returncode == 0, linted.stdout


@needs_helm
@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("kafka=", "kafka: where is it"),
        ("roles.sreams.replicas=2", "there is no role sreams"),
        ("roles.audit.replicas=2", "one audit is enough"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(value: str, why: str) -> None:
    done = render(*VALUES, value)
    assert done.returncode != 0
    assert why in done.stderr


@needs_helm
def test_monitoring_brings_the_rules_and_the_label_that_they_lean_on() -> None:
    made = [each for each in yaml.safe_load_all(render(*VALUES, "monitoring.enabled=true").stdout) if each]
    (rules,) = [each["spec"] for each in made if each["kind"] == "PrometheusRule"]
    assert rules == yaml.safe_load(files()[RULES])
    (monitor,) = [each["spec"] for each in made if each["kind"] == "PodMonitor"]
    ports = {port["name"] for _, pod in pods() for port in pod["spec"]["containers"][0].get("ports", ())}
    assert {each["port"] for each in monitor["podMetricsEndpoints"]} == ports
    assert {each["relabelings"][0]["targetLabel"] for each in monitor["podMetricsEndpoints"]} == {"role"}


@needs_helm
def test_when_all_is_stopped_no_worker_runs_nothing_starts_one_and_there_is_a_place_to_rebuild_from() -> None:
    made = [each for each in yaml.safe_load_all(render(*VALUES, "stopped=true").stdout) if each]
    assert {each["spec"]["replicas"] for each in made if each["kind"] == "StatefulSet"} == {0}
    assert "ScaledObject" not in {each["kind"] for each in made}
    (tools,) = [each for each in made if each["kind"] == "Deployment"]
    kubernetes_validate.validate(tools, "1.31", strict=True)
    (container,) = tools["spec"]["template"]["spec"]["containers"]
    assert {each["name"] for each in container["env"]} >= {"DAYBOOK_KAFKA", SECRETS}


@pytest.mark.parametrize("version", ["1.29", "1.36"])
def test_kubernetes_takes_every_object(version: str) -> None:
    for each in OBJECTS:
        if each["kind"] not in NOT_KUBERNETES:
            kubernetes_validate.validate(each, version, strict=True)
    wrong = {**of("StatefulSet")["daybook-streams"], "spek": {}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, version, strict=True)


def test_every_role_is_a_stateful_set_whose_pods_keep_their_names() -> None:
    sets = of("StatefulSet")
    assert set(sets) == {f"daybook-{role}" for role in KNOWN}
    for name, each in sets.items():
        (worker,) = each["spec"]["template"]["spec"]["containers"]
        assert worker["args"] == ["worker", "--role", name.removeprefix("daybook-")]
        assert {"name": "DAYBOOK_WORKER_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}} in worker[
            "env"
        ]
        assert {"startupProbe", "readinessProbe", "livenessProbe", "resources"} <= worker.keys()
        assert each["spec"]["serviceName"] in of("Service")
        assert each["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > 30, "longer than a worker drains"


def test_nothing_runs_as_root_writes_or_has_a_password_in_its_environment() -> None:
    known = {f"DAYBOOK_{name.upper()}" for name in Settings.model_fields} | {SECRETS}
    found = dict(pods())
    assert len(found) == len(KNOWN) + 1
    for name, pod in found.items():
        spec = pod["spec"]
        (container,) = spec["containers"]
        assert spec["securityContext"]["runAsNonRoot"], name
        assert spec["automountServiceAccountToken"] is False, name
        assert container["securityContext"]["readOnlyRootFilesystem"], name
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}, name
        told = {each["name"]: each.get("value", "") for each in container["env"]}
        assert told.keys() <= known, name
        assert told["DAYBOOK_HOT_DAYS"] == "40"
        assert not any("://" in value for value in told.values()), name
        mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
        assert mounts == {told[SECRETS], "/tmp", "/data"}


def test_each_pod_sees_its_own_logins_and_no_others() -> None:
    for name, pod in pods():
        role = name.removeprefix("daybook-")
        user = "operator" if role == "migrate" else role
        (container,) = pod["spec"]["containers"]
        told = {each["name"]: each.get("value") for each in container["env"]}
        assert (told["DAYBOOK_KAFKA_SECURITY"], told["DAYBOOK_KAFKA_USER"]) == ("sasl_ssl", f"daybook-{user}")
        (secret,) = [each["secret"] for each in pod["spec"]["volumes"] if each["name"] == "secrets"]
        items = {each["path"]: each["key"] for each in secret["items"]}
        assert told["DAYBOOK_CA"] == f"{told[SECRETS]}/ca.pem"
        assert items["DAYBOOK_KAFKA_PASSWORD"] == f"kafka-{user}"
        login = {"migrate": "owner", "api": "reader"}.get(role, "writer")
        assert items["DAYBOOK_POSTGRES"] == f"DAYBOOK_POSTGRES-{login}"
        assert items["DAYBOOK_REDIS"] == f"DAYBOOK_REDIS-{'reader' if role == 'api' else 'writer'}"
        assert ("DAYBOOK_API_SIGNING_KEY" in items) == (role == "api")


def test_budgets_services_and_policies_mean_the_pods_that_they_name() -> None:
    labels = {name: pod["metadata"]["labels"] for name, pod in pods()}
    for kind in ("PodDisruptionBudget", "Service"):
        found = of(kind)
        assert set(found) == set(labels) - {"daybook-migrate"}
        for name, each in found.items():
            selector = each["spec"]["selector"]
            selector = selector.get("matchLabels", selector)
            assert [other for other in labels if selects(selector, labels[other])] == [name]
    policies = of("NetworkPolicy")
    everybody = policies["daybook-workers"]["spec"]
    assert all(selects(everybody["podSelector"]["matchLabels"], told) for told in labels.values())
    assert everybody["policyTypes"] == ["Ingress", "Egress"]
    api = policies["daybook-api"]["spec"]["podSelector"]["matchLabels"]
    assert [name for name, told in labels.items() if selects(api, told)] == ["daybook-api"]


def test_what_is_scaled_by_lag_is_scaled_by_the_lag_of_its_own_group() -> None:
    streams = {
        "streams": waiting.DAILY_STREAM,
        "progress": waiting.PROGRESS_STREAM,
        "trending": waiting.TRENDING_STREAM,
        "lists": waiting.LISTS_STREAM,
        "affinity": waiting.AFFINITY_STREAM,
    }
    groups = {role: group.id for role, group in {**streams, **sinking.groups()}.items()}
    scaled = of("ScaledObject")
    assert set(scaled) == {f"daybook-{role}" for role in groups}
    for name, each in scaled.items():
        spec = each["spec"]
        assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": name}
        (trigger,) = spec["triggers"]
        assert trigger["metadata"]["consumerGroup"] == groups[name.removeprefix("daybook-")]
        assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (1, 8), "never none; as many as partitions"
        assert "replicas" not in of("StatefulSet")[name]["spec"], "two would say how many there are"
    rest = {name for name, each in of("StatefulSet").items() if "replicas" in each["spec"]}
    assert rest == {"daybook-loader", "daybook-audit", "daybook-api"}


def test_a_role_with_a_disk_keeps_it() -> None:
    claims = {name for name, each in of("StatefulSet").items() if "volumeClaimTemplates" in each["spec"]}
    assert claims == {"daybook-api"}
    for name, each in of("StatefulSet").items():
        volumes = {volume["name"] for volume in each["spec"]["template"]["spec"]["volumes"]}
        assert ("data" in volumes) == (name not in claims)


def test_the_migration_runs_before_all_else_with_as_many_partitions_as_workers_may_have() -> None:
    job = of("Job")["daybook-migrate"]
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["migrate"]
    assert {"name": "DAYBOOK_PARTITIONS", "value": "8"} in container["env"]


def test_the_chart_knows_the_roles_of_the_code() -> None:
    assert list(yaml.safe_load(files()[ROLES])) == list(KNOWN)
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    assert list(values["roles"]) == list(KNOWN)
    version = re.search(r'^version = "(.+)"$', (CHART.parents[1] / "pyproject.toml").read_text(), re.MULTILINE)
    assert version is not None
    assert yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))["appVersion"] == version[1]
