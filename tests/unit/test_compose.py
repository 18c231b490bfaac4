"""docker-compose.yml and Dockerfile: as the Compose specification wants them, and with what the code has.

Docker runs nowhere here: this holds their form. `tests/compose-spec.json` is the specification's own JSON schema
(compose-spec/compose-spec, Apache-2.0), as check-jsonschema 0.39.0 ships it.
"""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from daybook.access import services
from daybook.observe.scraping import API_PORT, METRICS_PORT, service_of
from daybook.settings import SECRETS, SERVERS, Settings
from daybook.workers import KNOWN, READY_FILE
from schemas.broker import Broker

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "tests" / "compose-spec.json").read_text(encoding="utf-8"))
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "daybook:local"}
STEPS = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_the_file_is_what_the_specification_wants() -> None:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    assert [f"{list(error.path)}: {error.message}" for error in validator.iter_errors(COMPOSE)] == []
    assert list(validator.iter_errors(COMPOSE | {"services": {"a": {"imagee": "b"}}})), "it would notice"


def secrets_of(service: dict[str, Any]) -> dict[str, str]:
    """Secret → under which name a service has it."""
    told = [each if isinstance(each, dict) else {"source": each} for each in service.get("secrets", ())]
    return {each["source"]: each.get("target", each["source"]) for each in told}


def test_every_role_has_its_service_under_the_name_that_prometheus_asks_for() -> None:
    told = {service["command"][2]: name for name, service in OURS.items() if service["command"][0] == "worker"}
    assert told == {role: service_of(role) for role in KNOWN}
    assert all(SERVICES[name]["restart"] == "always" for name in told.values())
    assert all("profiles" not in SERVICES[name] for name in told.values())


def test_what_a_service_needs_is_there() -> None:
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            assert other in SERVICES
            healthy = how["condition"] == "service_healthy"
            assert not healthy or "test" in SERVICES[other]["healthcheck"], f"{name} waits for {other}'s health"
        for secret in secrets_of(service):
            assert secret in COMPOSE["secrets"], f"{name}: {secret}"
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            there = (ROOT / source).exists() if source.startswith("./") else source in COMPOSE["volumes"]
            assert there, f"{name}: {volume}"


def test_ours_write_nothing_may_nothing_and_have_no_password_in_their_environment() -> None:
    for name, service in OURS.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["environment"][SECRETS] == "/run/secrets"
        wanted = {f"DAYBOOK_{server.upper()}" for server in SERVERS} - service["environment"].keys()
        told = set(secrets_of(service).values())
        assert wanted <= told or service["command"][0] == "acls", name
        assert "api" not in service["command"] or "DAYBOOK_API_SIGNING_KEY" in told
    assert not re.search(r"password: \w|://\w+:\w+@", (ROOT / "docker-compose.yml").read_text(), re.IGNORECASE)


def test_variables_are_settings_and_ports_are_only_for_this_machine() -> None:
    known = {f"DAYBOOK_{name.upper()}" for name in Settings.model_fields} | {SECRETS, READY_FILE}
    told = {name for service in OURS.values() for name in service["environment"]}
    told |= set(re.findall(r"\b(DAYBOOK_\w+)=", STEPS))
    assert {"DAYBOOK_KAFKA", READY_FILE} <= told <= known
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert len(ports) == len(set(ports))
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_folder_of_the_package_is_in_the_image_and_its_venv_is_made_as_by_make_setup() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/py.typed")}
    assert {"api", "streams"} <= packages
    assert {name for name in packages if f"COPY {name} {name}\n" not in STEPS} == set()
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8")
    assert {name for name in packages if f"\n!{name}\n" not in ignored} == set(), "the context has them"
    made = re.search(r"^RUN make (\S+) PYTHON=(\S+) INSTALL=\.", STEPS, re.MULTILINE)
    assert made is not None
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert f"\nREADY := {made[1]}\n" in makefile
    assert "\nsetup: $(READY)" in makefile
    assert "pip install --quiet --disable-pip-version-check $(INSTALL) -c constraints.txt" in makefile


def test_the_image_has_no_root_and_tells_its_health_by_the_file_that_workers_write() -> None:
    last = STEPS.split("\nFROM ")[-1]
    assert re.search(r"^USER 10001:10001$", last, re.MULTILINE)
    assert "apt-get" not in last, "no compiler"
    ready = re.search(rf"{READY_FILE}=(\S+)", last)
    assert ready is not None
    assert f'CMD ["test", "-s", "{ready[1]}"]' in last
    assert f"DAYBOOK_METRICS_PORT={METRICS_PORT}" in last
    assert SERVICES["api"]["environment"]["DAYBOOK_API_PORT"] == API_PORT


def made(folder: Path) -> dict[str, str]:
    done = subprocess.run(
        [ROOT / "deploy" / "secrets.sh", folder], capture_output=True, text=True, check=True, timeout=20
    )
    assert done.stdout == "", "no secret on a screen"
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_secrets_are_made_once_and_fit_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "secrets"
    first = made(folder)
    assert set(first) >= {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()}
    passwords = [name for name in first if re.fullmatch("[0-9a-f]{48}", first[name])]
    assert {"postgres", "clickhouse", "redis-writer", "grafana"} | {f"kafka-{r}" for r in services()} <= set(passwords)
    assert len(set(first.values())) == len(first)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (folder / "grafana").write_text("mine")
    assert made(folder) == first | {"grafana": "mine"}, "what is there stays"
    for variable in [each for each in os.environ if each.startswith("DAYBOOK_")]:
        monkeypatch.delenv(variable)
    from daybook import settings

    for name, service in OURS.items():
        if service["command"][0] == "acls":
            continue
        mounted = tmp_path / name  # as it is mounted there
        mounted.mkdir()
        for source, target in secrets_of(service).items():
            (mounted / target).write_text(first[source])
        for variable, value in service["environment"].items():
            monkeypatch.setenv(variable, str(value))
        monkeypatch.setenv(SECRETS, str(mounted))
        found = settings.read()
        role = {"migrate": "owner", "api": "reader"}.get(name, "writer")
        assert f"daybook_{role}:{first[f'postgres-{role}']}@postgres:" in found.address("postgres"), name
        assert f"daybook:{first['clickhouse']}@clickhouse:" in found.address("clickhouse"), name
        keeper = "reader" if name == "api" else "writer"
        assert f"daybook_{keeper}:{first[f'redis-{keeper}']}@redis:" in found.address("redis"), name
        kafka = found.address("kafka")
        assert isinstance(kafka, Broker)
        who = service["command"][2] if service["command"][0] == "worker" else "operator"
        assert (kafka.user, kafka.password) == (f"daybook-{who}", first[f"kafka-{who}"]), name
    assert len((found.api_signing_key or found.redis).get_secret_value()) >= 32  # type: ignore[union-attr]


def test_no_secret_is_ever_committed() -> None:
    assert "/secrets/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
