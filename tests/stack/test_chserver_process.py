"""The ClickHouse front as a process: what it acknowledged survives it, and it starts and stops in an orderly way."""

import contextlib
import signal
import socket
import threading
import time

import pytest
from clickhouse_connect.driver.exceptions import OperationalError

pytest_plugins = ["chserver_process"]
BATCH = 2000


def test_acknowledged_inserts_survive_kill_9_and_none_is_there_in_part(launch, tmp_path):
    data, acknowledged = tmp_path / "data", 0
    for round_number in range(3):
        server = launch(data)
        client = server.connect(autogenerate_session_id=False)
        client.command("CREATE TABLE IF NOT EXISTS t (i UInt64, text String) ENGINE = MergeTree ORDER BY i")
        before = client.command("SELECT count() FROM t")
        assert before in (acknowledged, acknowledged + BATCH)
        sent = acknowledged = before

        def write(client=client) -> None:
            nonlocal acknowledged
            with contextlib.suppress(OperationalError):  # the server is killed under it
                while True:
                    rows = [[i, f"row {i}"] for i in range(acknowledged, acknowledged + BATCH)]
                    client.insert("t", rows, column_names=["i", "text"])
                    acknowledged += BATCH

        writer = threading.Thread(target=write)
        writer.start()
        while acknowledged < sent + (round_number + 2) * BATCH:
            assert writer.is_alive()
            time.sleep(0.001)
        assert server.stop(signal.SIGKILL) == -signal.SIGKILL
        writer.join()
    client = launch(data).connect()
    assert client.command("SELECT count() FROM t") in (acknowledged, acknowledged + BATCH)
    assert client.command("SELECT count() = max(i) + 1 AND uniqExact(i) = count() FROM t") == 1


def test_sigterm_lets_a_running_query_finish_and_then_stops(launch, tmp_path):
    server = launch(tmp_path / "data")
    client = server.connect()
    answers = []
    asking = threading.Thread(
        target=lambda: answers.append(
            client.command("SELECT sum(sleepEachRow(1)), count() FROM numbers(3) SETTINGS max_block_size = 1")
        )
    )
    asking.start()
    while server.ask("SELECT countIf(query LIKE 'SELECT sum(sleep%') FROM system.processes").body != b"1\n":
        assert asking.is_alive()
    assert server.stop(signal.SIGTERM) == 0
    asking.join()
    assert answers == [["0", "3"]]


def test_sigterm_ends_a_query_whose_client_does_not_read_after_the_grace(launch, tmp_path):
    server = launch(tmp_path / "data", grace=0.5)
    head = f"GET /?query=SELECT+number+FROM+system.numbers HTTP/1.1\r\nHost: x\r\nAuthorization: {server.authorization}"
    with socket.create_connection(("127.0.0.1", server.port)) as idle:
        idle.sendall(f"{head}\r\n\r\n".encode())
        assert idle.recv(15) == b"HTTP/1.1 200 OK"
        assert server.stop(signal.SIGTERM) == 0
    assert "Traceback" not in server.log.read_text()


def test_a_second_front_on_the_same_folder_says_so_in_one_line(launch, tmp_path):
    first = launch(tmp_path / "data")
    second = launch(tmp_path / "data", answers=False)
    assert second.process.wait(30) == 1
    assert second.log.read_text() == (
        f"chserver: {tmp_path / 'data'} is in use by another chserver (process {first.process.pid})\n"
    )
    assert first.ask("SELECT 1").body == b"1\n"


def test_a_taken_port_is_said_in_one_line(launch, tmp_path):
    first = launch(tmp_path / "one")
    second = launch(tmp_path / "two", port=first.port, answers=False)
    assert second.process.wait(30) == 1
    assert second.log.read_text() == f"chserver: cannot listen on 127.0.0.1:{first.port}: the port is taken\n"


@pytest.mark.parametrize(
    ("name", "why"),
    [("a file/in the way", "Not a directory"), ("what?", "chdb opens no folder with a ? in its path")],
)
def test_a_folder_that_cannot_be_used_is_said_in_one_line(launch, tmp_path, name, why):
    (tmp_path / "a file").touch()
    server = launch(tmp_path / name, log=tmp_path / "log", answers=False)
    assert server.process.wait(30) == 1
    (line,) = server.log.read_text().splitlines()
    assert line.startswith("chserver: cannot ")
    assert line.endswith(why)


def test_a_killed_front_leaves_no_request_files_behind_for_the_next(launch, tmp_path):
    first = launch(tmp_path / "data")
    (tmp_path / "data" / "requests" / "left").touch()
    first.stop(signal.SIGKILL)
    second = launch(tmp_path / "data")
    assert list((tmp_path / "data" / "requests").iterdir()) == []
    assert second.stop(signal.SIGTERM) == 0


def test_a_folder_may_have_any_other_sign_in_its_name(launch, tmp_path):
    server = launch(tmp_path / "it's 100% \\ #1")
    server.ask("CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a")
    server.ask("INSERT INTO t VALUES (1)")
    assert server.ask("SELECT a FROM t").body == b"1\n"
