"""The whole of Daybook where nobody is let in without need: every role with its own login at Kafka and PostgreSQL."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
import pytest
from command_line import CLEAN, DAYBOOK, daybook
from secure_kafka import SecureKafka, running
from secure_postgres import deploy

from daybook.workers import EXIT_FILE, KNOWN, READY_FILE
from stack.stack import Stack

pytestmark = [
    pytest.mark.skipif(shutil.which("openssl") is None, reason="the script of the certificates wants openssl"),
    pytest.mark.slow,
]
EVENTS = Path(__file__).parents[2] / "schemas" / "examples" / "events.jsonl"
READY_S = 240.0
KEY = "signs-the-tokens-of-this-test-only"


@dataclass
class Live:
    """What runs."""

    kafka: SecureKafka
    folder: Path
    stores: dict[str, str]
    workers: dict[str, subprocess.Popen[bytes]]

    def env(self, role: str) -> dict[str, str]:
        """What a role is told."""
        who = {"migrate": "owner", "api": "reader"}.get(role, "writer")
        return {
            **self.kafka.env(role if role in KNOWN else "operator"),
            "DAYBOOK_POSTGRES": self.stores[who],
            "DAYBOOK_CLICKHOUSE": self.stores["clickhouse"],
            "DAYBOOK_REDIS": self.stores["redis"],
            "DAYBOOK_API_SIGNING_KEY": KEY,
            "DAYBOOK_ERASURE_KEY": KEY[::-1],
        }

    def run(self, *words: object, role: str = "operator", stdin: str = "") -> str:
        """What a command printed that must succeed."""
        done = daybook(*words, env=self.env(role), cwd=self.folder, stdin=stdin, timeout_s=240)
        assert done.returncode == 0, f"{words}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def log(self, role: str) -> str:
        return (self.folder / f"{role}.log").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("secure-live")
    servers = Stack(folder / "stores", say=lambda line: None)
    with ExitStack() as held:
        held.callback(servers.down)
        ends = servers.up(["postgres", "redis", "clickhouse"])
        logins = deploy(folder, ends.postgres)
        kafka = held.enter_context(running(folder / "kafka"))
        stores = {"owner": logins.owner, "writer": logins.writer, "reader": logins.reader}
        found = Live(kafka, folder, {**stores, "clickhouse": ends.clickhouse, "redis": ends.redis}, {})
        found.run("migrate", "--partitions", 2, role="migrate")
        for role in KNOWN:
            held.callback(_end, _begin(found, role))
        deadline = time.monotonic() + READY_S
        for role, process in found.workers.items():
            while not (folder / f"{role}.ready").exists():
                assert process.poll() is None, f"{role}: {found.log(role)[-3000:]}"
                assert time.monotonic() < deadline, f"{role}: {found.log(role)[-3000:]}"
                time.sleep(0.1)
        yield found


def _begin(live: Live, role: str) -> subprocess.Popen[bytes]:
    files = {READY_FILE: str(live.folder / f"{role}.ready"), EXIT_FILE: str(live.folder / f"{role}.exit")}
    with (live.folder / f"{role}.log").open("wb") as out:
        live.workers[role] = subprocess.Popen(
            [*DAYBOOK, "worker", "--role", role, "--data", live.folder / "data" / role],
            env={**CLEAN, **live.env(role), **files},
            stdout=out,
            stderr=out,
            cwd=live.folder,
        )
    return live.workers[role]


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def test_events_come_through_to_every_store_and_everything_is_verified(live: Live) -> None:
    live.run("send", "-", stdin=EVENTS.read_text(encoding="utf-8"))
    live.run("wait", "--timeout", 200)
    live.run("verify")
    with psycopg.connect(live.stores["writer"]) as connection:
        ((rows,),) = connection.execute("SELECT count(*) FROM user_metrics_daily").fetchall()
    assert rows > 0


def test_the_http_service_takes_an_event_and_answers_its_user_and_nobody_elses(live: Live) -> None:
    told = json.loads((live.folder / "api.ready").read_text())
    url = told["metrics"].removesuffix("/metrics")
    token = live.run("token", "--subject", "ann", role="api").strip()
    event = json.loads(EVENTS.read_text(encoding="utf-8").splitlines()[0]) | {"subject": "ann", "id": "of-ann"}
    event["entity"] = "of-ann"
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/cloudevents+json"}
    request = urllib.request.Request(f"{url}/v1/events", json.dumps(event).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 202
    live.run("wait", "--timeout", 200)
    live.run("verify")


def test_nobody_was_refused_what_it_needs(live: Live) -> None:
    for role, process in live.workers.items():
        assert process.poll() is None, f"{role}: {live.log(role)[-3000:]}"
        lines = [line for line in live.log(role).splitlines() if "uthoriz" in line or "permission" in line]
        assert lines == [], role


def test_no_secret_is_in_a_log_a_process_list_or_what_env_prints(live: Live) -> None:
    secrets = [*live.kafka.passwords.values(), KEY, KEY[::-1]]
    secrets += [url.split("@")[0].rpartition(":")[2] for url in live.stores.values()]
    printed = live.run("env")
    lines = [" ".join(psutil.Process(process.pid).cmdline()) for process in live.workers.values()]
    for name, text in {
        **{role: live.log(role) for role in live.workers},
        "env": printed,
        "ps": "\n".join(lines),
    }.items():
        assert [each for each in secrets if each in text] == [], name
