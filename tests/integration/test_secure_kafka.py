"""Kafka as it is deployed: TLS, a name with a password for every role, and no more than its list of rules."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError as AIOKafkaError
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from secure_kafka import SecureKafka, running

from daybook import access, allowing, kafka, topics
from daybook.errors import Problem
from schemas import broker
from schemas.broker import Broker
from schemas.topics import DAILY, DAILY_APP, MEALS, TOPICS
from streams.runtime.producer import FencedProducer

pytestmark = [
    pytest.mark.skipif(shutil.which("openssl") is None, reason="the script of the certificates wants openssl"),
    pytest.mark.slow,
]


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    with running(tmp_path_factory.mktemp("secure")) as found:
        topics.migrate(found.as_role(access.OPERATOR), 2, lambda line: None)
        yield found


def write(to: Broker, topic: str) -> str:
    """What the broker says to one record: nothing, or the name of the refusal."""
    said: list[Any] = []
    producer = Producer({**broker.librdkafka(to), "message.timeout.ms": 20_000, "log_level": 0})
    producer.produce(topic, b"x", b"k", on_delivery=lambda error, _: said.append(error))
    assert producer.flush(30) == 0
    return said[0].name() if said[0] is not None else ""


def read(to: Broker, topic: str) -> str:
    """The same for reading a partition to its end."""
    settings = {
        "group.id": "daybook-look-test",
        "enable.partition.eof": True,
        "enable.auto.commit": False,
        "log_level": 0,
    }
    consumer = Consumer({**broker.librdkafka(to), **settings})
    consumer.assign([TopicPartition(topic, 0, 0)])
    try:
        while True:
            message = consumer.poll(30)
            assert message is not None, "neither read nor refused"
            error = message.error()
            if error is None:
                continue
            return "" if error.code() == KafkaError._PARTITION_EOF else error.name()
    finally:
        consumer.close()


REFUSED = "TOPIC_AUTHORIZATION_FAILED"


def test_nobody_comes_in_without_tls_without_a_name_or_with_a_wrong_password(secure: SecureKafka) -> None:
    plain = f"127.0.0.1:{secure.client}"
    for who, why in (
        (plain, "does not answer"),
        (Broker(plain, "ssl", ca=secure.certificates / "ca.pem"), "does not answer"),
        (secure.as_role("streams", password="not-the-one"), "[Aa]uthentication"),
        (
            Broker(plain, "sasl_ssl", user="nobody", password="not-the-one", ca=secure.certificates / "ca.pem"),
            "[Aa]uth",
        ),
    ):
        with pytest.raises(Problem, match=why) as refused:
            kafka.partition_counts(kafka.admin(who), who)
        assert "not-the-one" not in str(refused.value)


def test_a_broker_whose_certificate_comes_from_elsewhere_is_not_talked_to(secure: SecureKafka) -> None:
    me = secure.as_role("streams")
    stranger = Broker(str(me), "sasl_ssl", user=me.user, password=me.password)  # the system's authorities
    with pytest.raises(Problem, match="certificate"):
        kafka.partition_counts(kafka.admin(stranger), stranger)


async def test_aiokafka_is_let_in_by_the_same_login_and_refused_without(secure: SecureKafka) -> None:
    async def send(who: str) -> None:
        async with AIOKafkaProducer(**broker.aiokafka(who), request_timeout_ms=20_000) as producer:
            await producer.send_and_wait(MEALS.name, b"x", b"k")

    await send(secure.as_role("api"))
    with pytest.raises(AIOKafkaError):
        await send(secure.as_role("api", password="not-the-one"))
    with pytest.raises(AIOKafkaError):
        await send(secure.as_role("redis"))


@pytest.mark.parametrize("role", [role for role in access.services() if role not in (access.OPERATOR, access.LOOKER)])
def test_a_role_writes_and_reads_what_is_on_its_list_and_nothing_else(secure: SecureKafka, role: str) -> None:
    mine = [rule for rule in access.rules() if rule.user == access.USER + role and rule.kind == "topic"]

    def may(operation: str, topic: str) -> bool:
        return any(
            rule.operation == operation and (topic.startswith(rule.name) if rule.prefixed else topic == rule.name)
            for rule in mine
        )

    who = secure.as_role(role)
    asked: list[tuple[Callable[[Broker, str], str], str]] = [(write, "Write"), (read, "Read")]
    for ask, operation in asked:
        allowed = [topic.name for topic in TOPICS if may(operation, topic.name)]
        denied = [topic.name for topic in TOPICS if not may(operation, topic.name)]
        assert denied, f"{role} may not {operation} all"
        said = {name: ask(who, name) for name in [*allowed[:2], *denied[:2], DAILY.name]}
        assert said == {name: "" if may(operation, name) else REFUSED for name in said}, operation


async def test_the_transactions_of_a_partition_belong_to_its_stream_alone(secure: SecureKafka) -> None:
    own = FencedProducer(secure.as_role("streams"), f"{DAILY_APP}-ledger-0", transaction_timeout_s=20.0)
    await asyncio.wait_for(own.start([DAILY.name]), 60)
    await own.stop()
    thief = FencedProducer(secure.as_role("progress"), f"{DAILY_APP}-ledger-0", transaction_timeout_s=20.0)
    with pytest.raises(AIOKafkaError, match=r"[Aa]uthori"):
        await asyncio.wait_for(thief.start([DAILY.name]), 60)
    await thief.stop()


def test_no_role_but_the_operator_makes_or_deletes_topics_and_nobody_changes_the_rules(secure: SecureKafka) -> None:
    from confluent_kafka.admin import NewTopic

    for role in ("streams", "api", access.OPERATOR, access.LOOKER):
        client = kafka.admin(secure.as_role(role))
        made = client.create_topics([NewTopic(f"of-{role}", num_partitions=1, replication_factor=1)])[f"of-{role}"]
        if role == access.OPERATOR:
            made.result()
            client.delete_topics(["of-operator"])["of-operator"].result()
        else:
            with pytest.raises(KafkaException):
                made.result()
            with pytest.raises(KafkaException):
                client.delete_topics([MEALS.name])[MEALS.name].result()
        (asked,) = client.create_acls([allowing._binding(access.Rule("me", "All", "topic", "*"))]).values()
        with pytest.raises(KafkaException, match=r"(?i)authoriz"):
            asked.result()


def test_the_rules_are_brought_to_the_list_again_and_those_of_others_stay(secure: SecureKafka) -> None:
    local = f"127.0.0.1:{secure.local}"
    for each in (
        access.Rule("daybook-redis", "Write", "topic", "meals"),
        access.Rule("else", "Read", "topic", "meals"),
    ):
        client = kafka.admin(local)  # held: its futures fail with it
        (future,) = client.create_acls([allowing._binding(each)]).values()
        future.result()
    said: list[str] = []
    allowing.allow(local, said.append)
    assert "0 of them new; 1 taken away" in said[0]
    said.clear()
    allowing.allow(local, said.append)
    assert "0 of them new; 0 taken away" in said[0]


def test_the_folder_of_the_test_is_private(secure: SecureKafka) -> None:
    for key in Path(secure.certificates).glob("*.key"):
        assert key.stat().st_mode & 0o077 == 0
