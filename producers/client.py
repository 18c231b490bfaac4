"""A client of the HTTP service for Python apps: events are on the disk when `send` returns, and on their way then.

They leave in batches, in their order, and are sent again, ids unchanged, until their fate is known: through 429, 503,
cut connections and restarts of the app. What the service refuses is set aside with its reason.
"""

from __future__ import annotations

import gzip
import http.client
import json
import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from producers.answers import LONGEST_S, step
from producers.outbox import Outbox, Refusal, Waiting

log = logging.getLogger(__name__)

BATCH = 500
BATCH_BYTES = 1 << 20
TIMEOUT_S = 30.0
_LOST = (OSError, http.client.HTTPException)


class Client:
    """Sends from a thread of its own. Use it as a context manager: leaving it waits up to `exit_s` for what waits."""

    def __init__(
        self,
        address: str,
        token: Callable[[], str],
        file: Path,
        *,
        most: int = 100_000,
        exit_s: float = 5.0,
        longest_s: float = LONGEST_S,
    ) -> None:
        """`address`: http(s)://host[:port]. `token` gives a bearer token, and another one when the last was refused.
        `file`: where events wait; one client at a time uses it. `most`: how many may wait. `longest_s`: the longest
        pause between two tries, unless the service asks for more."""
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"Expected http(s)://host[:port], got {address!r}")
        self._secure, self._host, self._port = parts.scheme == "https", parts.hostname, parts.port
        self._path = parts.path.rstrip("/") + "/v1/events"
        self._token, self._bearer = token, ""
        self._outbox, self._exit_s, self._longest_s = Outbox(file, most), exit_s, longest_s
        self._wake, self._leave = threading.Event(), threading.Event()
        self._idle = threading.Condition()
        self._connection: http.client.HTTPConnection | None = None
        self.skew_s = 0.0
        """How far this device's clock is ahead of the service's, as its last answer showed [s]."""
        self._thread = threading.Thread(target=self._run, name="daybook-client", daemon=True)
        self._thread.start()

    def send(self, *events: Mapping[str, Any]) -> None:
        """Take events (CloudEvents as dicts). Raises outbox.Full, and takes none then."""
        self._outbox.add([json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode() for event in events])
        self._wake.set()

    def waiting(self) -> int:
        """How many events have not met their fate yet."""
        return len(self._outbox)

    def refused(self) -> list[Refusal]:
        """What the service will never take, and why."""
        return self._outbox.refused()

    def flush(self, timeout_s: float) -> bool:
        """Wait until nothing waits any more; False if time was up before."""
        self._wake.set()
        with self._idle:
            return self._idle.wait_for(lambda: len(self._outbox) == 0, timeout_s)

    def close(self) -> None:
        """Send what can be sent within `exit_s`; the rest waits in the file for the next client."""
        self.flush(self._exit_s)
        self._leave.set()
        self._wake.set()
        self._thread.join(TIMEOUT_S)
        self._outbox.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, why: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _run(self) -> None:
        failures, most = 0, BATCH
        while not self._leave.is_set():
            batch = self._outbox.first(most, BATCH_BYTES)
            if not batch:
                self._wake.wait()
                self._wake.clear()
                continue
            status, headers, body = self._post(batch)
            todo = step(
                status, headers, events=len(batch), failures=failures, dice=random.random(), longest_s=self._longest_s
            )
            if todo.do == "settle" and not self._settle(batch, body):
                todo = step(
                    None, {}, events=len(batch), failures=failures, dice=random.random(), longest_s=self._longest_s
                )
            failures = failures + 1 if todo.wait_s else 0
            match todo.do:
                case "settle":
                    most = min(BATCH, most * 2)
                case "halve":
                    most = max(1, len(batch) // 2)
                case "set aside":
                    self._outbox.settle([], [(batch[0], "", _detail(body) or f"the service answered {status}")])
                case "new token":
                    self._bearer = ""
            with self._idle:
                self._idle.notify_all()
            if todo.wait_s:
                log.info("%d events wait: %s; again in %.1f s", len(self._outbox), status or "no answer", todo.wait_s)
                self._leave.wait(todo.wait_s)
        if self._connection is not None:
            self._connection.close()

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection is None:
            kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
            self._connection = kind(self._host, self._port, timeout=TIMEOUT_S)
        return self._connection

    def _post(self, batch: list[Waiting]) -> tuple[int | None, dict[str, str], bytes]:
        """Status, headers and body; None where the connection was lost: nobody knows what arrived."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        body = gzip.compress(b"\n".join(_sent(each.event, now) for each in batch), 6)
        try:
            self._bearer = self._bearer or self._token()
        except Exception:  # whatever an app's own code does: events wait for a token, and none is lost
            log.exception("there is no token")
            return None, {}, b""
        headers = {
            "Authorization": f"Bearer {self._bearer}",
            "Content-Type": "application/x-ndjson",
            "Content-Encoding": "gzip",
        }
        try:
            connection = self._connected()
            connection.request("POST", self._path, body, headers)
            answer = connection.getresponse()
            found = answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        except _LOST as why:
            log.debug("the connection was lost: %s", why)
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            return None, {}, b""
        self._see_clock(found[1])
        return found

    def _settle(self, batch: list[Waiting], body: bytes) -> bool:
        """Whether the verdicts could be read: one for each event."""
        try:
            results = {int(said["index"]): said for said in json.loads(body)["results"]}
            verdicts = [(each, results[at]) for at, each in enumerate(batch)]
            refused = [
                (each, str(said.get("pointer", "")), str(said.get("reason", "")))
                for each, said in verdicts
                if said["status"] == "refused"
            ]
            stored = [each.number for each, said in verdicts if said["status"] in ("accepted", "duplicate")]
        except (ValueError, KeyError, TypeError):
            return False
        self._outbox.settle(stored, refused)
        return len(stored) + len(refused) == len(batch)

    def _see_clock(self, headers: Mapping[str, str]) -> None:
        try:
            self.skew_s = time.time() - parsedate_to_datetime(headers["date"]).timestamp()
        except (KeyError, ValueError):
            return


def _sent(event: bytes, now: str) -> bytes:
    """The event with the device's clock at sending; it says the same as before (schemas/codec.py: canonical)."""
    return event if b'"sentat"' in event else event[:-1] + f',"sentat":"{now}"}}'.encode()


def _detail(body: bytes) -> str:
    try:
        return str(json.loads(body)["detail"])
    except (ValueError, KeyError, TypeError):
        return ""
