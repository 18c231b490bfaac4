"""The bill of materials: all that is pinned and installed, and Kafka's jars."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest

from stack import jars
from stack.kafka import KAFKA

ROOT = Path(__file__).parents[2]


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.slow
def test_every_pinned_package_that_is_installed_is_on_the_bill(tmp_path: Path) -> None:
    file = tmp_path / "bill.json"
    done = subprocess.run(
        [sys.executable, ROOT / "deploy" / "sbom.py", file], capture_output=True, text=True, cwd=ROOT, timeout=300
    )
    assert done.returncode == 0, done.stderr
    bill = json.loads(file.read_text(encoding="utf-8"))
    listed = {(plain(each["name"]), each["version"]) for each in bill["components"] if "purl" in each}
    installed = {(plain(each.name), each.version) for each in distributions(path=[*sys.path])}
    pinned = {
        (plain(name), version)
        for name, version in re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    }
    assert len(pinned & installed) > 50
    assert pinned & installed <= listed
    named = {each["bom-ref"] for each in bill["components"]}
    assert {f"jar:{path.name}" for path in jars.classpath(KAFKA, lambda line: None)} <= named
    assert str(ROOT) not in file.read_text(encoding="utf-8"), "whose machine it was is nobody's business"
