"""The client against a service that misbehaves: every event arrives, none is given up."""

from __future__ import annotations

import gzip
import json
import random
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from api_rig import meal

from producers.client import Client


class Unkind(ThreadingHTTPServer):
    """Takes events, refuses those whose id begins with bad, and before each answer does what `moods` says next."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.moods: list[str] = []
        self.stored: list[dict[str, Any]] = []
        self.tokens: list[str] = []
        self.lock = threading.Lock()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Unkind

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        body = gzip.decompress(self.rfile.read(int(self.headers["Content-Length"])))
        events = [json.loads(line) for line in body.split(b"\n")]
        with self.server.lock:
            self.server.tokens.append(self.headers["Authorization"])
            mood = self.server.moods.pop(0) if self.server.moods else "kind"
        if mood == "cut before":
            return self.cut()
        if mood.isdigit():
            return self.answer(int(mood), {"detail": "not now"}, {"Retry-After": "0"})
        if any(event["id"].startswith("spoils") for event in events):
            return self.answer(400, {"detail": "this spoils it"})
        good = [event for event in events if not event["id"].startswith("bad")]
        with self.server.lock:
            self.server.stored += good
        if mood == "cut after":
            return self.cut()
        if mood == "nonsense":
            return self.answer(202, {"results": []})
        results = [
            {"index": at, "status": "accepted"}
            if event in good
            else {"index": at, "status": "refused", "pointer": "/id", "reason": "bad"}
            for at, event in enumerate(events)
        ]
        self.answer(202, {"results": results})

    def cut(self) -> None:
        self.close_connection = True
        self.connection.close()

    def answer(self, status: int, said: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        raw = json.dumps(said).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(raw)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)


@pytest.fixture
def server() -> Iterator[Unkind]:
    found = Unkind()
    yield found
    found.shutdown()
    found.server_close()


def ids(server: Unkind) -> set[str]:
    return {event["id"] for event in server.stored}


@pytest.mark.parametrize("seed", range(3))
def test_whatever_the_service_does_every_event_arrives(server: Unkind, tmp_path: Path, seed: int) -> None:
    moods = ["503", "429", "500", "408", "cut before", "cut after", "nonsense"]
    server.moods = random.Random(seed).choices(moods, k=6)
    events = [meal() for _ in range(60)]
    with Client(server.address, lambda: "t", tmp_path / "outbox", exit_s=1, longest_s=0.3) as client:
        for event in events:
            client.send(event)
        assert client.flush(40), (server.moods, client.waiting())
        assert client.refused() == []
        assert abs(client.skew_s) < 5
    assert ids(server) == {event["id"] for event in events}
    assert all("sentat" in event for event in server.stored)


def test_what_is_bad_is_set_aside_and_holds_nobody_up(server: Unkind, tmp_path: Path) -> None:
    events = [meal(id=f"{name}-{n}") for n in range(8) for name in ("good", "bad" if n % 2 else "spoils")]
    with Client(server.address, lambda: "t", tmp_path / "outbox") as client:
        client.send(*events)
        assert client.flush(20)
        aside = {json.loads(each.event)["id"]: each.reason for each in client.refused()}
    assert ids(server) == {event["id"] for event in events if event["id"].startswith("good")}
    assert aside.keys() == {event["id"] for event in events if not event["id"].startswith("good")}
    assert set(aside.values()) == {"bad", "this spoils it"}


def test_a_refused_token_is_replaced(server: Unkind, tmp_path: Path) -> None:
    server.moods = ["401", "403"]
    tokens = iter(["old", "older", "new"])
    with Client(server.address, lambda: next(tokens), tmp_path / "outbox") as client:
        client.send(meal())
        assert client.flush(20)
    assert server.tokens == ["Bearer old", "Bearer older", "Bearer new"]


def test_what_could_not_be_sent_is_sent_by_the_next_client(server: Unkind, tmp_path: Path) -> None:
    events = [meal() for _ in range(5)]
    began = time.monotonic()
    with Client("http://127.0.0.1:1", lambda: "t", tmp_path / "outbox", exit_s=0.2) as client:
        client.send(*events)
    assert time.monotonic() - began < 10
    with Client(server.address, lambda: "t", tmp_path / "outbox") as client:
        assert client.flush(20)
    assert [event["id"] for event in server.stored] == [event["id"] for event in events]
