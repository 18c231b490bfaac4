"""What all tests may ask for. The servers are started when the first test asks, and stopped at the end of the run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from stack.stack import Endpoints, Stack


@dataclass(frozen=True)
class RunningStack:
    """Real servers in a folder of their own; tests share them, so each takes topics, tables and keys of its own."""

    stack: Stack
    endpoints: Endpoints


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """Kafka, PostgreSQL, ClickHouse and Valkey, up and healthy."""
    servers = Stack(tmp_path_factory.mktemp("stack"))
    try:
        yield RunningStack(servers, servers.up())
    finally:
        servers.down()
