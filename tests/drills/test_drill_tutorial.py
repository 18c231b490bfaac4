"""docs/tutorial.md, pasted line by line: each command works, and says what the page says that it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import CLEAN
from drilling import drill

pytestmark = pytest.mark.slow  # a dozen commands: make test-drills

PAGE = Path(__file__).parents[2] / "docs" / "tutorial.md"


def test_every_command_of_the_tutorial_works_as_pasted(ground: Path, tmp_path: Path) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    *blocks, last = blocks
    assert last.split() == [".venv/bin/daybook", "down"], "the drills go on; that is tried at their end"
    said = []
    with drill("The tutorial, as pasted", ground) as on:
        for block in blocks:
            on.step(block.splitlines()[0][:70])
            script = block.replace(".venv/bin/daybook", f"{sys.executable} -m daybook")
            done = subprocess.run(
                ["bash", "-euc", script],
                cwd=tmp_path,
                env=CLEAN | {"DAYBOOK_DATA": str(ground)},
                capture_output=True,
                text=True,
                timeout=240,
            )
            assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
            said.append(done.stdout + done.stderr)
    assert re.search(r"energy_kcal +310", said[1])
    assert re.search(r"energy_kcal +430", said[2])
    assert "superseded by revision 2" in said[2]
    assert said[1].count(", the same") == said[2].count(", the same") == 3
    assert "refused" in said[3]
    assert "exit code 1" in said[3]
    assert " 0 differences" in said[4]
    assert " 0 differences" in said[5]
    (select,) = re.findall(r"```sql\n(.*?);\n```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    with on.postgres() as connection:
        rows = connection.execute(select.encode()).fetchall()
    assert [(str(day), energy, steps) for _, day, energy, steps in rows] == [("2026-03-01", 430.0, None)]
