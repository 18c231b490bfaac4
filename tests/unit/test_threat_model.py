"""docs/threat-model.md names a test beside every threat; each is there, and in the run that the page says."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "threat-model.md"
LINES = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if re.match(r"\| [^*-]", line)][1:]
NAMED = re.compile(r"\[\w+\]\((?P<file>[\w./]+\.py)\) (?P<mark>[†‡]?) ?(?P<tests>`test_\w+`(?:, `test_\w+`)*)")


def slow(file: Path) -> dict[str, bool]:
    """The tests of a file, and whether they are for `-m slow` alone."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    whole = any(
        isinstance(node, ast.Assign) and "pytestmark" in ast.unparse(node) and "mark.slow" in ast.unparse(node)
        for node in tree.body
    )
    return {
        node.name: whole or any("mark.slow" in ast.unparse(each) for each in node.decorator_list)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_the_page_has_a_table() -> None:
    assert len(LINES) >= 40


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.split("|")[1].strip()[:60])
def test_every_threat_has_a_test_that_exists_and_runs_where_the_page_says(line: str) -> None:
    threat, against, test = (part.strip() for part in line.strip("| ").split(" | "))
    assert threat
    assert against
    found = list(NAMED.finditer(test))
    assert found, f"{threat}: no test is named"
    for each in found:
        tests = slow((PAGE.parent / each["file"]).resolve())
        for name in re.findall(r"test_\w+", each["tests"]):
            assert name in tests, f"{threat}: {each['file']} has no {name}"
            assert tests[name] == bool(each["mark"]), f"{name} does not run where the page says"
