"""What Daybook relies on in ClickHouse holds in the embedded one."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

pytest_plugins = ["chserver_process"]


@pytest.mark.parametrize("kind", ["UInt64", "UInt128", "UInt256"])
def test_a_replacing_table_keeps_the_row_of_the_greatest_version_in_any_order(client, kind):
    top = (1 << int(kind[4:])) - 1
    client.command(f"CREATE TABLE e (k String, v {kind}, x String) ENGINE = ReplacingMergeTree(v) ORDER BY k")
    for row in (["a", 1, "old"], ["a", top, "new"], ["a", top - 1, "late"], ["b", 5, "only"]):
        client.insert("e", [row], column_names=["k", "v", "x"])
    winners = [("a", top, "new"), ("b", 5, "only")]
    assert client.query("SELECT k, v, x FROM e FINAL ORDER BY k").result_rows == winners
    assert client.query(
        "SELECT k, max(v), argMax(x, v) FROM e GROUP BY k ORDER BY k"
    ).result_rows == winners  # fmt: skip
    client.command("OPTIMIZE TABLE e FINAL")
    assert client.query("SELECT k, v, x FROM e ORDER BY k").result_rows == winners


def test_a_replacing_table_knows_deleted_rows(client):
    client.command("CREATE TABLE e (k String, v UInt64, gone UInt8) ENGINE = ReplacingMergeTree(v, gone) ORDER BY k")
    client.insert("e", [["a", 1, 0], ["a", 2, 1], ["b", 1, 0]], column_names=["k", "v", "gone"])
    assert client.query("SELECT k FROM e FINAL").result_rows == [("b",)]


def test_a_view_gives_the_winners_before_merges_without_final_and_keeps_nulls(client):
    client.command("CREATE TABLE d (u String, day Date, v UInt64, a Nullable(Float64), b Nullable(String)) "
                   "ENGINE = ReplacingMergeTree(v) PARTITION BY toYYYYMM(day) ORDER BY (u, day)")  # fmt: skip
    client.command(
        # d.a, not a: an alias of the SELECT hides the column of the same name from the whole statement
        "CREATE VIEW d_current AS WITH argMax(tuple(d.a, d.b), d.v) AS best "
        "SELECT u, day, best.1 AS a, best.2 AS b, max(v) AS version FROM d GROUP BY u, day"
    )
    day = datetime(2024, 1, 31, tzinfo=UTC).date()
    for version, a, b in ((1, 1.0, "x"), (3, None, "z"), (2, 2.0, None)):
        client.insert("d", [["me", day, version, a, b]], column_names=["u", "day", "v", "a", "b"])
    assert client.query("SELECT * FROM d_current").result_rows == [("me", day, None, "z", 3)]
    plan = client.query("EXPLAIN indexes = 1 SELECT * FROM d_current WHERE u = 'me' AND day = '2024-01-31'")
    assert any("Condition" in row[0] and "u" in row[0] for row in plan.result_rows)


def test_partitions_follow_the_month(client):
    client.command("CREATE TABLE p (at DateTime64(3, 'UTC')) ENGINE = MergeTree PARTITION BY toYYYYMM(at) ORDER BY at")
    ats = [datetime(2024, month, 1, 12, tzinfo=UTC) for month in range(1, 13)]
    client.insert("p", [[at] for at in ats], column_names=["at"])
    parts = client.query("SELECT partition FROM system.parts WHERE table = 'p' AND active ORDER BY partition")
    assert [row[0] for row in parts.result_rows] == [f"2024{month:02}" for month in range(1, 13)]


def test_rows_expire_by_their_ttl_whole_rolled_up_or_per_column(client):
    client.command(
        "CREATE TABLE raw (at DateTime, received DateTime64(3, 'UTC')) ENGINE = MergeTree ORDER BY at "
        "TTL toDateTime(received) + INTERVAL 90 DAY"
    )
    now = datetime.now(UTC).replace(microsecond=0)
    client.insert("raw", [[now, now], [now, now - timedelta(days=91)]], column_names=["at", "received"])
    client.command("OPTIMIZE TABLE raw FINAL")
    assert client.command("SELECT count() FROM raw") == 1
    client.command(
        "CREATE TABLE views (day Date, who String, n UInt64) ENGINE = MergeTree ORDER BY (day, who) "
        "TTL day + INTERVAL 7 DAY GROUP BY day SET who = min(who), n = sum(n), day + INTERVAL 2 YEAR DELETE"
    )
    old = (now - timedelta(days=30)).date()
    client.insert("views", [[old, "a", 2], [old, "b", 3]], column_names=["day", "who", "n"])
    client.command("OPTIMIZE TABLE views FINAL")
    assert client.query("SELECT * FROM views").result_rows == [(old, "a", 5)]
    client.command(
        "CREATE TABLE c (day Date, a Nullable(String) TTL day + INTERVAL 1 DAY) ENGINE = MergeTree ORDER BY day"
    )
    client.insert("c", [[old, "gone"]], column_names=["day", "a"])
    client.command("OPTIMIZE TABLE c FINAL")
    assert client.query("SELECT a FROM c").result_rows == [(None,)]


def test_rows_are_deleted_lightly_and_by_mutation(client):
    client.command("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
    client.insert("t", [[i] for i in range(10)], column_names=["a"])
    client.command("DELETE FROM t WHERE a < 3")
    assert client.command("SELECT count() FROM t") == 7
    client.command("ALTER TABLE t DELETE WHERE a < 5", settings={"mutations_sync": 1})
    assert client.command("SELECT min(a) FROM t") == 5
    client.command("ALTER TABLE t DROP PARTITION tuple()")
    assert client.command("SELECT count() FROM t") == 0


def test_the_schema_can_be_changed_and_read(client):
    client.command("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a COMMENT 'things'")
    client.command("ALTER TABLE t ADD COLUMN IF NOT EXISTS b Nullable(Float64) COMMENT 'in kg'")
    columns = client.query("SELECT name, type, comment FROM system.columns WHERE table = 't' ORDER BY position")
    assert columns.result_rows == [("a", "UInt64", ""), ("b", "Nullable(Float64)", "in kg")]
    assert client.query("SELECT engine, comment FROM system.tables WHERE name = 't'").first_row == (
        "MergeTree",
        "things",
    )
    assert client.command("EXISTS TABLE t") == 1
    client.command("RENAME TABLE t TO u")
    client.command("CREATE TABLE w AS u")
    client.command("EXCHANGE TABLES u AND w")
    assert client.query("SHOW TABLES").result_rows == [("u",), ("w",)]


def test_an_insert_that_is_not_stored_is_refused(client):
    client.command("CREATE TABLE small (k UInt64, CONSTRAINT few CHECK k < 5) ENGINE = MergeTree ORDER BY k")
    client.insert("small", [[1]], column_names=["k"])
    with pytest.raises(DatabaseError, match="few"):
        client.insert("small", [[7]], column_names=["k"])
    client.command("ALTER TABLE small MODIFY SETTING min_free_disk_bytes_to_perform_insert = 1000000000000000")
    with pytest.raises(DatabaseError, match="NOT_ENOUGH_SPACE"):
        client.insert("small", [[2]], column_names=["k"])
    assert client.query("SELECT k FROM small").result_rows == [(1,)]


def test_an_insert_sent_twice_with_one_token_is_stored_once(client):
    client.command(
        "CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 100"
    )
    for token in ("one", "one", "two"):
        client.insert("t", [[1]], column_names=["a"], settings={"insert_deduplication_token": token})
    assert client.command("SELECT count() FROM t") == 2


def test_an_asynchronous_insert_is_there_when_it_is_acknowledged(client):
    client.command("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
    for wait in (1, 0):
        client.insert("t", [[1]], column_names=["a"], settings={"async_insert": 1, "wait_for_async_insert": wait})
    assert client.command("SELECT count() FROM t") == 2


def test_a_materialised_view_and_default_columns_work(client):
    client.command("CREATE TABLE t (a UInt64, day Date DEFAULT toDate('2024-01-01'), h String MATERIALIZED hex(a)) "
                   "ENGINE = MergeTree ORDER BY a")  # fmt: skip
    client.command("CREATE TABLE s (day Date, n UInt64) ENGINE = SummingMergeTree ORDER BY day")
    client.command("CREATE MATERIALIZED VIEW mv TO s AS SELECT day, count() AS n FROM t GROUP BY day")
    client.insert("t", [[255], [1]], column_names=["a"])
    assert client.query("SELECT a, day, h FROM t ORDER BY a").result_rows[1][2] == "FF"
    assert client.command("SELECT sum(n) FROM s") == 2


def test_sha256_and_wide_integers_agree_with_python(client):
    digest = hashlib.sha256(b"daybook").digest()
    asked = "SELECT hex(SHA256('daybook')), reinterpretAsUInt256(reverse(SHA256('daybook')))"
    text, number = client.query(asked).first_row
    assert text == digest.hex().upper()
    assert number == int.from_bytes(digest, "big")


def test_what_the_embedded_engine_lacks_is_known(front):
    """Changes here are good news: the page of limits (stack/chserver/README.md) then needs a line less."""
    assert front.ask("SELECT count() FROM system.query_log").status == 404
    assert front.ask("CREATE USER somebody").status == 403
