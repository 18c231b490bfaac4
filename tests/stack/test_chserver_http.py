"""The ClickHouse front, asked in plain HTTP as curl asks: framing, codings, who may ask, statuses and headers."""

import gzip
import json
import socket
import time

import lz4.frame
import psutil
import pytest
import zstandard

pytest_plugins = ["chserver_process"]


@pytest.fixture
def table(front):
    assert front.ask("CREATE TABLE t (a UInt64, b String) ENGINE = MergeTree ORDER BY a").status == 200
    return "t"


@pytest.fixture
def count(front):
    return lambda: int(front.ask("SELECT count() FROM t").body)


def insert_head(front, *headers: str) -> str:
    lines = ["POST /?database=daybook&query=INSERT+INTO+t+FORMAT+CSV HTTP/1.1", "Host: x"]
    return "\r\n".join([*lines, f"Authorization: {front.authorization}", *headers, "", ""])


@pytest.mark.parametrize("path", ["/ping", "/replicas_status", "/"])
def test_health_is_told_to_everyone(front, path):
    assert front.send(f"GET {path} HTTP/1.0\r\n\r\n").endswith(b"\r\n\r\nOk.\n")
    assert front.send(f"HEAD {path} HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.0 200 OK")


def test_an_unknown_path_says_where_to_go(front):
    answer = front.send("GET /nowhere HTTP/1.0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.0 404")
    assert b"There is no handle /nowhere" in answer


def test_a_statement_comes_in_the_body_in_the_url_or_in_both(front):
    assert front.ask("SELECT 1").body == b"1\n"
    assert front.ask("SELECT 1", "GET").body == b"1\n"
    assert front.ask("1, 2", query="SELECT").body == b"1\t2\n"
    assert front.ask("SELECT 1 -- the end").body == b"1\n"
    assert front.ask("SELECT ';' AS format;").body == b";\n"


def test_a_get_only_reads(front, table, count):
    assert front.ask("SELECT count() FROM t", "GET").body == b"0\n"
    assert front.ask("SHOW TABLES", "GET").body == b"t\n"
    for sql in ("INSERT INTO t VALUES (1, 'x')", "INSERT INTO t SELECT 1, 'x'", "DROP TABLE t", "TRUNCATE TABLE t"):
        refused = front.ask(sql, "GET")
        assert refused.headers["X-ClickHouse-Exception-Code"] == "164"
        assert b"(READONLY)" in refused.body
    assert count() == 0


def test_a_chunked_body_is_inserted_whole(front, table, count):
    chunks = "".join(f"{len(f'{i},x'):x}\r\n{i},x\r\n1\r\n\n\r\n" for i in range(1000))
    head = insert_head(front, "Transfer-Encoding: chunked", "Connection: close")
    answer = front.send(head, chunks, "0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    assert b'"written_rows":"1000"' in answer
    assert count() == 1000


def test_a_client_that_waits_for_100_continue_is_told_to_go_on(front, table, count):
    head = insert_head(front, "Content-Length: 4", "Expect: 100-continue", "Connection: close")
    assert front.send(head, "1,x\n").startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")
    assert count() == 1


@pytest.mark.parametrize(
    ("header", "body"),
    [("Content-Length: 1000", "1,x\n2,y\n"), ("Transfer-Encoding: chunked", "8\r\n1,x\n2,y\n\r\n")],
)
def test_a_body_cut_short_inserts_nothing(front, table, count, header, body):
    lost = front.log.read_text().count("client lost")
    front.send(insert_head(front, header), body, wait=False)
    until = time.monotonic() + 30
    while front.log.read_text().count("client lost") == lost:
        assert time.monotonic() < until
    assert count() == 0


@pytest.mark.parametrize(
    ("coding", "code"), [("gzip", gzip.compress), ("lz4", lz4.frame.compress), ("zstd", zstandard.compress)]
)
def test_a_body_may_be_many_frames_and_no_frame_may_be_cut_short(front, table, count, coding, code):
    frames = [code(b"INSERT INTO t FORMAT CSV\n"), *(code(b"%d,x\n" % i) for i in range(5000))]
    assert front.ask(b"".join(frames), headers={"Content-Encoding": coding}).status == 200
    assert count() == 5000
    cut = front.ask(b"".join(frames)[:-3], headers={"Content-Encoding": coding})
    assert (cut.status, count()) == (500, 5000)
    assert b"it ends within a frame" in cut.body
    broken = front.ask(b"".join(frames) + b"no frame at all", headers={"Content-Encoding": coding})
    assert (broken.status, count()) == (500, 5000)


def test_an_unknown_coding_is_refused(front, table):
    refused = front.ask(b"SELECT 1", headers={"Content-Encoding": "pigeon"})
    assert (refused.status, refused.headers["X-ClickHouse-Exception-Code"]) == (501, "48")


@pytest.mark.parametrize(
    ("coding", "decode"),
    [("gzip", gzip.decompress), ("lz4", lz4.frame.decompress), ("zstd", lambda b: zstandard.decompress(b, 1 << 26))],
)
@pytest.mark.parametrize("rows", [3, 1_000_000])
def test_an_answer_is_coded_when_the_client_asks_for_it(front, coding, decode, rows):
    sql, accept = f"SELECT number FROM numbers({rows})", {"Accept-Encoding": coding}
    coded = front.ask(sql, headers=accept, enable_http_compression="1")
    assert coded.headers["Content-Encoding"] == coding
    plain = front.ask(sql, headers=accept)
    assert "Content-Encoding" not in plain.headers
    assert plain.body == b"".join(b"%d\n" % i for i in range(rows))
    if coding != "zstd" or rows == 3:
        assert decode(coded.body) == plain.body
    else:
        assert zstandard.ZstdDecompressor().decompressobj().decompress(coded.body) == plain.body


@pytest.mark.parametrize("format", ["JSON", "CSVWithNames", "XML", "Arrow", "Parquet"])
def test_a_format_with_a_frame_is_whole_however_long_it_is(front, format):
    rows = 400_000
    answer = front.ask(f"SELECT number AS n, toString(n) AS s FROM numbers({rows}) FORMAT {format}")
    assert answer.headers["X-ClickHouse-Format"] == format
    match format:
        case "JSON":
            assert json.loads(answer.body)["rows"] == rows
        case "CSVWithNames":
            assert answer.body.count(b'"n","s"') == 1
            assert answer.body.count(b"\n") == rows + 1
        case "XML":
            assert answer.body.count(b"</result>") == 1
        case _:
            front.ask("CREATE TABLE back (n UInt64, s String) ENGINE = Memory")
            head = f"INSERT INTO back FORMAT {format}\n".encode()
            assert front.ask(head + answer.body).status == 200
            assert front.ask("SELECT count(), sum(n), sum(toUInt64(s)) FROM back").body == b"400000\t%d\t%d\n" % (
                rows * (rows - 1) // 2,
                rows * (rows - 1) // 2,
            )


def test_the_format_is_the_clause_or_else_the_clients_default(front):
    assert front.ask("SELECT 1 AS x", default_format="JSONEachRow").body == b'{"x":1}\n'
    assert front.ask("SELECT 1 AS x", headers={"X-ClickHouse-Format": "CSVWithNames"}).body == b'"x"\n1\n'
    assert front.ask("SELECT 1 AS x FORMAT CSV", default_format="JSON").body == b"1\n"
    assert front.ask("SELECT 1 AS x FORMAT CSV SETTINGS max_threads = 1").body == b"1\n"
    assert front.ask("SHOW DATABASES LIKE 'daybook' FORMAT JSONEachRow").body == b'{"name":"daybook"}\n'


@pytest.mark.parametrize(
    ("sql", "status", "code"),
    [
        ("SELECT * FROM nowhere", 404, 60),
        ("SELECT * FROM nowhere.t", 404, 81),
        ("SELECT nothing", 404, 47),
        ("SELECT 1 FORMAT NoSuchFormat", 404, 73),
        ("SELECT 1 SETTINGS no_such_setting = 1", 404, 115),
        ("SELECT FROM WHERE", 400, 62),
        ("", 400, 62),
        ("-- nothing", 400, 62),
        ("SELECT 1; SELECT 2", 400, 62),
        ("SELECT toDate('x')", 400, 38),
        ("SELECT {x:UInt8}", 500, 456),
        ("SELECT throwIf(1)", 500, 395),
        ("SELECT 1 INTO OUTFILE '/tmp/never'", 500, 358),
        ("INSERT INTO t FROM INFILE '/tmp/never' FORMAT CSV", 404, 78),
    ],
)
def test_an_error_has_clickhouses_status_code_and_text(front, table, sql, status, code):
    refused = front.ask(sql)
    assert (refused.status, refused.headers["X-ClickHouse-Exception-Code"]) == (status, str(code))
    assert refused.body.startswith(b"Code: %d. DB::Exception: " % code)
    assert refused.body.count(b"DB::Exception") == 1
    assert refused.body.endswith(b" (official build))\n")


def test_what_a_client_names_is_no_way_into_headers_or_statements(front):
    named = front.ask("SELECT 1", query_id="a\r\nX-Trap: 1\r\n")
    assert (named.status, named.headers["X-ClickHouse-Query-Id"]) == (200, "aX-Trap: 1")
    assert (
        front.ask("SELECT 1", default_format="CSV SETTINGS max_threads = 1").headers["X-ClickHouse-Exception-Code"]
        == "73"
    )
    assert front.ask("SELECT 1", database="no`such\\").status == 404
    assert front.ask("SELECT 1", **{"max_threads`, `x": "1"}).status == 404
    assert front.ask("SELECT 1", max_threads="1', x = '").status in (400, 500)


def test_a_readonly_request_in_a_session_leaves_the_session_as_it_was(front, table):
    refused = front.ask("INSERT INTO t VALUES (1, 'x')", session_id="one", readonly="1")
    assert refused.headers["X-ClickHouse-Exception-Code"] == "164"
    assert front.ask("INSERT INTO t VALUES (1, 'x')", session_id="one").status == 200


def test_nobody_else_may_ask(front):
    none = front.send("GET /?query=SELECT+1 HTTP/1.0\r\n\r\n")
    assert none.startswith(b"HTTP/1.0 401")
    assert b'WWW-Authenticate: Basic realm="ClickHouse server HTTP API"' in none
    wrong = front.ask("SELECT 1", headers={"Authorization": "Basic dGVzdGVyOndyb25n"})
    assert (wrong.status, wrong.headers["X-ClickHouse-Exception-Code"]) == (403, "516")
    assert b"AUTHENTICATION_FAILED" in wrong.body


def test_credentials_come_by_basic_by_headers_or_by_the_url_but_not_by_two_ways(front):
    user, password = front.address["username"], front.address["password"]
    named = {"X-ClickHouse-User": user, "X-ClickHouse-Key": password}
    head = "GET /?query=SELECT+1 HTTP/1.0\r\n"
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    assert front.send(head, lines, "\r\n").endswith(b"\r\n\r\n1\n")
    url = "GET /?query=SELECT+1&user=tester&password=a+secret%3Awith%40signs HTTP/1.0\r\n\r\n"
    assert front.send(url).endswith(b"\r\n\r\n1\n")
    assert front.ask("SELECT 1", headers=named).status == 403


def test_headers_tell_what_was_read_and_written(front, table):
    wrote = front.ask("INSERT INTO t FORMAT CSV\n1,x\n2,y\n", query_id="my insert")
    assert wrote.headers["X-ClickHouse-Query-Id"] == "my insert"
    assert json.loads(wrote.headers["X-ClickHouse-Summary"])["written_rows"] == "2"
    read = front.ask("SELECT a FROM t FORMAT JSONCompact")
    summary = json.loads(read.headers["X-ClickHouse-Summary"])
    assert (summary["read_rows"], summary["result_rows"]) == ("2", "2")
    assert read.headers["X-ClickHouse-Timezone"] == "UTC"
    assert read.headers["Content-Type"] == "application/json; charset=UTF-8"
    copied = front.ask("INSERT INTO t SELECT a + 10, b FROM t")
    assert json.loads(copied.headers["X-ClickHouse-Summary"])["written_rows"] == "2"


def test_the_servers_zone_is_utc_wherever_it_was_started(front):
    assert front.ask("SELECT timezone(), toDateTime(0)").body == b"UTC\t1970-01-01 00:00:00\n"


def test_data_may_follow_every_form_of_insert(front, table):
    for sql in (
        "INSERT INTO t VALUES (1, 'a;b'), (2, concat('c', 'd'));",
        "INSERT INTO t (b, a) VALUES ('x', 3)",
        "INSERT INTO t FORMAT CSV 4,z\n",
        'INSERT INTO t (a, b) SETTINGS max_threads = 1 FORMAT JSONEachRow\n{"a": 5, "b": "FORMAT CSV"}',
        "WITH 1 AS one INSERT INTO t FORMAT TSV\n6\tvalue;\n",
        "INSERT INTO t SELECT a + 1, upper(b) FROM input('a UInt64, b String') WHERE a > 5 FORMAT CSV\n6,in\n1,out\n",
        "INSERT INTO t -- VALUES (0, '')\n /* FORMAT CSV */ SELECT 8, 'selected'",
        "INSERT INTO TABLE FUNCTION null('a UInt64, b String') VALUES (9, '')",
    ):
        answer = front.ask(sql)
        assert (answer.status, answer.body) == (200, b""), sql
    rows = front.ask("SELECT * FROM t ORDER BY a").body.decode().splitlines()
    assert rows == ["1\ta;b", "2\tcd", "3\tx", "4\tz", "5\tFORMAT CSV", "6\tvalue;", "7\tIN", "8\tselected"]


def test_a_statement_may_be_longer_than_the_head_that_is_read_first(front, table):
    long = ", ".join(f"'{i};'" for i in range(60_000))
    limit = {"max_query_size": "10000000"}
    assert len(long) > 500_000
    assert front.ask(f"SELECT '7;' IN ({long})", **limit).body == b"1\n"
    assert front.ask(f"INSERT INTO t SELECT 1, 'x' WHERE '59999;' IN ({long})", **limit).status == 200
    assert front.ask("SELECT * FROM t").body == b"1\tx\n"
    refused = front.ask(f"SELECT '7;' IN ({long})")
    assert (refused.status, b"Max query size exceeded" in refused.body) == (400, True)


def test_a_body_of_many_megabytes_streams_through_the_disk(front, table, count):
    head = insert_head(front, "Transfer-Encoding: chunked", "Connection: close")
    rows = b"".join(b"%d,%s\n" % (i, b"x" * 100) for i in range(10_000))
    chunk = b"%x\r\n%s\r\n" % (len(rows), rows)
    assert front.send(head, *[chunk] * 40, b"0\r\n\r\n").startswith(b"HTTP/1.1 200")
    assert count() == 400_000
    assert list((front.data / "requests").iterdir()) == []


def test_a_result_waited_for_is_told_in_full_before_its_first_byte(front):
    waited = front.ask("SELECT number FROM numbers(3000000)", wait_end_of_query="1")
    assert json.loads(waited.headers["X-ClickHouse-Summary"])["result_rows"] == "3000000"
    assert waited.body.count(b"\n") == 3_000_000
    sql = "SELECT throwIf(number = 2900000) FROM numbers(3000000) SETTINGS max_block_size = 10000"
    assert front.ask(sql, wait_end_of_query="1").status == 500


def test_a_failure_after_the_status_ends_in_the_exception_block_and_a_broken_body(front):
    sql = "SELECT+number,throwIf(number=2900000)+FROM+numbers(3000000)+SETTINGS+max_block_size=10000"
    head = f"GET /?query={sql} HTTP/1.1\r\nHost: x\r\nAuthorization: {front.authorization}\r\n\r\n"
    answer = front.send(head)
    assert answer.startswith(b"HTTP/1.1 200 OK")
    tag = answer.partition(b"X-ClickHouse-Exception-Tag: ")[2][:16]
    assert b"\r\n__exception__\r\n%s\r\nCode: 395. DB::Exception: " % tag in answer
    assert not answer.endswith(b"0\r\n\r\n")


def running(front) -> int:
    return int(
        front.ask("SELECT countIf(query LIKE '%forever%' AND query NOT LIKE '%countIf%') FROM system.processes").body
    )


@pytest.mark.parametrize(
    "sql",
    ["SELECT+number,'forever'+FROM+system.numbers", "SELECT+sum(sipHash64(number,'forever'))+FROM+system.numbers"],
)
def test_the_query_of_a_client_that_left_is_stopped(front, sql):
    cancel = "cancel_http_readonly_queries_on_client_close=1"
    head = f"GET /?{cancel}&query={sql} HTTP/1.1\r\nHost: x\r\nAuthorization: {front.authorization}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", front.port)) as raw:
        raw.sendall(head.encode())
        until = time.monotonic() + 30
        while not running(front):
            assert time.monotonic() < until
    until = time.monotonic() + 30
    while running(front):
        assert time.monotonic() < until
    assert list((front.data / "requests").iterdir()) == []


def test_requests_leave_no_descriptors_behind(front):
    process = psutil.Process(front.process.pid)
    threads = process.num_threads()
    for i in range(64):
        front.ask(f"SELECT {i}")
        front.ask("SELECT nothing")
        front.send(f"GET /?query=SELECT+{i}+FROM+system.numbers HTTP/1.1\r\nHost: x\r\n", wait=False)
    before = process.num_fds()
    for i in range(100):
        front.ask(f"SELECT {i}")
        front.ask("SELECT nothing")
        front.ask("INSERT INTO nowhere FORMAT CSV\n1", session_id="one")
    threads = process.num_threads() - threads
    assert process.num_fds() <= before + 3 * max(threads, 0) + 10  # each thread of the engine keeps three open


def test_a_post_without_a_length_is_refused(front):
    head = "POST /?query=SELECT+1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    assert front.send(head, f"Authorization: {front.authorization}\r\n\r\n").startswith(b"HTTP/1.1 411")


def test_clickhouses_own_block_compression_is_refused_in_words(front):
    refused = front.ask("SELECT 1", compress="1")
    assert refused.status == 501
    assert b"compress=1 is not supported" in refused.body


def test_a_session_must_exist_when_the_client_says_so_and_ends_when_it_says_so(front):
    assert front.ask("SELECT 1", session_id="none", session_check="1").headers["X-ClickHouse-Exception-Code"] == "372"
    assert front.ask("SELECT 1", session_id="x", session_timeout="4000").headers["X-ClickHouse-Exception-Code"] == "374"
    front.ask("CREATE TEMPORARY TABLE mine (a UInt8)", session_id="mine")
    assert front.ask("SELECT count() FROM mine", session_id="mine", session_check="1").body == b"0\n"
    assert front.ask("SELECT 1", session_id="mine", close_session="1").status == 200
    until = time.monotonic() + 30
    while front.ask("SELECT 1", session_id="mine", session_check="1").status != 500:
        assert time.monotonic() < until
    front.ask("SELECT 1", session_id="short", session_timeout="1")
    time.sleep(3)
    assert front.ask("SELECT 1", session_id="short", session_check="1").headers["X-ClickHouse-Exception-Code"] == "372"
