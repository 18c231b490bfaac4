"""A service that misbehaves as it is told, for the tests of clients."""

from __future__ import annotations

import gzip
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SLOW_S = 0.4


class Unkind(ThreadingHTTPServer):
    """Takes events, refuses those whose id begins with bad-, and before each answer does what `moods` says next."""

    daemon_threads = True

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

    def ids(self) -> list[str]:
        """Of what is stored, in its order, sendings again included."""
        return [event["id"] for event in self.stored]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Unkind

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        events = [json.loads(line) for line in body.split(b"\n")]
        with self.server.lock:
            self.server.tokens.append(self.headers["Authorization"])
            mood = self.server.moods.pop(0) if self.server.moods else "kind"
        if mood == "cut before":
            return self.cut()
        if mood == "slow":
            time.sleep(SLOW_S)
        if mood.isdigit():
            return self.answer(int(mood), {"detail": "not now"}, {"Retry-After": "0"})
        if any(event["id"].startswith("spoils") for event in events):
            return self.answer(400, {"detail": "this spoils it"})
        good = [event for event in events if not event["id"].startswith("bad-")]
        with self.server.lock:
            self.server.stored += good
        if mood == "cut after":
            return self.cut()
        if mood == "nonsense":
            return self.answer(202, {"results": []})
        kept = "duplicate" if mood == "duplicates" else "accepted"
        results = [
            {"index": at, "status": kept}
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
