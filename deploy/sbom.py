"""The bill of materials (CycloneDX 1.6, JSON): every Python package of this environment, and Kafka's jars.

python deploy/sbom.py FILE. Reads what is installed; asks nobody. The same environment gives the same file.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from stack import jars
from stack.kafka import KAFKA

ROOT = Path(__file__).parents[1]
_JAR = re.compile(r"(?P<name>.+?)-(?P<version>\d[\w.]*)\.jar")


def packages() -> dict[str, Any]:
    """What cyclonedx-bom says of the environment of this interpreter."""
    command = [sys.executable, "-m", "cyclonedx_py", "environment", sys.prefix, "--pyproject", ROOT / "pyproject.toml"]
    more = ("--output-reproducible", "--spec-version", "1.6", "--output-format", "JSON", "--output-file", "-")
    done = subprocess.run([*command, *more], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"sbom: cyclonedx-bom says: {' '.join(done.stderr.split())[-500:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def kafka() -> list[dict[str, Any]]:
    """Kafka's jars, as they lie in the user's cache."""
    found = []
    for file in sorted(jars.classpath(KAFKA, lambda line: None), key=lambda file: file.name):
        told = _JAR.fullmatch(file.name)
        name, version = (told["name"], told["version"]) if told else (file.stem, "")
        found.append(
            {
                "type": "library",
                "bom-ref": f"jar:{file.name}",
                "name": name,
                "version": version,
                "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(file.read_bytes()).hexdigest()}],
            }
        )
    return found


def main(file: Path) -> None:
    """Write it, once it is what CycloneDX's schema wants."""
    bill = packages()
    own, of_jars = len(bill["components"]), kafka()
    bill["components"] += of_jars
    text = json.dumps(bill, indent=1, sort_keys=True) + "\n"
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if wrong is not None:
        sys.exit(f"sbom: not what the schema wants: {wrong}")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    print(f"{file}: {own} Python packages, {len(of_jars)} jars")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
