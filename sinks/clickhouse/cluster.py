"""The tables of a ClickHouse cluster: what each migration becomes where DAYBOOK_CLICKHOUSE_CLUSTER names one. Pure.

NAME_local   on every shard and replica, Replicated…MergeTree: what is stored
NAME         Distributed over it: what everybody reads and writes, by the same name as on one server
sharding     by the first column of the order, so all versions of a row, and all of a user's, meet on one shard:
             FINAL and LIMIT 1 BY stay right
views        over the Distributed tables; a subquery in them goes to all shards (GLOBAL IN)

Checksums are of the files, so a cluster and one server have applied the same migrations.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

SETTINGS = {
    "distributed_product_mode": "global",  # a subquery over a Distributed table asks all shards
    "distributed_foreground_insert": "1",  # when the answer comes, it is stored, on the shard that it belongs to
    "distributed_ddl_task_timeout": "300",
}
"""What every query to a cluster is asked with."""
_REPLICAS = "'/clickhouse/tables/{database}/{table}/{shard}', '{replica}'"
_ALL_ALIKE = "'/clickhouse/tables/{database}/{table}', '{shard}-{replica}'"

_TABLE = re.compile(
    r"CREATE TABLE IF NOT EXISTS (?P<name>\w+) (?P<columns>\(.*\))\s*"
    r"ENGINE = (?P<engine>\w*MergeTree)(?:\((?P<of>[^)]*)\))?\s+(?P<rest>.*ORDER BY .*)",
    re.DOTALL,
)
_ORDER = re.compile(r"ORDER BY \(?\s*(\w+)")
_VIEW = re.compile(r"CREATE OR REPLACE VIEW (\w+) AS\s+(.*)", re.DOTALL)
_ALTER = re.compile(r"ALTER TABLE (\w+) (.*)", re.DOTALL)
_OF_COLUMNS = re.compile(r"(ADD|DROP|RENAME|COMMENT) COLUMN\b|MODIFY COLUMN\b")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class NotRendered(ValueError):
    """A statement of a migration that nobody knows how to say to a cluster."""


def rendered(statement: str, cluster: str | None) -> list[str]:
    """What is said to ClickHouse instead of this statement of a migration; the same where there is no cluster.

    Raises NotRendered.
    """
    if cluster is None:
        return [statement]
    everywhere = f"ON CLUSTER {quoted(cluster)}"
    if (found := _TABLE.fullmatch(statement)) is not None:
        return _tables(found, cluster)
    if (found := _VIEW.fullmatch(statement)) is not None:
        name, query = found.groups()
        query = re.sub(r"\b(?<!GLOBAL )(NOT )?IN \((\s*SELECT\b)", r"GLOBAL \1IN (\2", query)
        return [f"CREATE OR REPLACE VIEW {name} {everywhere} AS\n{query}"]
    if (found := _ALTER.fullmatch(statement)) is not None:
        name, what = found.groups()
        stored = f"ALTER TABLE {name}_local {everywhere} {what}"
        if not _OF_COLUMNS.match(what):
            return [stored]
        asked = re.sub(r"\s+(AFTER \w+|FIRST|CODEC\(.*\))$", "", what)
        return [stored, f"ALTER TABLE {name} {everywhere} {asked}"]
    raise NotRendered(f"this is not known on a ClickHouse cluster: {statement[:80]}")


def stored(table: str, cluster: str | None) -> str:
    """What ALTER TABLE and TRUNCATE TABLE name, for a Distributed table holds nothing.

    >>> stored("daily", None), stored("daily", "ours")
    ('daily', "daily_local ON CLUSTER 'ours'")
    """
    return table if cluster is None else f"{table}_local ON CLUSTER {quoted(cluster)}"


def alike(statement: str, cluster: str | None) -> str:
    """A table that every server holds whole, such as the list of migrations."""
    if cluster is None:
        return statement
    found = re.fullmatch(r"(CREATE TABLE IF NOT EXISTS \w+)(.*ENGINE = )(\w+)\(([^)]*)\)(.*)", statement, re.DOTALL)
    if found is None:
        raise NotRendered(f"this is not known on a ClickHouse cluster: {statement[:80]}")
    name, columns, engine, of, rest = found.groups()
    return f"{name} ON CLUSTER {quoted(cluster)}{columns}Replicated{engine}({_ALL_ALIKE}, {of}){rest}"


def with_settings(url: str) -> str:
    """An address with the settings that a cluster is asked with; those that stand there already stay.

    >>> with_settings("http://u:p@h:8123/daybook?distributed_product_mode=local").partition("?")[2]
    'distributed_product_mode=local&distributed_foreground_insert=1&distributed_ddl_task_timeout=300'
    """
    parts = urlsplit(url)
    said = dict(parse_qsl(parts.query))
    return urlunsplit(parts._replace(query=urlencode(said | {n: v for n, v in SETTINGS.items() if n not in said})))


def quoted(cluster: str) -> str:
    """As a literal. Raises ValueError for what is no name."""
    if not _NAME.fullmatch(cluster):
        raise ValueError(f"{cluster!r} is no name of a ClickHouse cluster: letters, digits, _ and -")
    return f"'{cluster}'"


def _tables(found: re.Match[str], cluster: str) -> list[str]:
    name, rest = found["name"], found["rest"]
    first = _ORDER.search(rest)
    if first is None:
        raise NotRendered(f"the table {name} has no order")
    engine = f"Replicated{found['engine']}({', '.join(filter(None, (_REPLICAS, found['of'])))})"
    everywhere = f"ON CLUSTER {quoted(cluster)}"
    return [
        f"CREATE TABLE IF NOT EXISTS {name}_local {everywhere} {found['columns']}\nENGINE = {engine}\n{rest}",
        f"CREATE TABLE IF NOT EXISTS {name} {everywhere} AS {name}_local\n"
        f"ENGINE = Distributed({quoted(cluster)}, currentDatabase(), {name}_local, cityHash64({first[1]}))",
    ]
