"""The ClickHouse front, asked by clickhouse-connect: what goes in comes back, nothing of one client reaches another."""

import asyncio
import threading
from datetime import UTC, date, datetime
from decimal import Decimal

import clickhouse_connect
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, StreamFailureError
from clickhouse_connect.driver.external import ExternalData

pytest_plugins = ["chserver_process"]
ROWS = [[i, f"row {i} " + "é" * (i % 7)] for i in range(300_000)]


@pytest.fixture
def table(client):
    client.command("CREATE TABLE t (a UInt64, b String) ENGINE = MergeTree ORDER BY a")
    return "t"


@pytest.mark.parametrize("coding", [False, "gzip", "lz4", "zstd"])
def test_an_insert_of_300_000_rows_comes_back_complete_in_every_coding(connect, table, coding):
    client = connect(compress=coding)
    summary = client.insert(table, ROWS, column_names=["a", "b"])
    assert summary.written_rows == 300_000
    ids, texts = client.query("SELECT a, b FROM t ORDER BY a").result_columns
    assert list(ids) == [row[0] for row in ROWS]
    assert list(texts) == [row[1] for row in ROWS]


def test_an_insert_is_one_part_however_many_blocks_it_is_sent_in(client, table):
    client.insert(table, ROWS, column_names=["a", "b"])
    assert client.query("SELECT sum(rows), count() FROM system.parts WHERE table = 't' AND active").first_row == (
        300_000,
        1,
    )


@pytest.mark.parametrize("coding", [None, "gzip", "lz4", "zstd", "xz", "bz2", "deflate"])
def test_raw_inserts_and_streams_of_bytes_are_coded_and_decoded(client, table, coding):
    text = b"".join(b"%d,%d\n" % (i, i) for i in range(100_000))
    client.raw_insert(table, ["a", "b"], _code(text, coding), fmt="CSV", compression=coding)
    assert client.command("SELECT count(), sum(a), sum(toUInt64(b)) FROM t") == ["100000", "4999950000", "4999950000"]
    with client.raw_stream("SELECT a, a AS b FROM t ORDER BY a", fmt="CSV") as stream:
        assert stream.read() == text


def test_a_long_result_streams_out_in_blocks(client):
    total = rows = blocks = 0
    with client.query_row_block_stream("SELECT number FROM numbers(3000000)") as stream:
        for block in stream:
            blocks += 1
            rows += len(block)
            total += sum(row[0] for row in block)
    assert (rows, total) == (3_000_000, 3_000_000 * 2_999_999 // 2)
    assert blocks > 10


def test_every_column_type_that_we_write_comes_back_equal(client):
    types = {
        "big": "UInt256",
        "wide": "UInt128",
        "text": "LowCardinality(String)",
        "maybe": "Nullable(Float64)",
        "both": "LowCardinality(Nullable(String))",
        "at": "DateTime64(3, 'UTC')",
        "day": "Date",
        "old": "Date32",
        "many": "Array(String)",
        "pairs": "Map(String, Int64)",
        "nested": "Map(LowCardinality(String), Nullable(Float64))",
        "two": "Tuple(a UInt8, b String)",
        "money": "Decimal(18, 3)",
        "flag": "Bool",
        "raw": "FixedString(4)",
        "kind": "Enum8('a' = 1, 'b' = 2)",
        "who": "UUID",
    }
    columns = ", ".join(f"{name} {kind}" for name, kind in types.items())
    client.command(f"CREATE TABLE wide ({columns}) ENGINE = MergeTree ORDER BY big")
    who = "6f4f2d3c-8d5a-4a1e-9a39-1d2f3c4b5a69"
    at = datetime(2024, 2, 29, 23, 59, 59, 123000, tzinfo=UTC)
    row = [
        (7 << 200) + 1, (1 << 128) - 1, "x", None, None, at, date(2024, 2, 29), date(1950, 1, 1), ["a", "", "ü"],
        {"k": -1, "": 2}, {"n": None, "m": 0.1}, (3, "y"), Decimal("12345.678"), True, b"abcd", "b", who,
    ]  # fmt: skip
    client.insert("wide", [row], column_names=list(types))
    back = client.query("SELECT * FROM wide", column_tzs={"at": "UTC"}).first_row
    read = dict(zip(types, back, strict=True))
    told = dict(zip(types, row, strict=True))
    assert read.pop("at").replace(tzinfo=UTC) == told.pop("at")
    assert read.pop("two") in ((3, "y"), {"a": 3, "b": "y"})
    assert str(read.pop("who")) == told.pop("who")
    del told["two"]
    assert read == told


def test_parameters_are_bound_by_clickhouse_itself(client, table):
    client.insert(table, [[1, 'it\'s \\ \t a "trap"\n'], [2, "ü"]], column_names=["a", "b"])
    ask = "SELECT a FROM {table:Identifier} WHERE b = {text:String} OR a IN {ids:Array(UInt64)} ORDER BY a"
    asked = {"table": "t", "text": 'it\'s \\ \t a "trap"\n', "ids": [2]}
    assert client.query(ask, parameters=asked).result_rows == [(1,), (2,)]
    none = client.query("SELECT {n:Nullable(Int32)}, {d:Date}", parameters={"n": None, "d": date(2024, 1, 2)})
    assert none.first_row == (None, date(2024, 1, 2))
    assert client.query("SELECT {s:String}", parameters={"s": "'; DROP TABLE t"}).first_row == ("'; DROP TABLE t",)


def test_large_parameters_travel_in_a_form(connect):
    client = connect(form_encode_query_params=True)
    ids = list(range(20_000))
    assert client.query("SELECT length({ids:Array(UInt64)})", parameters={"ids": ids}).first_row == (20_000,)


def test_external_data_is_a_table_of_its_own_request(client):
    films = ExternalData(
        file_name="films.csv", data=b"Heat,1995\nRonin,1998\n", fmt="CSV", structure=["name String", "year UInt16"]
    )
    ask = "SELECT name FROM films WHERE year > 1996"
    assert client.query(ask, external_data=films).result_rows == [("Ronin",)]
    with pytest.raises(DatabaseError, match="UNKNOWN_TABLE"):
        client.query(ask)


def test_a_setting_holds_for_its_own_request_only(client):
    ask = "SELECT getSetting('max_threads'), getSetting('max_block_size')"
    plain = client.query(ask).first_row
    assert client.query(ask, settings={"max_threads": 7, "max_block_size": 1234}).first_row == (7, 1234)
    assert client.query(ask, settings={"max_threads": 5}).first_row == (5, plain[1])
    assert client.query(ask).first_row == plain
    with pytest.raises(DatabaseError, match="Unknown setting 'no_such_setting'"):
        client.raw_query("SELECT 1", settings={"no_such_setting": 1, "max_threads": 3})
    assert client.query(ask).first_row == plain


def test_a_session_keeps_its_own_settings_tables_and_database(connect):
    one, other = connect(session_id="one"), connect(session_id="other")
    ask = "SELECT getSetting('max_threads')"
    one.command("SET max_threads = 3")
    assert one.command(ask, settings={"max_threads": 6}) == 6
    assert one.command(ask) == 3
    assert other.command(ask) != 3
    one.command("CREATE TEMPORARY TABLE mine (a UInt8)")
    one.command("INSERT INTO mine VALUES (1), (2)")
    assert one.command("SELECT sum(a) FROM mine") == 3
    with pytest.raises(DatabaseError, match="UNKNOWN_TABLE"):
        other.command("SELECT sum(a) FROM mine")


def test_a_session_in_use_is_locked(connect):
    first, second, other = connect(session_id="busy"), connect(session_id="busy"), connect()
    asking = threading.Thread(target=first.command, args=("SELECT sleep(2)",))
    asking.start()
    try:
        while asking.is_alive() and not other.command(
            "SELECT countIf(query LIKE 'SELECT sleep%') FROM system.processes"
        ):
            pass
        with pytest.raises(DatabaseError, match="SESSION_IS_LOCKED"):
            second.command("SELECT 1")
    finally:
        asking.join()
    assert second.command("SELECT 1") == 1


@pytest.mark.parametrize(
    ("sql", "code", "name"),
    [
        ("SELECT * FROM nowhere", 60, "UNKNOWN_TABLE"),
        ("SELECT nothing", 47, "UNKNOWN_IDENTIFIER"),
        ("SELECT no_such_function(1)", 46, "UNKNOWN_FUNCTION"),
        ("SELEC 1", 62, "SYNTAX_ERROR"),
        ("SELECT 1; SELECT 2", 62, "SYNTAX_ERROR"),
        ("SELECT throwIf(1, 'boom')", 395, "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"),
        ("SELECT sleep(3) SETTINGS max_execution_time = 0.1", 159, "TIMEOUT_EXCEEDED"),
    ],
)
def test_errors_carry_clickhouses_code_and_name(client, sql, code, name):
    with pytest.raises(DatabaseError) as raised:
        client.command(sql)
    assert raised.value.code == code
    assert name in str(raised.value)


def test_a_result_that_fails_after_its_status_was_sent_raises_in_the_client(connect):
    for coding in (False, "lz4", "zstd"):
        client = connect(compress=coding)
        with (
            pytest.raises(StreamFailureError, match="boom"),
            client.query_rows_stream(
                "SELECT number, throwIf(number = 3000000, 'boom') FROM numbers(5000000)",
                settings={"max_block_size": 10_000},
            ) as rows,
        ):
            for _ in rows:
                pass
        assert client.command("SELECT 1") == 1


def test_an_insert_of_a_bad_row_inserts_none_of_them(client, table):
    with pytest.raises(DatabaseError, match="Cannot parse input"):
        client.raw_insert(table, ["a", "b"], b"1,x\n2,y\nthree,z\n", fmt="CSV")
    assert client.command("SELECT count() FROM t") == 0


async def test_the_asynchronous_client_works_too(front, client, table):
    asynchronous = await clickhouse_connect.get_async_client(**front.address, autogenerate_session_id=False)
    try:
        await asynchronous.insert(table, ROWS[:50_000], column_names=["a", "b"])
        counts = await asyncio.gather(*(asynchronous.command("SELECT count() FROM t") for _ in range(20)))
        assert counts == [50_000] * 20
    finally:
        await asynchronous.close()


def test_readers_and_writers_at_once_see_whole_inserts(front, client, table):
    failures: list[str] = []
    done = threading.Event()

    def write() -> None:
        with front.connect() as mine:
            for i in range(15):
                mine.insert(table, [[i * 1000 + k, "x"] for k in range(1000)], column_names=["a", "b"])

    def read() -> None:
        with front.connect() as mine:
            while not done.is_set():
                count = mine.command("SELECT count() FROM t")
                if count % 1000:
                    failures.append(f"{count} rows: a part of an insert")

    def guarded(work) -> threading.Thread:
        def run() -> None:
            try:
                work()
            except Exception as error:
                failures.append(repr(error))

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    readers = [guarded(read) for _ in range(4)]
    for writer in [guarded(write) for _ in range(3)]:
        writer.join()
    done.set()
    for reader in readers:
        reader.join()
    assert failures == []
    assert client.command("SELECT count() FROM t") == 45_000


def test_a_long_query_does_not_hold_up_short_ones_and_can_be_killed(front, client):
    ended: list[DatabaseError] = []

    def ask() -> None:
        try:
            front.connect().command("SELECT sleepEachRow(1) FROM numbers(60) SETTINGS max_block_size = 1")
        except DatabaseError as error:
            ended.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    for _ in range(20):
        assert client.command("SELECT 1") == 1
    assert asking.is_alive()
    while asking.is_alive():
        client.command("KILL QUERY WHERE query LIKE 'SELECT sleepEachRow%' SYNC")
    assert [error.code for error in ended] == [394]


def _code(text: bytes, coding: str | None) -> bytes:
    """Two frames of a coding, cut in the middle of the text."""
    import bz2
    import gzip
    import lzma
    import zlib

    import lz4.frame
    import zstandard

    coders = {
        None: bytes,
        "gzip": gzip.compress,
        "lz4": lz4.frame.compress,
        "zstd": zstandard.compress,
        "xz": lzma.compress,
        "bz2": bz2.compress,
        "deflate": zlib.compress,
    }
    coder = coders[coding]
    return coder(text[:333_333]) + coder(text[333_333:])
