"""What /openapi.json promises, tried by Schemathesis on the service with all its servers, by requests good and bad."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from api_rig import SECRET, Service, service, token, topics_made
from conftest import RunningStack

from api.service import ROUTES
from schemas.topics import SUPPRESSED
from sinks.migrate import migrate

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def api(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service on the servers that tests share: what is made up is stored, and nobody else looks for it."""
    at = stack.endpoints
    topics_made(at.kafka)
    topics_made(at.kafka, SUPPRESSED.name)
    asyncio.run(migrate(at.postgres, at.clickhouse))
    told = {"redis": at.redis, "postgres": at.postgres, "clickhouse": at.clickhouse}
    told |= {"api_stranger_requests": "0"}  # it also asks without a token, much
    told |= {"erasure_key": SECRET}  # who is made up is erased too, as far as that goes without workers
    with service(tmp_path_factory.mktemp("schema"), at.kafka, **told) as running:
        yield running


def tried(api: Service, phases: str, examples: int, where: Path) -> str:
    """What Schemathesis says when it found nothing."""
    done = subprocess.run(
        [
            *(Path(sys.executable).with_name("st"), "--config-file", TESTS / "schemathesis.toml", "--no-color", "run"),
            *(f"{api.url}/openapi.json", "--header", f"Authorization: Bearer {token('op', 'admin')}"),
            *("--phases", phases, "--max-examples", str(examples)),
        ],
        cwd=where,  # it leaves a folder of its own
        env={**os.environ, "PYTHONPATH": f"{TESTS}{os.pathsep}{TESTS.parent}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in api.log.read_text()
    every = len(ROUTES) - 1  # all but the description itself
    assert re.search(rf"Tested: +{every}\n", done.stdout), done.stdout
    return done.stdout


def test_what_is_described_is_what_is_answered(api: Service, tmp_path: Path) -> None:
    tried(api, "examples,fuzzing", 5, tmp_path)


@pytest.mark.slow
def test_it_is_so_at_every_edge_of_the_description_too(api: Service, tmp_path: Path) -> None:
    tried(api, "examples,coverage,fuzzing", 20, tmp_path)
