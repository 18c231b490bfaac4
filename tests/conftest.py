"""What all tests may ask for. The servers are started when the first test asks, and stopped at the end of the run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

from stack.kafka import JVM_VARIABLE
from stack.stack import Endpoints, Stack

settings.register_profile("daybook", deadline=None)  # how fast something is, benchmarks say
settings.load_profile("daybook")

os.environ.setdefault(JVM_VARIABLE, "-XX:TieredStopAtLevel=1")  # no broker of these tests lives for long

SHARERS = (
    "test_backfill",
    "test_cli_import",
    "test_cli_rejected",
    "test_api_live",
    "test_erase",
    "test_page",
    "test_traces",
    "test_verify_names",
)
"""Modules that share the stack of tests/e2e/conftest.py; the last of them to run spoils what is stored."""


class ByModule(LoadScopeScheduling):  # type: ignore[misc]
    """Tests of a module stay together, and so do those of modules that share a stack: one process starts it, once."""

    def _split_scope(self, nodeid: str) -> str:
        name = Path(nodeid.partition("::")[0]).stem
        return "shared" if name in SHARERS else name


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByModule:
    """Where tests run in several processes."""
    return ByModule(config, log)


@dataclass(frozen=True)
class RunningStack:
    """Real servers in a folder of their own; tests share them, so each takes topics, tables and keys of its own."""

    stack: Stack
    endpoints: Endpoints


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """Kafka, PostgreSQL, ClickHouse and Valkey, up and healthy."""
    servers = Stack(tmp_path_factory.mktemp("stack"))
    # Its input ends when this process does, however that ends: a run that is killed leaves no servers behind.
    script = "import sys; sys.stdin.read(); from stack.stack import Stack; Stack(sys.argv[1]).down()"
    argv = [sys.executable, "-c", script, str(servers.folder)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, start_new_session=True):
        try:
            yield RunningStack(servers, servers.up())
        finally:
            servers.down()
