"""The ClickHouse front, asked by clickhouse-connect: what is inserted is there, in every coding."""

import pytest

pytest_plugins = ["chserver_process"]


@pytest.mark.parametrize("coding", [False, "gzip", "lz4", "zstd"])
def test_an_insert_of_300_000_rows_comes_back_complete_in_every_coding(connect, coding):
    client = connect(compress=coding)
    client.command("CREATE TABLE t (a UInt64, b String) ENGINE = MergeTree ORDER BY a")
    summary = client.insert("t", [[i, f"row {i}"] for i in range(300_000)], column_names=["a", "b"])
    assert summary.written_rows == 300_000
    ids, texts = client.query("SELECT a, b FROM t ORDER BY a").result_columns
    assert list(ids) == list(range(300_000))
    assert list(texts) == [f"row {i}" for i in range(300_000)]
