"""What all tests may ask for. The servers are started when the first test asks, and stopped at the end of the run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import settings

from stack.kafka import JVM_VARIABLE
from stack.stack import Endpoints, Stack

settings.register_profile("daybook", deadline=None)  # how fast something is, benchmarks say
settings.load_profile("daybook")

os.environ.setdefault(JVM_VARIABLE, "-XX:TieredStopAtLevel=1")  # no broker of these tests lives for long


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
