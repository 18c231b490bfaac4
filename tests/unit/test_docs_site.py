"""What `make docs` lays out: every page is in the menu once, and links to what is no page become names."""

from __future__ import annotations

import importlib.util
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location("docs_build", ROOT / "docs" / "build.py")
assert spec is not None
assert spec.loader is not None
build = importlib.util.module_from_spec(spec)
spec.loader.exec_module(build)


def test_every_page_is_in_one_section_of_the_menu() -> None:
    listed = [page for section in build.sections(build.pages()).values() for page in section]
    assert sorted([*listed, Path("README.md")]) == build.pages()
    assert all(build.title(ROOT / page) for page in listed)


def test_links_to_pages_stay_and_links_to_code_become_names() -> None:
    staged = {PurePosixPath(path) for path in ("docs/how-to/api.md", "docs/adr/index.md", "docs/a.svg")}
    page = Path("docs/how-to/scale.md")

    def of(text: str) -> str:
        return str(build.laid_out(page, text, staged))

    for kept in ("[api](api.md#x)", "![a](../a.svg)", "[here](#below)"):
        assert of(kept) == kept
    assert of("[the fold](../../streams/daily/core.py) folds") == "the fold (`streams/daily/core.py`) folds"
    assert of("[streams/daily/core.py](../../streams/daily/core.py)") == "`streams/daily/core.py`"
    assert of("[decisions](../adr/)") == "[decisions](../adr/index.md)"
    assert of("```sh\n[x](../../y.py)\n```") == "```sh\n[x](../../y.py)\n```"
