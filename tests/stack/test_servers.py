"""The four servers as their clients and their operator meet them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest
import redis
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from conftest import RunningStack

from stack import ports
from stack.config import Config
from stack.errors import StackError
from stack.kafka import STEADY, Kafka
from stack.process import Process
from stack.stack import SERVERS, Endpoints, Stack

# Long (a unix socket's path ends at about 100 characters), with what breaks lists and command lines.
ODD = "a folder, with a comma; 'quotes' and ünïcode" + "-and-more" * 15


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def own(tmp_path: Path, said: list[str]) -> Iterator[Stack]:
    """A stack of the test's own, not yet started."""
    servers = Stack(tmp_path / ODD, say=said.append)
    yield servers
    servers.down()


def pids(servers: Stack) -> dict[str, int | None]:
    return {status.name: status.pid for status in servers.status()}


def running(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def query(url: str, statement: str) -> str:
    parts = urlsplit(url)
    plain = f"{parts.scheme}://{parts.hostname}:{parts.port}/?database={parts.path.strip('/')}"
    opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(_passwords(url, plain)))
    with opener.open(urllib.request.Request(plain, data=statement.encode()), timeout=30) as reply:
        return str(reply.read().decode())


def _passwords(url: str, plain: str) -> urllib.request.HTTPPasswordMgrWithDefaultRealm:
    known = urllib.request.HTTPPasswordMgrWithPriorAuth()
    known.add_password(None, plain, urlsplit(url).username or "", urlsplit(url).password or "", is_authenticated=True)
    return known


def make_topic(kafka: str, name: str, partitions: int) -> None:
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_topics([NewTopic(name, partitions, 1)])[name].result(30)


def write_everywhere(at: Endpoints) -> None:
    make_topic(at.kafka, "kept", 1)
    producer = Producer({"bootstrap.servers": at.kafka, "acks": "all"})
    producer.produce("kept", b"still here")
    assert producer.flush(30) == 0
    with psycopg.connect(at.postgres) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 'still here' AS value")
    query(at.clickhouse, "CREATE TABLE kept ENGINE MergeTree ORDER BY value AS SELECT 'still here' AS value")
    redis.Redis.from_url(at.redis).set("kept", "still here")


def read_everywhere(at: Endpoints) -> dict[str, str]:
    reader = {"group.id": "reader", "auto.offset.reset": "earliest", "enable.auto.commit": False}
    consumer = Consumer(reader | {"bootstrap.servers": at.kafka})
    try:
        consumer.subscribe(["kept"])
        message = consumer.poll(30)
        assert message is not None
        assert message.error() is None
    finally:
        consumer.close()
    with psycopg.connect(at.postgres) as connection:
        row = connection.execute("SELECT value FROM kept").fetchone()
        assert row is not None
    return {
        "kafka": message.value().decode(),
        "postgres": row[0],
        "clickhouse": query(at.clickhouse, "SELECT value FROM kept").strip(),
        "redis": redis.Redis.from_url(at.redis, decode_responses=True).get("kept"),
    }


STILL_HERE = dict.fromkeys(SERVERS, "still here")


def test_a_broker_starts_with_the_settings_that_its_stack_was_given(tmp_path: Path) -> None:
    def settings(more: Mapping[str, object]) -> dict[str, str]:
        broker = Kafka(tmp_path, Config(tmp_path / "stack.json"), lambda _: None, more)
        assert "server.properties" in broker.prepare().argv
        return dict(line.split("=", 1) for line in (broker.home / "server.properties").read_text().splitlines())

    usual, steady = settings({}), settings(STEADY)
    assert int(steady["broker.session.timeout.ms"]) > int(usual["broker.session.timeout.ms"])
    assert usual.keys() == steady.keys()
    assert Stack(tmp_path, kafka=STEADY)._server("kafka", Config(tmp_path / "stack.json")).settings == STEADY  # type: ignore[attr-defined]


async def test_a_kafka_transaction_is_seen_whole_or_not_at_all(stack: RunningStack) -> None:
    kafka = stack.endpoints.kafka
    topic = "stack-transactions"
    make_topic(kafka, topic, 2)
    async with AIOKafkaProducer(bootstrap_servers=kafka, transactional_id="stack-test") as producer:
        async with producer.transaction():
            for partition in (0, 1):
                await producer.send_and_wait(topic, b"committed", partition=partition)
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"aborted", partition=0)
        await producer.abort_transaction()
        async with producer.transaction():
            await producer.send_and_wait(topic, b"last", partition=0)
    seen: list[bytes] = []
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=kafka, isolation_level="read_committed", auto_offset_reset="earliest"
    )
    async with consumer:
        while b"last" not in seen or len(seen) < 3:
            seen += [m.value for batch in (await consumer.getmany(timeout_ms=500)).values() for m in batch]
    assert sorted(seen) == [b"committed", b"committed", b"last"]


def test_topics_are_not_made_by_mentioning_them(stack: RunningStack) -> None:
    producer = Producer({"bootstrap.servers": stack.endpoints.kafka, "message.timeout.ms": 3000})
    refused: list[str] = []
    producer.produce("never-created", b"x", on_delivery=lambda error, _: refused.append(error.name()))
    producer.flush(30)
    assert refused in (["UNKNOWN_TOPIC_OR_PART"], ["_UNKNOWN_TOPIC"], ["_MSG_TIMED_OUT"])
    assert "never-created" not in AdminClient({"bootstrap.servers": stack.endpoints.kafka}).list_topics().topics


def test_postgres_is_18_keeps_fsync_on_and_has_the_database(stack: RunningStack) -> None:
    with psycopg.connect(stack.endpoints.postgres) as connection:
        shown = (
            "SELECT current_setting('server_version_num')::int / 10000, current_setting('fsync'), current_database()"
        )
        assert connection.execute(shown).fetchone() == (18, "on", "daybook")


def test_redis_evicts_nothing_and_logs_what_it_is_told(stack: RunningStack) -> None:
    client = redis.Redis.from_url(stack.endpoints.redis, decode_responses=True)
    assert client.config_get("maxmemory-policy", "appendonly") == {
        "maxmemory-policy": "noeviction",
        "appendonly": "yes",
    }


@pytest.mark.parametrize("server", ["postgres", "clickhouse", "redis"])
def test_a_wrong_password_is_refused(stack: RunningStack, server: str) -> None:
    url = getattr(stack.endpoints, server)
    wrong = url.replace(urlsplit(url).password, "wrong")
    knock = {
        "postgres": psycopg.connect,
        "clickhouse": lambda url: query(url, "SELECT 1"),
        "redis": lambda url: redis.Redis.from_url(url).ping(),
    }[server]
    with pytest.raises((psycopg.OperationalError, redis.AuthenticationError, urllib.error.HTTPError)):
        knock(wrong)


def test_all_ports_are_on_this_machine_only(stack: RunningStack) -> None:
    for status in stack.stack.status():
        listening = [c.laddr.ip for c in psutil.Process(status.pid).net_connections() if c.status == "LISTEN"]
        assert set(listening) == {"127.0.0.1"}, status.name


def test_secrets_are_for_the_owner_only(stack: RunningStack) -> None:
    folder = stack.stack.folder
    password = urlsplit(stack.endpoints.clickhouse).password
    assert (folder / "stack.json").stat().st_mode & 0o077 == 0
    assert password not in " ".join(map(str, psutil.Process(pids(stack.stack)["clickhouse"]).cmdline()))


def test_up_again_starts_nothing_and_says_so(stack: RunningStack) -> None:
    said: list[str] = []
    before = pids(stack.stack)
    assert Stack(stack.stack.folder, say=said.append).up() == stack.endpoints
    assert pids(stack.stack) == before
    assert sorted(line.split(",")[0] for line in said) == sorted(f"{name}: already running" for name in SERVERS)


def test_status_tells_a_frozen_server_from_a_healthy_one(stack: RunningStack) -> None:
    assert all(status.healthy and status.state == "running" for status in stack.stack.status())
    stack.stack.kill("redis", signal.SIGSTOP)
    try:
        frozen = {status.name for status in stack.stack.status() if not status.healthy}
    finally:
        stack.stack.kill("redis", signal.SIGCONT)
    assert frozen == {"redis"}
    assert all(status.healthy for status in stack.stack.status())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to give up being root")
def test_started_by_root_postgres_runs_as_somebody_else(stack: RunningStack) -> None:
    assert psutil.Process(pids(stack.stack)["postgres"]).uids().real != 0


def test_data_survive_kill_9_of_every_process_and_restarts(own: Stack) -> None:
    at = own.up()
    write_everywhere(at)
    before = pids(own)
    for name in SERVERS:
        own.kill(name)
    assert [status.state for status in own.status()] == ["stale"] * len(SERVERS)
    assert own.up() == at
    assert not set(before.values()) & set(pids(own).values())
    assert read_everywhere(at) == STILL_HERE
    own.down()
    assert [status.state for status in own.status()] == ["stopped"] * len(SERVERS)
    assert own.up() == at
    assert read_everywhere(at) == STILL_HERE


def test_down_leaves_no_process(own: Stack) -> None:
    own.up()
    family = [
        member
        for pid in pids(own).values()
        for member in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True))
    ]
    assert len(family) > len(SERVERS)
    own.down()
    assert running(family) == []
    with pytest.raises(StackError, match="no servers run in"):
        own.endpoints()


def test_a_stale_pid_file_never_blocks_a_start_or_hits_a_stranger(own: Stack) -> None:
    only = ["postgres", "redis"]
    own.up(only)
    for name in only:
        own.kill(name)
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        for name in only:  # as if the stranger had been given the dead servers' numbers
            file = own.folder / "run" / f"{name}.json"
            file.write_text(json.dumps(json.loads(file.read_text()) | {"pid": stranger.pid}))
        lock = own.folder / "postgres" / "postmaster.pid"
        lock.write_text("\n".join([str(stranger.pid), *lock.read_text().splitlines()[1:]]) + "\n")
        own.up(only)
        assert {status.name for status in own.status() if status.healthy} == set(only)
        own.down()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_server_whose_pid_file_is_lost_is_found_and_replaced(own: Stack) -> None:
    own.up(["postgres", "redis"])
    lost = [psutil.Process(pids(own)[name]) for name in ("postgres", "redis")]
    for name in ("postgres", "redis"):
        (own.folder / "run" / f"{name}.json").unlink()
    own.up(["postgres", "redis"])
    assert running(lost) == []


def test_down_finds_servers_whose_folder_was_removed(own: Stack) -> None:
    own.up(["redis"])
    lost = [psutil.Process(pids(own)["redis"])]
    shutil.rmtree(own.folder)
    own.down()
    assert running(lost) == []


def test_a_folder_removed_under_running_servers_can_be_used_again(own: Stack) -> None:
    own.up(["postgres", "redis"])
    lost = [psutil.Process(pids(own)[name]) for name in ("postgres", "redis")]
    shutil.rmtree(own.folder, ignore_errors=True)
    at = own.up(["postgres", "redis"])
    assert running(lost) == []
    with psycopg.connect(at.postgres) as connection:
        connection.execute("CREATE TABLE fresh (id int)")
    own.restart("postgres")


def test_a_port_taken_by_a_stranger_is_given_up_for_another(own: Stack, said: list[str]) -> None:
    old = urlsplit(own.up(["redis"]).redis).port
    own.down()
    with socket.create_server((ports.HOST, old)):
        new = urlsplit(own.up(["redis"]).redis).port
    assert new != old
    assert f"redis: port {old} was taken by another program; now {new}" in said
    assert urlsplit(own.endpoints().redis).port == new


def test_a_restart_keeps_port_and_data(own: Stack) -> None:
    at = own.up(["redis"])
    client = redis.Redis.from_url(at.redis, decode_responses=True)
    client.set("kept", "1")
    before = pids(own)["redis"]
    own.restart("redis")
    assert pids(own)["redis"] != before
    assert own.endpoints() == at
    assert client.get("kept") == "1"


def test_two_ups_at_once_start_one_set_of_servers(own: Stack) -> None:
    script = f"from stack.stack import Stack; print(Stack({str(own.folder)!r}).up(['postgres', 'redis']))"
    ups = [subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answers = [up.communicate(timeout=120)[0] for up in ups]
    assert [up.returncode for up in ups] == [0, 0]
    assert answers[0] == answers[1] != ""
    assert {status.name for status in own.status() if status.healthy} == {"postgres", "redis"}


def test_whoever_reads_the_output_of_up_to_its_end_does_not_wait_for_the_servers(own: Stack) -> None:
    script = f"from stack.stack import Stack; Stack({str(own.folder)!r}).up(['postgres', 'redis'])"
    done = subprocess.run(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout
    assert {status.name for status in own.status() if status.healthy} == {"postgres", "redis"}


def test_a_server_that_ends_while_starting_is_an_error_with_the_end_of_its_log(own: Stack) -> None:
    own.up(["redis", "postgres"])
    own.down()
    (own.folder / "redis" / "appendonlydir" / "appendonly.aof.1.incr.aof").write_text("*1\r\n$9\r\nnot redis")
    (own.folder / "redis" / "appendonlydir" / "appendonly.aof.manifest").write_text("nonsense\n")
    with pytest.raises(StackError, match=r"(?s)redis ended while starting; the end of .*redis\.log:.*AOF"):
        own.up(["redis", "postgres"])
    assert [status.state for status in own.status()] == ["stopped"] * len(SERVERS), "what it started is stopped again"


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StackError, match=r"^the data folder .*/file/below cannot be made: Not a directory$"):
        Stack(tmp_path / "file" / "below").up()


def test_a_damaged_config_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text('{"ports":')
    with pytest.raises(StackError, match=r"^.*/stack\.json is damaged .*$"):
        Stack(tmp_path).up()


def test_an_unknown_server_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="no server called 'oracle'"):
        Stack(tmp_path).up(["oracle"])


def test_a_folder_without_servers_says_so(tmp_path: Path) -> None:
    assert Stack(tmp_path).status() == []
    Stack(tmp_path).down()
    with pytest.raises(StackError, match=f"no servers run in {tmp_path}"):
        Stack(tmp_path).endpoints()


def test_a_copied_folder_does_not_stop_the_servers_of_the_original(own: Stack, tmp_path: Path) -> None:
    own.up(["redis"])
    copy = tmp_path / "copy"
    (copy / "run").mkdir(parents=True)
    for name in ("stack.json", "run/redis.json"):
        (copy / name).write_text((own.folder / name).read_text())
    Stack(copy, say=print).down()
    assert Process(own.folder.resolve(), "redis").state() == "running"
