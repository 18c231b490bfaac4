"""The HTTP service beside everything else: a token, an event, its row; and it is started again where it was."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from api_rig import meal
from command_line import CLEAN, daybook
from redis.asyncio import Redis

from api.tokens import Role
from daybook import serving, settings, workers

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def variables(shared: Path) -> dict[str, str]:
    """What `daybook env` prints once the service runs."""
    before = daybook("env", "--data", shared).stdout
    assert "DAYBOOK_API" not in before
    done = daybook("up", "--detach", "--api", "--data", shared, timeout_s=120)
    assert done.returncode == 0, done.stderr
    return dict(line.split("=", 1) for line in daybook("env", "--data", shared).stdout.splitlines())


async def post(address: str, token: str, event: object) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/cloudevents+json"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{address}/v1/events", data=json.dumps(event), headers=headers) as answer,
    ):
        return answer.status, await answer.text()


async def test_an_event_sent_with_a_printed_token_is_readable(shared: Path, variables: dict[str, str]) -> None:
    token = daybook("token", "--subject", "u_http", "--data", shared).stdout.strip()
    status, text = await post(variables["DAYBOOK_API"], token, meal("u_http"))
    assert status == 202, text
    done = daybook("wait", "--data", shared, timeout_s=90)
    assert done.returncode == 0, done.stderr
    async with Redis.from_url(variables["DAYBOOK_REDIS"], decode_responses=True) as redis:
        assert await redis.hget("daybook:day:u_http:2026-03-01", "energy_kcal") == "310.0"


async def get(address: str, token: str, path: str) -> tuple[int, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession() as session, session.get(address + path, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None)


async def test_a_number_is_explained_as_the_command_explains_it(shared: Path, variables: dict[str, str]) -> None:
    token = serving.token(settings.read(data=shared), "u_http", "user", 600)
    path = "/v1/users/u_http/explain?date=2026-03-01"
    status, found = await get(variables["DAYBOOK_API"], token, path)
    assert status == 200, found
    assert found["row"]["energy_kcal"] == 310.0
    assert found.pop("agrees") == {"postgres": True, "clickhouse": True, "redis": True}
    assert found == json.loads(daybook("explain", "u_http", "2026-03-01", "--json", "--data", shared).stdout)
    for query, status in (("date=2026-13-01", 400), ("metric=steps", 400), ("date=2026-03-01&metric=joy", 400)):
        assert (await get(variables["DAYBOOK_API"], token, f"/v1/users/u_http/explain?{query}"))[0] == status
    assert (await get(variables["DAYBOOK_API"], token, "/v1/users/u_b/explain?date=2026-03-01"))[0] == 403


async def test_operators_see_every_worker_and_others_do_not(shared: Path, variables: dict[str, str]) -> None:
    roles: dict[Role, int] = {"user": 403, "service": 403, "admin": 200}
    for role, status in roles.items():
        token = serving.token(settings.read(data=shared), "op", role, 600)
        got, found = await get(variables["DAYBOOK_API"], token, "/v1/operator")
        assert got == status
    states = {row["role"]: row["state"] for row in found["roles"]}
    assert {"kafka", "postgres", "clickhouse", "redis", "worker-streams", "worker-api"} <= states.keys()
    assert set(states.values()) == {"running"}
    assert found["events"]["applied"] >= 1
    assert isinstance(found["refused"], list)


def test_what_the_page_on_the_service_shows_works_as_pasted(shared: Path, variables: dict[str, str]) -> None:
    """The commands of docs/how-to/api.md, and what it says that they answer."""
    page = (ROOT / "docs" / "how-to" / "api.md").read_text()
    commands, answers = (re.findall(rf"```{kind}\n(.*?)```", page, re.DOTALL) for kind in ("sh", "json"))
    (readme,) = re.findall(r"```sh\n([^`]*curl[^`]*)```", (ROOT / "README.md").read_text())
    assert readme == "".join(commands[:2]), "README shows the same, so that is tried too"
    wait = f"{sys.executable} -m daybook wait >&2\n"
    script = wait.join(commands[:2]).replace(".venv/bin/daybook", f"{sys.executable} -m daybook")
    done = subprocess.run(
        ["bash", "-euc", script], cwd=ROOT, env=CLEAN | {"DAYBOOK_DATA": str(shared)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    told = re.findall(r"\{.*?\}(?=\{|\s*$)", done.stdout, re.DOTALL)
    assert len(told) == 2, done.stdout
    assert list(map(json.loads, told)) == list(map(json.loads, answers[:2]))


@pytest.mark.slow
async def test_killed_it_is_started_again_at_the_same_address(shared: Path, variables: dict[str, str]) -> None:
    token = daybook("token", "--subject", "loader", "--role", "service", "--data", shared).stdout.strip()
    pid = workers.process(shared, "api").pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while True:
        try:
            status, text = await post(variables["DAYBOOK_API"], token, meal("u_http"))
            assert status == 202, text
            break
        except aiohttp.ClientError:
            assert time.monotonic() < deadline, (shared / "logs" / "supervisor.log").read_text()
            await asyncio.sleep(0.3)
    assert workers.process(shared, "api").pid() != pid
    assert "worker-api" in daybook("status", "--data", shared).stdout


def test_a_token_needs_a_subject_and_a_secret(tmp_path: Path, shared: Path) -> None:
    for arguments, why in (
        (("--subject", "", "--data", shared), "at least one character"),
        (("--subject", "u", "--data", tmp_path / "none"), "no secret to sign tokens with"),
    ):
        done = daybook("token", *arguments)
        assert done.returncode
        assert why in done.stderr
        assert not (tmp_path / "none" / "stack.json").exists()
