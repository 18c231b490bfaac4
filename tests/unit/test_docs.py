"""What the documents say is true: links lead somewhere, commands exist, examples run, names are ours alone."""

from __future__ import annotations

import doctest
import importlib
import re
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import typer

from daybook import reference_pages
from daybook.cli import app
from schemas.families import MODEL_OF
from schemas.topics import SOURCES, TOPICS

ROOT = Path(__file__).parents[2]
PACKAGES = ("schemas", "producers", "streams", "sinks", "api", "daybook", "stack")
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("bench/**/*.md")])
EXAMPLES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if ">>>" in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_command_that_a_page_shows_exists() -> None:
    commands = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    shown = {
        match
        for page in PAGES
        for match in re.findall(r"(?:`|bin/|^)daybook ([a-z]+)", page.read_text(encoding="utf-8"), re.M)
    }
    assert {"verify", "up", "send"} <= shown
    assert shown <= commands


def test_every_make_target_that_a_page_shows_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    shown = {match for page in PAGES for match in re.findall(r"`?make ([a-z-]+)`", page.read_text(encoding="utf-8"))}
    assert shown
    assert shown <= targets


@pytest.mark.parametrize(("file", "text"), reference_pages.pages().items())
def test_the_reference_is_what_the_code_says_now(file: str, text: str) -> None:
    written = (reference_pages.FOLDER / file).read_text(encoding="utf-8")
    assert written == text, "run python -m daybook.reference_pages"


def test_the_map_names_every_package() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert [package for package in PACKAGES if f"| `{package}/` |" not in text] == []


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = [int(path.name[:4]) for path in sorted((ROOT / "docs" / "adr").glob("*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("module", EXAMPLES)
def test_examples_in_docstrings_run(module: str) -> None:
    found = doctest.testmod(importlib.import_module(module))
    assert found.attempted
    assert found.failed == 0


def test_no_other_distribution_ships_a_package_with_our_names() -> None:
    others = {name: set(owners) - {"daybook"} for name, owners in packages_distributions().items() if name in PACKAGES}
    assert not any(others.values()), others


def test_topics_and_types_are_declared_once() -> None:
    names = [topic.name for topic in TOPICS]
    assert len(names) == len(set(names))
    assert all(topic.append_time for topic in SOURCES), "acceptance is judged by the broker's clock"
    assert len(MODEL_OF) == 19


FORBIDDEN = {
    "a machine's path": re.compile(r"/(?:work|root|home)/[a-z]"),
    "a download address": re.compile(r"https?://(?!json-schema\.org|www\.w3\.org)[\w.-]+\.(?:com|dev|io|net|org)\b"),
}


def test_no_file_names_a_machine_or_a_download_address() -> None:
    kinds = {".py", ".md", ".toml", ".txt", ".yml", ".yaml", ".sql", ".lua", ".json", ".svg"}
    skipped = (".venv", ".git", "build")
    found = []
    for path in ROOT.rglob("*"):
        parts = path.relative_to(ROOT).parts
        if path.suffix not in kinds or parts[0] in skipped or parts[0].startswith(".") or path == Path(__file__):
            continue
        text = path.read_text(encoding="utf-8")
        found += [
            f"{path.relative_to(ROOT)}: {what} {m[0]!r}"
            for what, rule in FORBIDDEN.items()
            for m in rule.finditer(text)
        ]
    assert found == []
