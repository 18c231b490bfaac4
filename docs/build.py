"""`make docs`: the pages of this repository as a site below build/docs/site, every link and anchor checked.

The pages are written to be read where they lie. So they are laid out anew as they lie there; a link to a file that is
no page becomes its name. Nothing on the site is loaded from elsewhere: no fonts, no scripts, no pictures.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build" / "docs"
SITE = BUILD / "site"
PICTURES = {".svg", ".png"}
_LINK = re.compile(r"(!?)\[((?:[^\]\[]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^(```.*?^```)", re.MULTILINE | re.DOTALL)
_LOADED = re.compile(r"<(?:script|img|iframe|source)[^>]+src=\"?https?://|<link[^>]+rel=\"?(?:stylesheet|preload|preconnect)"
                     r"[^>]+href=\"?https?://|url\(\s*[\"']?https?://|@import\s+[\"']https?://")  # fmt: skip
_HOW_TO = ("api", "import", "analyse", "explain", "rejected-events", "deploy", "scale", "production", "watch", "alerts",
           "upgrade", "recover", "backfill", "keep", "erase", "secure")  # fmt: skip
"""In this order; those that are not named come last."""


def pages() -> list[Path]:
    """All pages, relative to the repository."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("bench/**/*.md")]
    return sorted(path.relative_to(ROOT) for path in found)


def title(page: Path) -> str:
    """Its first heading."""
    return next(line[2:].strip() for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("# "))


def sections(all_pages: Iterable[Path]) -> dict[str, list[Path]]:
    """The site's menu: every page is in exactly one section."""
    menu: dict[str, list[Path]] = {"Tutorial": [], "How-to": [], "Reference": [], "Explanation": [], "Decisions": [],
                                   "How fast": []}  # fmt: skip
    for page in all_pages:
        parts = page.parts
        if parts[0] == "bench":
            menu["How fast"].append(page)
        elif page.name == "tutorial.md":
            menu["Tutorial"].append(page)
        elif "adr" in parts:
            menu["Decisions"].append(page)
        elif "how-to" in parts:
            menu["How-to"].append(page)
        elif "reference" in parts or page.name == "metrics.md":
            menu["Reference"].append(page)
        elif page != Path("README.md"):
            menu["Explanation"].append(page)
    order = {f"{name}.md": at for at, name in enumerate(_HOW_TO)}
    menu["How-to"].sort(key=lambda page: (order.get(page.name, len(order)), page.name))
    menu["Explanation"].sort(
        key=lambda page: ("explanation" not in page.parts, page.name != "guarantees.md", page.name)
    )
    return menu


def laid_out(page: Path, text: str, staged: set[PurePosixPath]) -> str:
    """A page as the site has it: links to what is no page are names."""

    def link(found: re.Match[str]) -> str:
        picture, said, target = found.groups()
        path, hash_, anchor = target.partition("#")
        if not path or "://" in target:
            return found[0]
        at = _normal(PurePosixPath(page.as_posix()).parent / path)
        if at in staged:
            return found[0]
        if (index := at / "index.md") in staged or (index := at / "README.md") in staged:
            return f"{picture}[{said}]({path.rstrip('/')}/{index.name}{hash_}{anchor})"
        name = f"`{at}`"
        return name if at.name in said.rstrip("/") else f"{said} ({name})"

    parts = _FENCE.split(text)
    return "".join(part if part.startswith("```") else _LINK.sub(link, part) for part in parts)


def _normal(path: PurePosixPath) -> PurePosixPath:
    out: list[str] = []
    for part in path.parts:
        if part == "..":
            out.pop()
        elif part != ".":
            out.append(part)
    return PurePosixPath(*out)


def stage() -> None:
    """Lay out pages and pictures below BUILD, with the settings."""
    shutil.rmtree(BUILD, ignore_errors=True)
    all_pages = pages()
    pictures = [
        p.relative_to(ROOT) for folder in ("docs", "bench") for p in (ROOT / folder).rglob("*") if p.suffix in PICTURES
    ]
    decisions = Path("docs/adr/index.md")
    staged = {PurePosixPath(path.as_posix()) for path in (*all_pages, *pictures, decisions)}
    for path in (*all_pages, *pictures):
        target = BUILD / "pages" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".md":
            target.write_text(laid_out(path, (ROOT / path).read_text(encoding="utf-8"), staged), encoding="utf-8")
        else:
            shutil.copyfile(ROOT / path, target)
    menu = sections(all_pages)
    lines = [f"* [{title(ROOT / page)}]({page.name})" for page in menu["Decisions"]]
    (BUILD / "pages" / decisions).write_text("# Decisions\n\n" + "\n".join(lines) + "\n", encoding="utf-8")
    menu["Decisions"].insert(0, decisions)
    (BUILD / "zensical.toml").write_text(_settings(menu), encoding="utf-8")


def _settings(menu: dict[str, list[Path]]) -> str:
    nav = ['  { "Daybook" = "README.md" },']
    for section, own in menu.items():
        nav += [
            f'  {{ "{section}" = [',
            *(f'    {{ "{_named(page)}" = "{page.as_posix()}" }},' for page in own),
            "  ] },",
        ]
    return "\n".join(
        [
            "[project]",
            'site_name = "Daybook"',
            'docs_dir = "pages"',
            'site_dir = "site"',
            "use_directory_urls = false",
            'copyright = "Apache-2.0"',
            "nav = [",
            *nav,
            "]",
            "[project.theme]",
            "font = false",
            'features = ["navigation.sections", "navigation.top", "search.highlight", "content.code.copy"]',
            "[project.markdown_extensions.tables]",
            "[project.markdown_extensions.toc]",
            "permalink = true",
            "[project.markdown_extensions.pymdownx.superfences]",
            "[project.markdown_extensions.pymdownx.highlight]",
            "",
        ]
    )


def _named(page: Path) -> str:
    other = {"docs/metrics.md": "What each number means", "docs/reference/metrics.md": "Metrics of Daybook itself"}
    said = other.get(page.as_posix()) or ("All of them" if page.name == "index.md" else title(ROOT / page))
    return said.replace("\\", "\\\\").replace('"', "'")


def loaded_from_elsewhere() -> list[str]:
    """What a browser would ask another host for."""
    kinds = {".html", ".css"}
    return [
        f"{path.relative_to(SITE)}: {found[0][:80]}"
        for path in sorted(SITE.rglob("*"))
        if path.suffix in kinds
        for found in _LOADED.finditer(path.read_text(encoding="utf-8"))
    ]


def main() -> int:
    """Build it; 1 if anything is wrong."""
    stage()
    shutil.rmtree(SITE, ignore_errors=True)
    done = subprocess.run([sys.executable, "-m", "zensical", "build", "--strict", "--clean"], cwd=BUILD)
    if done.returncode:
        return 1
    if found := loaded_from_elsewhere():
        print("\n".join(found), file=sys.stderr)
        return 1
    print(f"{len(list(SITE.rglob('*.html')))} pages in {SITE.relative_to(ROOT)}, every link checked")
    return 0


if __name__ == "__main__":
    sys.exit(main())
