"""Where a statement ends, where its data begins, which format it names; and what a Decoder makes of cut frames."""

import gzip
import lzma
import zlib

import lz4.frame
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from stack.chserver.body import Decoder
from stack.chserver.errors import ServerError, from_engine
from stack.chserver.sql import INPUT, Kind, read, read_insert


@pytest.mark.parametrize(
    ("source", "text", "format", "data"),
    [
        (b"INSERT INTO t FORMAT Native\nDATA", b"INSERT INTO t ", "Native", b"DATA"),
        (b"INSERT INTO t FORMAT Native\r\n\nDATA", b"INSERT INTO t ", "Native", b"\nDATA"),
        (b"INSERT INTO t FORMAT CSV  1,2\n", b"INSERT INTO t ", "CSV", b"1,2\n"),
        (b"insert into d.t (a, `b)`) format csv\n", b"insert into d.t (a, `b)`) ", "csv", b""),
        (b"INSERT INTO t VALUES (1), ('it''s')", b"INSERT INTO t ", "Values", b" (1), ('it''s')"),
        (b"INSERT INTO values VALUES(1)", b"INSERT INTO values ", "Values", b"(1)"),
        (b"INSERT INTO format FORMAT TSV\nx", b"INSERT INTO format ", "TSV", b"x"),
        (b"INSERT INTO t SETTINGS a='FORMAT X' FORMAT TSV\nx", b"INSERT INTO t SETTINGS a='FORMAT X' ", "TSV", b"x"),
        (b"/*VALUES*/ INSERT INTO t -- FORMAT X\nFORMAT TSV\n", b"/*VALUES*/ INSERT INTO t -- FORMAT X\n", "TSV", b""),
        (b"WITH 1 AS y INSERT INTO t FORMAT TSV\nx;\n", b"WITH 1 AS y INSERT INTO t ", "TSV", b"x;\n"),
        (b"INSERT INTO FUNCTION null('a UInt8') FORMAT TSV\n1", b"INSERT INTO FUNCTION null('a UInt8') ", "TSV", b"1"),
        (b"INSERT INTO t FORMAT Native\n\xff\xfe'\"`", b"INSERT INTO t ", "Native", b"\xff\xfe'\"`"),
    ],
)  # fmt: skip
def test_an_inserts_data_begin_after_its_format(source, text, format, data):
    statement = read(source, "TabSeparated")
    assert (statement.kind, statement.format) == (Kind.INSERT, format)
    assert statement.text == text
    assert source[statement.data_at :] == data


@given(st.binary())
def test_an_inserts_data_are_never_read_as_sql(data):
    source = b"INSERT INTO t (a) FORMAT Native\n" + data
    statement = read(source, "TabSeparated")
    assert source[statement.data_at :] == data


def test_input_is_told_with_its_structure():
    source = (
        b"INSERT INTO t SELECT a FROM (SELECT * FROM input ('a UInt8, b Enum(\\'x\\' = 1)')) WHERE a FORMAT CSV\n1,x"
    )
    statement = read(source, "TabSeparated")
    assert statement.structure == "a UInt8, b Enum('x' = 1)"
    assert statement.text == f"INSERT INTO t SELECT a FROM (SELECT * FROM {INPUT}) WHERE a ".encode()
    assert source[statement.data_at :] == b"1,x"


@pytest.mark.parametrize(
    ("source", "into"),
    [
        (b"SELECT 1", b"SELECT 1\nINTO OUTFILE '/p' TRUNCATE FORMAT JSON "),
        (b"SELECT 1; -- end", b"SELECT 1\nINTO OUTFILE '/p' TRUNCATE FORMAT JSON "),
        (b"SELECT format FROM format", b"SELECT format FROM format\nINTO OUTFILE '/p' TRUNCATE FORMAT JSON "),
        (b"SELECT 1 AS format", b"SELECT 1 AS format\nINTO OUTFILE '/p' TRUNCATE FORMAT JSON "),
        (b"SELECT 1 format CSV", b"SELECT 1 \nINTO OUTFILE '/p' TRUNCATE FORMAT CSV "),
        (b"(SELECT 1) FORMAT CSV SETTINGS a=1", b"(SELECT 1) \nINTO OUTFILE '/p' TRUNCATE FORMAT CSV  SETTINGS a=1"),
        (b"SELECT 'x FORMAT CSV", b"SELECT 'x \nINTO OUTFILE '/p' TRUNCATE FORMAT CSV "),
        (b"SELECT $a$ ; FORMAT CSV $a$", b"SELECT $a$ ; FORMAT CSV $a$\nINTO OUTFILE '/p' TRUNCATE FORMAT JSON "),
        (b"FROM t SELECT 1", b"FROM t SELECT 1\nINTO OUTFILE '/p' TRUNCATE FORMAT JSON "),
    ],
)  # fmt: skip
def test_a_reads_rows_are_led_away_before_its_format(source, into):
    statement = read(source, "JSON")
    assert statement.kind is Kind.READ
    assert statement.into("/p", statement.format or "JSON") == into


@pytest.mark.parametrize(
    "source",
    [
        b"SHOW TABLES",
        b"INSERT INTO t SELECT 1",
        b"INSERT INTO t WITH 1 AS x SELECT x",
        b"WITH 1 AS x INSERT INTO t SELECT x",
        b"CREATE TABLE t AS SELECT 1",
        b"EXPLAIN SELECT 1",
        b"SET a = 'b;c'",
        b"EXISTS t;",
    ],
)
def test_all_else_is_neither_read_nor_data(source):
    assert read(source, "JSON").kind is Kind.OTHER


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b" \n",
        b"-- x",
        b"/* x */",
        b";",
        b"SELECT 1; SELECT 2",
        b"SET a = 1;SET b = 2",
        b"SELECT 1 INTO OUTFILE 'x'",
        b"INSERT INTO t FROM INFILE 'x' FORMAT CSV",
        b"INSERT INTO t FORMAT CSV;\n1",
    ],
)
def test_what_a_server_does_not_do_is_refused(source):
    with pytest.raises(ServerError):
        read(source, "JSON")


CODERS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "lz4": lz4.frame.compress,
    "zstd": zstandard.compress,
    "xz": lzma.compress,
}


@pytest.mark.parametrize("coding", CODERS)
@settings(max_examples=30)
@given(frames=st.lists(st.binary(max_size=300), max_size=6), piece=st.integers(1, 50))
def test_frames_are_undone_however_they_are_cut_into_pieces(coding, frames, piece):
    coded = b"".join(CODERS[coding](frame) for frame in frames)
    decoder = Decoder(coding)
    text = b"".join(decoder.feed(coded[i : i + piece]) for i in range(0, len(coded), piece))
    decoder.finish()
    assert text == b"".join(frames)


@pytest.mark.parametrize("coding", CODERS)
def test_a_frame_cut_anywhere_is_refused(coding):
    first, second = CODERS[coding](b"x" * 100), CODERS[coding](b"y" * 100)
    for end in range(1, len(second)):
        decoder = Decoder(coding)
        decoder.feed(first + second[:end])
        with pytest.raises(ServerError, match="within a frame"):
            decoder.finish()


def test_an_error_of_the_engine_is_taken_apart():
    told = from_engine(RuntimeError("Code: 60. DB::Exception: no t. (UNKNOWN_TABLE) (version 26.9.2.1)"))
    assert (told.code, told.status) == (60, 404)
    assert told.text("1.2") == "Code: 60. DB::Exception: no t. (UNKNOWN_TABLE) (version 1.2 (official build))"
    inner = "Code: 73. DB::Exception: no x. (UNKNOWN_FORMAT) (version 1.2)"
    outer = from_engine(RuntimeError(f"Code: 73. DB::Exception: {inner}. (UNKNOWN_FORMAT) (version 1.2)"))
    assert outer.message == "DB::Exception: no x. (UNKNOWN_FORMAT)"
    assert from_engine(RuntimeError("out of order")).text("1").startswith("Code: 1001. DB::Exception: out of order.")


def test_an_insert_is_read_from_the_head_of_its_body_and_nothing_else_is():
    told = read_insert(b"INSERT INTO t FORMAT CSV\n1,x\n2,'un", "TSV")
    assert told is not None
    assert (told.kind, told.format) == (Kind.INSERT, "CSV")
    assert read_insert(b"SELECT 'INSERT INTO t FORMAT CSV", "TSV") is None
    assert read_insert(b"INSERT INTO t SELECT * FROM u WHERE x IN ('a;b', 'c", "TSV") is None
    assert read_insert(b"INSERT INTO t SELECT 'a;b' AS x WHERE 'y;", "TSV") is None
