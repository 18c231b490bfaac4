"""docker-compose.yml has what the command line has. It was never run here: this holds its form."""

from __future__ import annotations

import re
from pathlib import Path

from daybook.workers import KNOWN

FILE = Path(__file__).parents[2] / "docker-compose.yml"


def test_every_role_has_its_service() -> None:
    commands = re.findall(r"^    command: \[worker, --role, (\w+)\]$", FILE.read_text(), re.MULTILINE)
    assert sorted(commands) == sorted(KNOWN)


def test_every_folder_of_the_package_is_in_the_image() -> None:
    told = FILE.read_text()
    packages = {path.parent.name for path in FILE.parent.glob("*/py.typed")}
    assert {"api", "streams"} <= packages
    assert {name for name in packages if f"COPY {name} {name}" not in told} == set()
