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
from urllib.parse import quote

import aiohttp
import msgspec
import pytest
from api_rig import meal
from collector import collector
from command_line import CLEAN, daybook
from redis.asyncio import Redis
from yarl import URL

from api.tokens import Role
from daybook import serving, settings, workers
from daybook.erasing import receipt
from daybook.erasing.export import lines
from daybook.suppressing import known, secret
from schemas.suppression import Erased

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def variables(shared: Path) -> dict[str, str]:
    """What `daybook env` prints once the service runs."""
    before = daybook("env", "--data", shared).stdout
    assert "DAYBOOK_API" not in before
    done = daybook("up", "--detach", "--api", "--data", shared, timeout_s=120, env=collector().environment)
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


async def test_a_person_takes_all_their_data_and_an_admin_erases_them_for_good(
    shared: Path, variables: dict[str, str]
) -> None:
    at, api, user = settings.read(data=shared), variables["DAYBOOK_API"], "u/leavés us"
    own, admin = (serving.token(at, who, role, 600) for who, role in ((user, "user"), ("ann", "admin")))
    assert (await post(api, own, meal(user)))[0] == 202
    assert daybook("wait", "--data", shared, timeout_s=90).returncode == 0
    path = f"/v1/users/{quote(user, safe='')}"
    async with aiohttp.ClientSession(api) as session:

        async def ask(method: str, path: str, token: str) -> tuple[int, bytes, str | None]:
            headers = {"Authorization": f"Bearer {token}"}
            async with session.request(method, URL(path, encoded=True), headers=headers) as answer:
                return answer.status, await answer.read(), answer.headers.get("Location")

        assert (await ask("GET", f"{path}/erasure", admin))[0] == 404
        status, body, _ = await ask("GET", f"{path}/data", own)
        rows = [json.loads(line) for line in body.splitlines()]
        assert status == 200
        assert {row["table"] for row in rows} >= {"user_metrics_daily", "events", "entities"}
        assert rows == [json.loads(line) for line in await asyncio.to_thread(lambda: list(lines(at, user)))]
        assert (await ask("DELETE", f"{path}/data", own))[0] == 403
        status, said, where = await ask("DELETE", f"{path}/data", admin)
        assert (status, where) == (202, f"{path}/erasure"), said
        assert (await asyncio.to_thread(known, at)).has(user.encode()), "202: nothing of the person is taken any more"
        deadline = time.monotonic() + 120
        while (found := json.loads((await ask("GET", where, admin))[1]))["status"] != "done":
            assert found["status"] in ("under way", "begun")
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)
        said_so = msgspec.convert(found["receipt"], receipt.Receipt)
        assert receipt.is_genuine(said_so, Erased(secret(at)))
        assert said_so.stores["postgres/user_metrics_daily"].before == 1
        status, body, _ = await ask("GET", f"{path}/data", admin)
        assert status == 200
        assert {json.loads(line)["table"] for line in body.splitlines()} <= {"milestones"}, "which leave by age"
        while "this subject was erased" not in (await post(api, own, meal(user)))[1]:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)
