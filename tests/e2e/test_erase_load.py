"""One of 1,000 users is erased while all of them send, and while workers are killed: no trace, and no mismatch."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import daybook, ran

from daybook import settings, sinking, waiting
from daybook.erasing import receipt
from daybook.erasing.kafka import Log
from daybook.erasing.stores import Stores
from daybook.settings import Settings
from daybook.verify import verify
from producers.publish import publish

pytestmark = pytest.mark.slow
USERS = 1_000
GONE = "u0000417"
A_ROUND = 400


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    data = tmp_path_factory.mktemp("erase") / "data"
    try:
        ran("up", "--detach", "--partitions", 4, data=data)
        yield settings.read(data=data)
    finally:
        daybook("down", "--data", data, timeout_s=180)


def some(dice: random.Random, number: int) -> Iterator[bytes]:
    """Events of anybody, the one who leaves more often than others; edits and deletes among them."""
    now = time.time()
    for each in range(number, number + A_ROUND):
        user = GONE if dice.random() < 0.02 else f"u{dice.randrange(USERS):07}"
        head = {"specversion": "1.0", "id": f"e{each}", "subject": user, "source": "ios/1"}
        entity = {"entity": f"{user}-{dice.randrange(20)}", "revision": dice.randrange(1, 6)}
        day = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - 86_400 * dice.randrange(1, 50)))
        soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - 60))
        kind = dice.random()
        if kind < 0.5:
            data = {"meal_type": "lunch", "items": [{"name": "Soup", "energy_kcal": dice.randrange(900)}]}
            yield json.dumps({**head, **entity, "type": "meal.logged", "time": day, "data": data}).encode()
        elif kind < 0.6:
            yield json.dumps({**head, **entity, "type": "meal.deleted", "time": day, "data": {}}).encode()
        elif kind < 0.8:
            data = {"duration_s": 600, "steps": dice.randrange(2_000)}
            yield json.dumps({**head, **entity, "type": "activity.recorded", "time": day, "data": data}).encode()
        else:
            content = f"v{dice.randrange(50)}"
            data = {"content": content, "creator": f"c{content}", "watched_s": 40, "category": "food"}
            yield json.dumps({**head, "type": "view.recorded", "time": soon, "data": data}).encode()


def kill(data: Path, role: str) -> None:
    lines = ran("status", data=data).splitlines()
    for line in lines:
        if line.split()[0] == f"worker-{role}" and line.split()[2].isdigit():
            os.kill(int(line.split()[2]), signal.SIGKILL)


def test_one_of_a_thousand_leaves_under_load_and_kills_without_a_trace_and_without_a_mismatch(at: Settings) -> None:
    kafka, dice, ends = at.address("kafka"), random.Random(7), threading.Event()
    sent = [0]

    def load() -> None:
        while not ends.is_set():
            publish(kafka, list(some(dice, sent[0])))
            sent[0] += A_ROUND
            ends.wait(0.4)

    sending = threading.Thread(target=load)
    sending.start()
    try:
        time.sleep(10)
        said = None
        for role in ("streams", "affinity", "clickhouse", None):
            erasing = threading.Thread(target=lambda: daybook("erase", GONE, "--timeout", 15, "--data", at.data))
            if role is not None:
                erasing.start()
                time.sleep(2)
                kill(at.data, role)
                ran("up", "--detach", data=at.data)
                erasing.join(120)
                continue
            done = daybook("erase", GONE, "--timeout", 120, "--data", at.data, timeout_s=400)
            assert done.returncode == 0, done.stderr
            said = receipt.decode(done.stdout.encode())
        time.sleep(5)
    finally:
        ends.set()
        sending.join(60)
    assert said is not None
    assert said.is_clean
    assert sent[0] > 5_000
    waiting.until_visible(kafka, list(sinking.groups().values()), 180)
    with Stores(at, GONE) as stores:
        found = stores.counts() | Log(kafka, GONE).look().live
    assert {name: count for name, count in found.items() if count} == {}
    report = verify(at)
    assert report.mismatches == []
    assert report.users > USERS * 0.9, "everybody else is there"
