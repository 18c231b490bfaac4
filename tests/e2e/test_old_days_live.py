"""Two months on real servers: old days leave the worker, come back when events need them, and every store is right."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import clickhouse_connect
import command_line
import pytest
from command_line import daybook
from confluent_kafka import Consumer, TopicPartition
from stored_days import stored_days

from daybook import settings
from producers import generate, truth
from producers.publish import publish
from schemas.families import FAMILY_OF
from schemas.loads import FLOOR
from schemas.topics import LEDGER, LOADS

TODAY = datetime.now(UTC).date()
POPULATION = {"users": 24, "days": 60, "seed": 5, "start": TODAY - timedelta(days=61)}
HOT_DAYS = 35

Event = dict[str, Any]


class Live:
    """A Daybook in a data folder, and everything that was sent to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sent: list[bytes] = []
        self.settings = settings.read(data=folder)

    def send(self, events: list[bytes]) -> None:
        publish(self.settings.address("kafka"), iter(events))
        self.sent += events

    def wait(self) -> None:
        done = daybook("wait", "--timeout", "120", "--data", self.folder, timeout_s=130)
        assert done.returncode == 0, done.stderr

    def keys(self, topic: str) -> list[bytes]:
        """Keys of all committed records of a topic."""
        reader = Consumer(
            {
                "bootstrap.servers": self.settings.address("kafka"),
                "group.id": "tests",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
            }
        )
        try:
            numbers = reader.list_topics(topic, timeout=10).topics[topic].partitions
            reader.assign([TopicPartition(topic, number, 0) for number in numbers])
            found, left = [], set(numbers)
            while left:
                for message in reader.consume(5000, 0.05):
                    if message.error():
                        left.discard(message.partition())
                    else:
                        found.append(message.key())
            return found
        finally:
            reader.close()

    def floored(self) -> set[str]:
        """Users of whom something was evicted."""
        return {key.split(b"\0")[2].decode() for key in self.keys(LEDGER.name) if key and key.startswith(FLOOR)}

    def evict(self, users: set[str]) -> None:
        """Wait until these users have floors. A worker that nobody sends anything takes its time: so something is."""
        deadline = time.monotonic() + 60
        while missing := users - self.floored():
            assert time.monotonic() < deadline, f"nothing was evicted of {sorted(missing)}"
            self.send([water(f"walker {n}", TODAY, f"{time.time_ns()}") for n in range(24)])
            time.sleep(1.0)

    def check(self) -> None:
        """Everything that was sent is in the stores as one pass over it says."""
        self.wait()
        done = daybook("verify", "--data", self.folder, timeout_s=120)
        assert done.returncode == 0, done.stdout
        held, true = self.rows(), truth.daily_rows(self.sent)
        assert held.keys() == true.keys()
        names = [(day, name) for day, row in true.items() for name in row if row[name] != held[day][name]]
        assert not [(day, name, true[day][name], held[day][name]) for day, name in names]
        with clickhouse_connect.get_client(dsn=self.settings.address("clickhouse")) as client:
            rows = client.query(
                "SELECT topic, received, applied + duplicate + superseded + rejected, pending FROM positions_current"
            ).result_rows
        assert all(received == accounted and not pending for _, received, accounted, pending in rows), rows
        assert sum(received for topic, received, _, _ in rows if topic in FAMILY_OF.values()) == len(self.sent)

    def rows(self) -> dict[tuple[str, str], dict[str, object]]:
        """What PostgreSQL holds, in the words of producers/truth.py."""
        return stored_days(self.settings.address("postgres"))


def event(type_: str, user: str, day: date, entity: str, revision: int = 1, **data: Any) -> bytes:
    whole = {
        "specversion": "1.0",
        "id": f"{entity}-{revision}",
        "source": "ios/5.2.0",
        "type": type_,
        "subject": user,
        "time": f"{day}T12:00:00+00:00",
        "entity": entity,
        "revision": revision,
        "data": data,
    }
    return json.dumps(whole).encode()


def water(user: str, day: date, entity: str, revision: int = 1, ml: int = 200) -> bytes:
    return event("water.logged", user, day, entity, revision, ml=ml)


def changes(history: list[bytes], seed: int) -> list[bytes]:
    """What people do to their old days: edits, deletes, moves both ways, late firsts, imports, another day start."""
    dice = random.Random(seed)
    edge = TODAY - timedelta(days=HOT_DAYS)
    found: list[bytes] = []
    for raw in dice.sample(history, 400):
        told: Event = json.loads(raw)
        name = told["type"]
        if FAMILY_OF[name] in ("plans", "views") or name.endswith(".deleted"):
            continue
        told = {**told, "entity": told.get("entity", told["id"]), "id": f"again {dice.random()}"}
        revision = told.get("revision", 1)
        elsewhere = edge + timedelta(days=dice.choice([-20, -10, 5, 20]))
        match dice.randrange(5):
            case 0:
                told |= {"revision": revision + 1, "source": "web/1.0"}
            case 1:
                kind = {"meals": "meal.deleted", "workouts": "workout.deleted"}.get(FAMILY_OF[name], "body.deleted")
                told |= {"revision": revision + 1, "type": kind, "data": {}}
            case 2:
                told |= {"revision": revision + 1, "time": f"{elsewhere}T09:30:00+01:00"}
            case 3:
                told |= {"revision": 1, "time": f"{elsewhere}T09:30:00+01:00"}
            case 4:
                pass
        found.append(json.dumps(told).encode())
    users = sorted({json.loads(raw)["subject"] for raw in history})
    for user in dice.sample(users, 5):
        found += [water(user, edge - timedelta(days=n), f"imported {n}") for n in range(1, 30)]
        found += [water(user, TODAY - timedelta(days=1000 + n), f"long ago {n}") for n in range(100)]
    for user in dice.sample(users, 3):
        since = (edge - timedelta(days=10)).isoformat()
        found.append(event("profile.updated", user, edge, "me", 7, day_start="03:30", effective_from=since))
    dice.shuffle(found)
    return found


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Live]:
    monkeypatch.setitem(command_line.CLEAN, "DAYBOOK_QUIET_S", "1")
    folder = tmp_path / "data"
    try:
        done = daybook("up", "--detach", "--partitions", "2", "--data", folder, timeout_s=120)
        assert done.returncode == 0, done.stderr
        yield Live(folder)
    finally:
        daybook("down", "--data", folder, timeout_s=120)


@pytest.mark.slow
def test_old_days_leave_and_come_back_when_events_need_them(live: Live) -> None:
    history = list(generate.events(**POPULATION))
    live.send(history)
    live.wait()
    users = {json.loads(raw)["subject"] for raw in history}
    live.evict(users)
    for user in sorted(users):
        live.send([water(user, TODAY, "new"), water(user, TODAY, "edited before it came", 5)])
    live.wait()
    assert not live.keys(LOADS.name), "new days need nothing of the old ones"
    live.send(changes(history, seed=1))
    live.check()
    asked = {key.decode() for key in live.keys(LOADS.name)}
    assert len(asked) > 10
    assert asked <= users


def pid_of(role: str, live: Live) -> int:
    for line in daybook("status", "--data", live.folder).stdout.splitlines():
        if (words := line.split())[0] == role:
            return int(words[2])
    raise AssertionError(f"status names no {role}")


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_old_days_come_back_exactly_though_everybody_is_killed(live: Live, seed: int) -> None:
    history = list(generate.events(**POPULATION))
    live.send(history)
    live.wait()
    live.evict({json.loads(raw)["subject"] for raw in history})
    dice = random.Random(seed)
    some = changes(history, seed)
    for at in range(0, len(some), 150):
        live.send(some[at : at + 150])
        time.sleep(dice.uniform(0, 1.5))
        role = dice.choice(["worker-streams", "worker-streams", "worker-loader", "worker-clickhouse"])
        os.kill(pid_of(role, live), signal.SIGKILL)
        time.sleep(dice.uniform(0, 1.0))
        daybook("up", "--detach", "--data", live.folder, timeout_s=120)
    live.check()
