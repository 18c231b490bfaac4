"""What migrations become on a ClickHouse cluster: parsed by the engine that is here, run as far as one server goes."""

from __future__ import annotations

import re
import uuid
from urllib.parse import urlsplit

import chdb
import pytest
from conftest import RunningStack

from daybook.settings import read
from sinks.clickhouse.client import connected
from sinks.clickhouse.cluster import SETTINGS, NotRendered, alike, rendered, with_settings
from sinks.migrate import _CLICKHOUSE_LIST, migrations, statements

EVERY = [statement for migration in migrations("clickhouse") for statement in statements(migration.sql)]
TABLES = re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", "\n".join(EVERY))


def test_without_a_cluster_nothing_is_said_otherwise() -> None:
    assert [rendered(statement, None) for statement in EVERY] == [[statement] for statement in EVERY]
    assert alike(_CLICKHOUSE_LIST, None) == _CLICKHOUSE_LIST


def test_every_table_is_replicated_and_asked_through_a_distributed_one_that_keeps_a_key_on_one_shard() -> None:
    said = [each for statement in EVERY for each in rendered(statement, "ours")]
    assert all("ON CLUSTER 'ours'" in each for each in said)
    for table in TABLES:
        (made,) = [each for each in said if each.startswith(f"CREATE TABLE IF NOT EXISTS {table}_local ")]
        (asked,) = [each for each in said if each.startswith(f"CREATE TABLE IF NOT EXISTS {table} ")]
        assert re.search(r"ENGINE = Replicated\w*MergeTree\('/clickhouse/[^']*\{shard\}', '\{replica\}'", made), made
        by = re.search(r"cityHash64\((\w+)\)\)$", asked)
        order = re.search(r"ORDER BY \(?([\w, ]+)", made)
        assert by is not None
        assert order is not None
        assert by[1] in order[1].split(", "), "all versions of a row meet on one shard"
    by_user = re.findall(r"currentDatabase\(\), (\w+)_local, cityHash64\((?:user_id|subject)\)\)", "\n".join(said))
    assert set(by_user) >= {"events", "entities", "daily", "progress"}
    altered = re.findall(r"ALTER TABLE (\w+) ON CLUSTER 'ours' ADD COLUMN IF NOT EXISTS (\w+)", "\n".join(said))
    assert {(f"{table}_local", column) for table, column in altered if not table.endswith("_local")} <= set(altered)
    assert not any(re.search(r"(?<!GLOBAL )\bIN \(\s*SELECT", each) for each in said if "VIEW" in each)
    with pytest.raises(NotRendered):
        rendered("OPTIMIZE TABLE daily FINAL", "ours")


def test_a_cluster_is_asked_with_the_settings_that_it_needs() -> None:
    at = read(clickhouse="http://u:p@127.0.0.1:8123/daybook", clickhouse_cluster="ours").address("clickhouse")
    assert at == with_settings("http://u:p@127.0.0.1:8123/daybook")
    assert all(f"{name}={value}" in at for name, value in SETTINGS.items())
    with pytest.raises(ValueError, match="no name of a ClickHouse cluster"):
        rendered("ALTER TABLE daily ADD COLUMN x Int8", "x'; DROP TABLE daily")


def test_the_engine_parses_every_statement() -> None:
    for statement in [alike(_CLICKHOUSE_LIST, "ours"), *(r for each in EVERY for r in rendered(each, "ours"))]:
        assert "Query" in str(chdb.query(f"EXPLAIN AST {statement}", "CSV")).splitlines()[0], statement


async def test_the_tables_that_are_stored_can_be_made_and_changed_as_rendered(stack: RunningStack) -> None:
    """Without replication, and without Distributed tables, for which the engine here knows no cluster."""
    name = f"cluster_{uuid.uuid4().hex[:8]}"
    url = urlsplit(stack.endpoints.clickhouse)._replace(path=f"/{name}").geturl()
    async with connected(stack.endpoints.clickhouse) as client:
        await client.command(f"CREATE DATABASE {name}")
    try:
        async with connected(url) as client:
            for each in (each for statement in EVERY for each in rendered(statement, "ours") if "_local ON" in each):
                alone = each.replace(" ON CLUSTER 'ours'", "")
                await client.command(
                    re.sub(r"ENGINE = Replicated(\w+)\('[^']*', '[^']*'(?:, )?", r"ENGINE = \1(", alone)
                )
            made = {table for (table,) in (await client.query("SHOW TABLES")).result_rows}
        assert made == {f"{table}_local" for table in TABLES}
    finally:
        async with connected(stack.endpoints.clickhouse) as client:
            await client.command(f"DROP DATABASE IF EXISTS {name}")
