"""Every client against a service that misbehaves: every event arrives, none is given up (tests/clients/README.md)."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from api_rig import meal
from unkind import Unkind

FOLDER = Path(__file__).parents[1] / "clients"
DRIVERS = {"python": [sys.executable, FOLDER / "driver.py"], "node": ["node", FOLDER / "driver.mjs"]}
ENDS_S = 20


class Client:
    """A client in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def do(self, what: str, **more: Any) -> Any:
        """One command and its answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"do": what, **more}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@pytest.fixture(params=DRIVERS)
def language(request: pytest.FixtureRequest) -> str:
    found = str(request.param)
    if shutil.which(str(DRIVERS[found][0])) is None:
        pytest.skip(f"no {DRIVERS[found][0]} on this machine: its client is not tried")
    return found


@pytest.fixture
def server() -> Iterator[Unkind]:
    found = Unkind()
    yield found
    found.shutdown()
    found.server_close()


@contextmanager
def client(language: str, address: str, outbox: Path, *tokens: str) -> Iterator[Client]:
    argv = [*map(str, DRIVERS[language]), address, str(outbox), ",".join(tokens or ("t",))]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Client(process)
            if process.poll() is None:
                Client(process).do("close")
        finally:
            process.kill()


@pytest.mark.parametrize("seed", range(2))
def test_whatever_the_service_does_every_event_arrives(
    language: str, server: Unkind, tmp_path: Path, seed: int
) -> None:
    moods = ["503", "429", "500", "408", "cut before", "cut after", "nonsense", "slow", "duplicates"]
    server.moods = random.Random(seed).sample(moods, k=len(moods))
    events = [meal() for _ in range(60)]
    with client(language, server.address, tmp_path / "outbox") as found:
        for at in range(0, 60, 5):
            found.do("send", events=events[at : at + 5])
            time.sleep(0.01)
        assert found.do("flush", seconds=40), (server.moods, found.do("waiting"))
        assert found.do("refused") == []
        assert abs(found.do("skew")) < 5
    assert set(server.ids()) == {event["id"] for event in events}
    assert all("sentat" in event for event in server.stored)


def test_what_has_met_its_fate_is_not_sent_again_and_order_is_kept(
    language: str, server: Unkind, tmp_path: Path
) -> None:
    events = [meal() for _ in range(1_200)]
    with client(language, server.address, tmp_path / "outbox") as found:
        found.do("send", events=events)
        assert found.do("flush", seconds=ENDS_S)
    assert server.ids() == [event["id"] for event in events]


def test_what_is_bad_is_set_aside_and_holds_nobody_up(language: str, server: Unkind, tmp_path: Path) -> None:
    events = [meal(id=f"{name}-{n}") for n in range(8) for name in ("good", "bad" if n % 2 else "spoils")]
    with client(language, server.address, tmp_path / "outbox") as found:
        found.do("send", events=events)
        assert found.do("flush", seconds=ENDS_S)
        aside = {name: (pointer, reason) for name, pointer, reason in found.do("refused")}
    assert set(server.ids()) == {event["id"] for event in events if event["id"].startswith("good")}
    assert aside.keys() == {event["id"] for event in events if not event["id"].startswith("good")}
    assert set(aside.values()) == {("/id", "bad"), ("", "this spoils it")}


def test_a_refused_token_is_replaced(language: str, server: Unkind, tmp_path: Path) -> None:
    server.moods = ["401", "403"]
    with client(language, server.address, tmp_path / "outbox", "old", "older", "new") as found:
        found.do("send", events=[meal()])
        assert found.do("flush", seconds=ENDS_S)
    assert server.tokens == ["Bearer old", "Bearer older", "Bearer new"]


@pytest.mark.parametrize("ending", ["closed", "killed", "killed while it wrote"])
def test_what_could_not_be_sent_is_sent_by_the_next_client(
    language: str, server: Unkind, tmp_path: Path, ending: str
) -> None:
    events, outbox = [meal(id=f"good-é-{n}") for n in range(5)], tmp_path / "outbox"
    with client(language, "http://127.0.0.1:1", outbox) as found:
        found.do("send", events=events)
        if ending != "closed":
            found.process.kill()
            found.process.wait()
    if ending == "killed while it wrote" and language == "node":
        with outbox.open("ab") as file:
            file.write('["in",6,"{\\"id\\":\\"half-é'.encode()[:-1])
    with client(language, server.address, outbox) as found:
        found.do("send", events=[meal(id="good-last")])
        assert found.do("flush", seconds=ENDS_S)
    assert server.ids() == [*(event["id"] for event in events), "good-last"]
