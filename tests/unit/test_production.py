"""The operator's checklist names only what exists, and every line of it names something."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import typer

from daybook.cli import app
from daybook.settings import Settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "production.md").read_text(encoding="utf-8")
LINES = [
    [cell.strip() for cell in line.strip().strip("|").split(" | ")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith(("| is it", "| ---"))
]


def test_every_line_is_backed_by_a_command_or_a_test() -> None:
    assert len(LINES) > 30
    bare = [line[0] for line in LINES if not re.search(r"`(daybook|make|DAYBOOK_|tests/)", " ".join(line[1:]))]
    assert bare == []


def test_every_test_that_is_named_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)
    assert named
    for file, name in named:
        assert (ROOT / file).is_file(), file
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        tests = {each.name for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert not name or name in tests, f"{file}::{name}"


def test_every_command_target_and_setting_that_is_named_exists() -> None:
    commands = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    assert set(re.findall(r"`daybook ([a-z]+)", PAGE)) <= commands
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    assert set(re.findall(r"`make ([a-z-]+)", PAGE)) <= targets
    assert {name.lower() for name in re.findall(r"`DAYBOOK_([A-Z_]+)", PAGE)} <= set(Settings.model_fields)
