"""The analyst on the embedded front: asks of one database, so much at a time and an hour, and does nothing else."""

from __future__ import annotations

import os
import socket
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import clickhouse_connect
import pytest
from chserver_process import DATABASE, USER, Server, start

from stack.chserver import analyst
from stack.chserver.errors import ServerError

ROOT = Path(__file__).parents[2]
KEY = "only-asks"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    os.environ["DAYBOOK_CHSERVER_ANALYST_PASSWORD"] = KEY
    try:
        found = start(tmp_path_factory.mktemp("analyst") / "data")
        try:
            for statement in (
                "CREATE TABLE days (user_id String, steps UInt32) ENGINE = MergeTree ORDER BY user_id",
                "INSERT INTO days SELECT toString(number), number FROM numbers(1000)",
                "CREATE VIEW days_current AS SELECT user_id, max(steps) AS steps FROM days GROUP BY user_id",
                "CREATE TABLE default.elsewhere (x Int8) ENGINE = MergeTree ORDER BY x",
            ):
                assert found.ask(statement).status == 200
            yield found
        finally:
            found.stop()
            found.process.kill()
    finally:
        del os.environ["DAYBOOK_CHSERVER_ANALYST_PASSWORD"]


def ask(server: Server, statement: str, method: str = "POST", **url: str) -> tuple[int, str]:
    headers = {"Authorization": "", "X-ClickHouse-User": analyst.USER, "X-ClickHouse-Key": KEY}
    reply = server.ask(statement, method, headers, **url)
    return reply.status, reply.body.decode()


@pytest.mark.parametrize(
    ("statement", "answer"),
    [
        ("SELECT count(), uniq(user_id) FROM days", "1000\t1000"),
        ("SELECT sum(steps) FROM days_current", "499500"),
        ("WITH big AS (SELECT * FROM daybook.days WHERE steps > 990) SELECT count() FROM big", "9"),
        ("SELECT uniqMerge(s) FROM (SELECT uniqState(user_id) AS s FROM days)", "1000"),
        ("SHOW TABLES", "days"),
        ("DESCRIBE TABLE days", "user_id"),
        ("SELECT name FROM system.tables WHERE database = 'daybook' ORDER BY name LIMIT 1", "days"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_questions_about_the_database_are_answered(server: Server, statement: str, answer: str, method: str) -> None:
    status, said = ask(server, statement, method)
    assert (status, said.startswith(answer)) == (200, True), said


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO days VALUES ('x', 1)",
        "INSERT INTO days SELECT * FROM days",
        "DROP TABLE days",
        "TRUNCATE TABLE days",
        "ALTER TABLE days DELETE WHERE 1",
        "CREATE TABLE mine (x Int8) ENGINE = Memory",
        "CREATE TEMPORARY TABLE mine (x Int8)",
        "OPTIMIZE TABLE days FINAL",
        "SYSTEM SHUTDOWN",
        "KILL QUERY WHERE 1",
        "SET readonly = 0",
        "SET max_execution_time = 0",
        "USE default",
        "SELECT count() FROM days SETTINGS max_rows_to_read = 0",
        "SELECT count() FROM days SETTINGS readonly = 0",
        "SELECT file('/etc/hostname')",
        "SELECT `file`('/etc/hostname')",
        "SELECT * FROM file('/etc/hostname', 'LineAsString')",
        "SELECT (SELECT x FROM (SELECT file('/etc/hostname') AS x))",
        "DESCRIBE TABLE file('/etc/hostname')",
        "EXPLAIN SELECT file('/etc/hostname')",
        "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
        "SELECT * FROM remote('127.0.0.1', system.one)",
        "SELECT * FROM merge('system', '.*')",
        "SELECT * FROM s3('http://127.0.0.1:1/bucket/x', 'CSV')",
        "SELECT * FROM sqlite('/tmp/x', 'y')",
        "SELECT * FROM executable('ls', 'TSV', 'x String')",
        "SELECT * FROM python('x')",
        "SELECT * FROM system.processes",
        "SELECT * FROM `system`.`processes`",
        "SELECT * FROM default.elsewhere",
        "SELECT 1 INTO OUTFILE '/tmp/x'",
    ],
)
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_all_else_is_refused(server: Server, statement: str, method: str) -> None:
    status, said = ask(server, statement, method)
    assert status != 200, said
    assert "DB::Exception" in said
    assert server.ask("SELECT count() FROM days").body == b"1000\n"


def test_neither_a_parameter_nor_another_database_nor_a_foreign_session_opens_more(server: Server) -> None:
    for url in ({"readonly": "0"}, {"max_rows_to_read": "0"}, {"max_execution_time": "0"}, {"max_threads": "64"}):
        status, said = ask(server, "SELECT count() FROM days", **url)
        assert (status == 200, "readonly" in said) == (False, True), said
    assert "default is not its" in ask(server, "SHOW TABLES", database="default")[1]
    assert server.ask("CREATE TEMPORARY TABLE held (x Int8)", session_id="owners").status == 200
    status, said = ask(server, "SELECT count() FROM held", session_id="owners")
    assert status == 404, said


def test_one_query_ends_at_its_limits(server: Server) -> None:
    status, said = ask(server, "SELECT number FROM numbers(2000000)", wait_end_of_query="1")
    assert status != 200
    assert "max_result_rows" in said or "TOO_MANY_ROWS" in said


def test_a_client_library_works_as_the_analyst_and_is_refused_as_one(server: Server) -> None:
    address: dict[str, Any] = {**server.address, "username": analyst.USER, "password": KEY}
    with clickhouse_connect.get_client(**address) as client:
        assert client.query("SELECT count() FROM days WHERE steps < {n:UInt32}", {"n": 10}).result_rows == [(10,)]
        with pytest.raises(clickhouse_connect.driver.exceptions.DatabaseError, match=r"READONLY|ACCESS_DENIED"):
            client.insert("days", [["x", 1]], column_names=["user_id", "steps"])


def test_a_wrong_password_is_nobody(server: Server) -> None:
    for user, key in ((analyst.USER, "guess"), (analyst.USER, ""), (USER, KEY)):
        headers = {"Authorization": "", "X-ClickHouse-User": user, "X-ClickHouse-Key": key}
        assert server.ask("SELECT 1", headers=headers).status == 403


def test_after_so_many_queries_or_seconds_the_hour_is_over() -> None:
    now = 0.0
    quota = analyst.Quota(lambda: now)
    for _ in range(analyst.QUERIES):
        quota.begin()
    with pytest.raises(ServerError, match=r"Quota for user `analyst` for 3600s has been exceeded: queries"):
        quota.begin()
    now = analyst.INTERVAL_S
    quota.begin()
    quota.end(analyst.SECONDS)
    with pytest.raises(ServerError, match="execution_time"):
        quota.begin()
    now *= 2
    quota.begin()


def test_the_deployed_server_has_the_same_numbers() -> None:
    told = ET.parse(ROOT / "deploy" / "clickhouse" / "analyst.xml").getroot()
    profile = {each.tag: each.text for each in told.find("profiles/analyst") or ()}
    assert profile == analyst.settings()
    interval = {each.tag: each.text for each in told.find("quotas/analyst/interval") or ()}
    numbers = (analyst.INTERVAL_S, analyst.QUERIES, analyst.SECONDS)
    assert interval == dict(zip(("duration", "queries", "execution_time"), map(str, numbers), strict=True))
    assert [each.text for each in told.iter("query")] == [f"GRANT SELECT, SHOW ON {DATABASE}.*"]


def test_the_port_of_the_front_is_on_this_machine_alone(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as open_here:
        assert open_here.getpeername()[0] == "127.0.0.1"
