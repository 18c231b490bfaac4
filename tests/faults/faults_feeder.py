"""Events into Kafka at a pace, in a process of its own: it goes on whatever happens to everybody else.

`python faults_feeder.py '{"kafka": ..., "events": ..., "seconds": ...}'` reads orders from stdin, one a line:
`bad SHARE SECONDS`, `only-bad COUNT`, `poison`, `hurry`. It says `{"sent": N}` twice a second, and at the end what it
sent: events by topic, how many of them are bad, and a checksum over all of them.
"""

from __future__ import annotations

import json
import math
import os
import queue
import subprocess
import sys
import threading
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from producers import generate, publish
from producers.dice import dice
from producers.publish import Record, route
from producers.spoiled import spoiled

SHARES = {"duplicates": 0.04, "edits": 0.08, "deletes": 0.04, "late": 0.05, "out_of_order": 0.1}
DAYS = 60
ACKNOWLEDGE_S = 900.0
"""How long an event may wait: the broker is bounced again and again, on a machine that may be busy."""


def poison(good: bytes) -> list[Record]:
    """Records that nobody's schema allows for: each must be refused, and none may stop anybody."""
    key = route(good).key
    nested = b'{"a":' * 5_000 + b"1" + b"}" * 5_000
    return [
        Record("meals", key, b""),
        Record("meals", key, None),  # type: ignore[arg-type]
        Record("meals", key, b"\xff\xfe\x00" * 100),
        Record("meals", key, nested),
        Record("meals", key, b"[" * 20_000),
        Record("body", key, b'{"type":"water.logged","data":{"ml":' + b"9" * 5_000 + b"}}"),
        Record("body", key, b"x" * 900_000),
        Record("workouts", key, b"null"),
        Record("plans", b"somebody else", good if route(good).topic == "plans" else b"{}"),
        Record(route(good).topic, b"somebody else", good),
        Record("plans" if route(good).topic != "plans" else "body", key, good),
    ]


class Pace:
    """Orders from the outside, and when the next event is due."""

    def __init__(self, events: int, seconds: float) -> None:
        self.bad_share, self.bad_until = 0.0, 0.0
        self._events, self._seconds = events, seconds
        self._began = time.monotonic()
        self.hurry = seconds <= 0
        self._orders: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in sys.stdin:
            self._orders.put(line.strip())

    def orders(self) -> list[str]:
        """What was ordered since the last call."""
        found = []
        while not self._orders.empty():
            found.append(self._orders.get())
        return found

    def wait(self, sent: int) -> None:
        """Sleep until the event is due: people come in waves, so the rate does too (0.6 to 2.7 times the mean)."""
        if self.hurry:
            return
        share = sent / self._events
        due = self._began + self._seconds * (share + 0.02 * math.sin(10 * math.pi * share))
        left = due - time.monotonic()
        if left > 0:
            time.sleep(min(left, 1.0))


def run(config: dict[str, Any]) -> dict[str, Any]:
    """Send everything; what was sent."""
    total, seed, prefix = config["events"], config["seed"], config.get("prefix", "u").encode()
    users = config.get("users") or max(40, int(total / DAYS / 13))
    pace = Pace(total, config["seconds"])
    rng = dice(seed, "bad")
    counts: Counter[str] = Counter()
    bad: Counter[str] = Counter()
    checksum = 0

    def made() -> Iterator[bytes]:
        days = DAYS
        while True:  # more people, should these have too little to tell
            yield from generate.events(users=users, days=days, seed=seed, **SHARES)
            days += DAYS

    def spoil(record: Record) -> Record:
        """A bad event of this topic, made of a good one."""
        kind = json.loads(record.value)["type"]
        value = record.value[:-9] if kind.endswith(".deleted") else spoiled(record.value, kind, rng)
        return record._replace(value=value)

    def records() -> Iterator[Record]:
        nonlocal checksum
        told = time.monotonic()
        for sent, raw in enumerate(islice(made(), total)):
            raw = raw.replace(b'"u_', b'"' + prefix + b"_")
            record = route(raw)
            batch, wrong = [record], 0
            for order in pace.orders():
                what, *words = order.split()
                if what == "bad":
                    pace.bad_share, pace.bad_until = float(words[0]), time.monotonic() + float(words[1])
                elif what == "only-bad":
                    batch = [*[spoil(record) for _ in range(int(words[0]))], *batch]
                elif what == "poison":
                    batch = [*poison(raw), *batch]
                elif what == "hurry":
                    pace.hurry = True
                wrong = len(batch) - 1
            if pace.bad_share and rng.random() < pace.bad_share:
                if time.monotonic() > pace.bad_until:
                    pace.bad_share = 0.0
                else:
                    batch, wrong = [spoil(record), *batch], wrong + 1
            for each in batch[:wrong]:
                bad[each.topic] += 1
            for each in batch:
                counts[each.topic] += 1
                checksum = (checksum + fingerprint(each.topic, each.key, each.value)) % 2**64
                yield each
            if sent % 16 == 0:
                pace.wait(sent)
                if time.monotonic() - told > 0.5:
                    told = time.monotonic()
                    print(json.dumps({"sent": counts.total()}), flush=True)

    published = publish.publish_records(config["kafka"], records(), acknowledge_s=ACKNOWLEDGE_S)
    assert dict(published.counts) == dict(counts)
    return {"sent": counts.total(), "counts": counts, "bad": bad, "checksum": checksum, "done": True}


def fingerprint(topic: str, key: bytes | None, value: bytes | None) -> int:
    """A number for one record; their sum stands for the multiset of all records."""
    low = zlib.crc32(value or b"", len(value or b""))
    return (low << 32) + zlib.crc32(topic.encode() + b"\0" + (key or b""), low)


@dataclass
class Sent:
    """What one feeder sent in all."""

    counts: Counter[str] = field(default_factory=Counter)
    bad: Counter[str] = field(default_factory=Counter)
    checksum: int = 0


class Feeder:
    """The process, from the outside."""

    def __init__(self, kafka: str, *, events: int, seconds: float, seed: int, log: Path, prefix: str = "u") -> None:
        config = {"kafka": kafka, "events": events, "seconds": seconds, "seed": seed, "prefix": prefix}
        self.sent = 0
        self._last: dict[str, Any] = {}
        self._log = log
        self._process = subprocess.Popen(
            [sys.executable, __file__, json.dumps(config)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log.open("ab"),
            text=True,
            cwd=Path(__file__).parents[2],
            env={**_environment(), "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._last = json.loads(line)
            self.sent = self._last["sent"]

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def order(self, line: str) -> None:
        """Tell it something; it may have ended meanwhile."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except OSError:
            pass

    def result(self, timeout_s: float) -> Sent:
        """Wait for the end; what was sent."""
        code = self._process.wait(timeout_s)
        self._thread.join(10)
        assert code == 0, f"the feeder failed: {self._log.read_text()[-2000:]}"
        return Sent(Counter(self._last["counts"]), Counter(self._last["bad"]), self._last["checksum"])

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("DAYBOOK_")}


if __name__ == "__main__":
    print(json.dumps(run(json.loads(sys.argv[1]))), flush=True)
