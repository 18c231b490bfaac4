"""One stack for the tests that neither stop nor spoil it: tests/conftest.py keeps them in one process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from collector import collector
from command_line import daybook

RUN = 20
"""Refusals in a row that stop its streams."""


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder in which all runs, with a low limit of refusals, and all requests are traced."""
    data = tmp_path_factory.mktemp("shared") / "data"
    log = data.parent / "up.log"
    try:
        env = {"DAYBOOK_REJECTS_RUN": str(RUN), **collector().environment}
        done = daybook("up", "--detach", "--partitions", 2, "--data", data, timeout_s=180, env=env)
        log.write_text(done.stdout + done.stderr)
        assert done.returncode == 0, log.read_text()
        yield data
    finally:
        daybook("down", "--data", data, timeout_s=180)
