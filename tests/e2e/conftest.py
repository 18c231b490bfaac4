"""One stack for the tests that neither stop nor spoil it, and one process for them all (pytest-xdist's groups)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import daybook

SHARERS = ("test_cli_import", "test_cli_rejected", "test_api_live", "test_page", "test_verify_names")
"""Modules, in the order in which they run; the last may spoil what is stored."""
RUN = 20
"""Refusals in a row that stop its streams."""


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder in which all runs, with a low limit of refusals."""
    data = tmp_path_factory.mktemp("shared") / "data"
    log = data.parent / "up.log"
    try:
        done = daybook(
            "up", "--detach", "--partitions", 2, "--data", data, timeout_s=180, env={"DAYBOOK_REJECTS_RUN": str(RUN)}
        )
        log.write_text(done.stdout + done.stderr)
        assert done.returncode == 0, log.read_text()
        yield data
    finally:
        daybook("down", "--data", data, timeout_s=180)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of a module stay together, and those who share a stack."""
    for item in items:
        name = item.path.stem
        item.add_marker(pytest.mark.xdist_group("shared" if name in SHARERS else name))
