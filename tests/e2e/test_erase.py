"""A person is exported and erased on a real stack: nothing is left, nothing comes back, and the others keep all."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from command_line import daybook
from confluent_kafka import Producer

from daybook import settings, sinking, waiting
from daybook.erasing import receipt
from daybook.erasing.export import lines
from daybook.erasing.kafka import Log
from daybook.erasing.run import erase
from daybook.erasing.stores import Stores
from daybook.errors import Problem
from daybook.settings import Settings
from daybook.suppressing import known, secret
from daybook.verify import verify
from producers.publish import publish
from schemas.suppression import Erased

GONE, STAYS = "u_forget_mé", "u_forget_mé|not"
EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples" / "events.jsonl"


def events_of(user: str, changes: dict[str, Any] | None = None) -> list[bytes]:
    """One event of every type."""
    found = [json.loads(line) for line in EXAMPLES.read_text().splitlines()]
    recent = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 3600))
    for event in found:
        event |= {"subject": user, "id": f"{event['id']}-{user}", **(changes or {})}
        if event["type"].startswith(("view.", "reaction.")):
            event["time"] = recent
    return [json.dumps(event).encode() for event in found]


def wait(at: Settings) -> None:
    waiting.until_visible(at.address("kafka"), list(sinking.groups().values()), 120)


def left(at: Settings, user: str) -> dict[str, int]:
    """Where anything of somebody is: store and table → how much."""
    with Stores(at, user) as stores:
        found = stores.counts() | Log(at.address("kafka"), user).look().live
    return {name: count for name, count in found.items() if count}


def produce(at: Settings, topic: str, key: bytes, value: bytes) -> None:
    """Past every check, as a stranger with access to Kafka could."""
    producer = Producer({"bootstrap.servers": at.address("kafka"), "partitioner": "murmur2_random"})
    producer.produce(topic, value, key)
    assert producer.flush(30) == 0


@pytest.fixture(scope="module")
def erased(shared: Path) -> tuple[Settings, receipt.Receipt]:
    """Two whose names begin alike, and one of them erased."""
    at = settings.read(data=shared)
    kafka = at.address("kafka")
    publish(kafka, [*events_of(GONE), *events_of(STAYS)])
    produce(at, "meals", GONE.encode(), b"no JSON")
    produce(at, "meals", STAYS.encode(), events_of(GONE, {"id": "stray", "type": "meal.logged"})[0])
    wait(at)
    assert {"postgres/user_metrics_daily", "clickhouse/events", "redis/keys", "ledger"} <= {
        "ledger" if "ledger" in name else name for name in left(at, GONE)
    }
    exported = [json.loads(line) for line in lines(at, GONE)]
    assert {(e["store"], e["table"]) for e in exported} >= {
        *(("postgres", "user_metrics_daily"), ("postgres", "rejected"), ("clickhouse", "events")),
        *(("clickhouse", "entities"), ("postgres", "user_tastes"), ("kafka", "milestones")),
    }
    assert GONE.encode() in b"".join(lines(at, GONE))
    assert not any(e["row"].get("user_id", GONE) != GONE for e in exported)
    before = left(at, STAYS)
    said = erase(at, GONE, lambda line: None, 120)
    after = left(at, STAYS)
    assert before["postgres/rejected"] == before["clickhouse/rejected"] == 1, "it came under this one's key"
    assert after == {name: count for name, count in before.items() if "rejected" not in name}
    return at, said


def test_the_receipt_is_signed_counts_what_was_there_and_names_nobody(
    erased: tuple[Settings, receipt.Receipt],
) -> None:
    at, said = erased
    ours = Erased(secret(at))
    assert receipt.is_genuine(receipt.decode(receipt.encode(said)), ours)
    forged = receipt.decode(receipt.encode(said).replace(b'"after":0', b'"after":1', 1))
    assert not receipt.is_genuine(forged, ours)
    assert said.subject == ours.hash_of(GONE.encode()).hex()
    assert b"forget" not in receipt.encode(said)
    assert said.stores["postgres/user_metrics_daily"].before > 0
    assert said.stores["postgres/rejected"].before == said.stores["clickhouse/rejected"].before == 2
    assert not any(each.after for each in said.stores.values())
    assert set(said.kafka_until) >= {"meals", "views", "rejected"}


def test_late_uploads_edits_and_replays_bring_nobody_back_and_verify_finds_nothing_wrong(
    erased: tuple[Settings, receipt.Receipt],
) -> None:
    at, _ = erased
    publish(at.address("kafka"), events_of(GONE, {"revision": 9}))
    produce(at, "meals", GONE.encode(), b"no JSON either")
    produce(at, "views", b"somebody", events_of(GONE)[-1])
    produce(at, "meals", STAYS.encode(), events_of(GONE, {"id": "stray again"})[0])
    wait(at)
    assert left(at, GONE) == {}
    assert verify(at).mismatches == []
    assert known(at).has(GONE.encode())
    assert not known(at).has(STAYS.encode())


@pytest.mark.slow
def test_an_erasure_that_was_cut_short_goes_on_and_its_receipt_counts_what_there_was_first(shared: Path) -> None:
    at, user = settings.read(data=shared), "u_interrupted"
    publish(at.address("kafka"), events_of(user))
    wait(at)

    def cut(line: str) -> None:
        if line.startswith("the streams"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        erase(at, user, cut, 120)
    assert "postgres/user_metrics_daily" in left(at, user)
    done = daybook("erase", user, "--data", shared, timeout_s=120)
    assert done.returncode == 0, done.stderr
    said = receipt.decode(done.stdout.encode())
    assert said.stores["kafka/daily"].before > 0, "what was found before the first try"
    assert left(at, user) == {}
    checked = daybook("erase", "--check", "-", "--data", shared, stdin=done.stdout)
    assert checked.returncode == 0, checked.stderr
    assert "genuine" in checked.stderr


def test_two_erasures_at_once_are_told_from_each_other(shared: Path) -> None:
    at = settings.read(data=shared)
    with Stores(at, "u_x") as stores:
        from daybook.erasing.run import _LOCK

        stores.postgres.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        with pytest.raises(Problem, match="another erasure is under way"):
            erase(at, "u_x", lambda line: None)
