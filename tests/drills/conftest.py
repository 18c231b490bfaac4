"""One stack for all drills: each leaves it as it found it, whole and verified."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import daybook


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder in which all runs, with two partitions."""
    data = tmp_path_factory.mktemp("drills") / "data"
    try:
        done = daybook("up", "--detach", "--partitions", 2, "--data", data, timeout_s=180)
        assert done.returncode == 0, done.stderr
        yield data
    finally:
        daybook("down", "--data", data, timeout_s=180)
