"""The second user, who reads the database and nothing else: how much at a time, how much an hour, and of what.

A ClickHouse server has users, profiles, quotas and grants (deploy/clickhouse/analyst.xml has the same numbers); the
engine in this process has none of them. What it has is `readonly = 1`: settings, writes, definitions and all tables
elsewhere (file, url, remote, s3) are refused by the engine itself. What is left over is refused here, by the engine's
own parse of the statement: functions that read outside the database, other databases, and what is no question.
"""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping

from stack.chserver.errors import Code, ServerError
from stack.chserver.sql import Kind, Statement

USER = "analyst"
LIMITS: Mapping[str, str] = {
    "max_execution_time": "60",
    "max_memory_usage": "2000000000",
    "max_rows_to_read": "2000000000",
    "max_result_rows": "1000000",
    "max_result_bytes": "1000000000",
    "max_threads": "4",
    "priority": "10",
}
"""Of one query; the engine ends what goes beyond with an error that names the limit. Last comes readonly."""
QUERIES = 2_000
SECONDS = 1_200
INTERVAL_S = 3_600
"""So many queries, and seconds of them, in so long."""
SYSTEM = frozenset(
    ("columns", "databases", "data_type_families", "formats", "functions", "numbers", "one", "settings", "tables")
)
"""What clients ask of `system` to know what they talk to. Not: what others ask."""
_PLAIN = ("SHOW", "DESCRIBE", "DESC", "EXISTS")
_OUTSIDE = re.compile(
    r"(azure|blob|cluster|delta|executable|file|gcs|hdfs|hive|hudi|iceberg|jdbc|loop|merge|mongo|mysql|odbc|oss|paimon"
    r"|postgres|prometheus|python|redis|remote|s3|sqlite|timeseries|url|ytsaurus|arrow|input|dict|catboost)",
    re.IGNORECASE,
)
"""What functions that lead outside, or past the list of tables, are called like."""
_HARMLESS = re.compile(
    r"(deltaSum|cutURL|decodeURL|encodeURL|URL(Hash|Hierarchy|PathHierarchy)|extractURL|.*(Merge|MergeState)$|toModifiedJulian)\w*"
)
_FUNCTION = re.compile(r"^ *(?:Table)?Function (\S+)", re.MULTILINE)
_TABLE = re.compile(r"^ *TableIdentifier (\S+)", re.MULTILINE)


class Quota:
    """What one user has asked within the last INTERVAL_S; safe to be used by several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._begun: deque[float] = deque()
        self._took: deque[tuple[float, float]] = deque()

    def begin(self) -> None:
        """Count one query; raises ServerError as ClickHouse says it when it is one too many."""
        now = self._clock()
        with self._lock:
            while self._begun and self._begun[0] <= now - INTERVAL_S:
                self._begun.popleft()
            while self._took and self._took[0][0] <= now - INTERVAL_S:
                self._took.popleft()
            seconds = sum(took for _, took in self._took)
            if len(self._begun) >= QUERIES or seconds >= SECONDS:
                what, used, most = (
                    ("queries", len(self._begun) + 1, QUERIES)
                    if len(self._begun) >= QUERIES
                    else ("execution_time", int(seconds), SECONDS)
                )
                raise ServerError(
                    Code.QUOTA_EXCEEDED,
                    f"Quota for user `{USER}` for {INTERVAL_S}s has been exceeded: {what} = {used}/{most}",
                )
            self._begun.append(now)

    def end(self, seconds: float) -> None:
        """Count what it took."""
        with self._lock:
            self._took.append((self._clock(), seconds))


def settings() -> dict[str, str]:
    """What a connection of the analyst's begins with; after it nothing can be set."""
    return {**LIMITS, "readonly": "1"}


def refuse_statement(statement: Statement) -> None:
    """Raise ServerError unless it is a question, or a plain one about what there is."""
    if statement.kind is Kind.READ:
        return
    if statement.verb in _PLAIN and b"(" not in statement.text:
        return
    raise ServerError(Code.ACCESS_DENIED, f"{USER}: Not enough privileges. It may ask, and nothing else")


def refuse_tree(tree: str, database: str) -> None:
    """Raise ServerError where a parsed question (EXPLAIN AST) leads out of the database.

    >>> refuse_tree("SelectQuery\\n TableIdentifier daily_current\\n Function countIf (children 1)", "daybook")
    """
    for name in _FUNCTION.findall(tree):
        if _OUTSIDE.search(name) and not _HARMLESS.fullmatch(name):
            raise ServerError(Code.ACCESS_DENIED, f"{USER}: Not enough privileges. It may not use {name}")
    for name in _TABLE.findall(tree):
        owner, _, table = name.replace("`", "").rpartition(".")
        if owner.lower() in ("", database) or owner.upper() == "INFORMATION_SCHEMA":
            continue
        if owner != "system" or table not in SYSTEM:
            raise ServerError(
                Code.ACCESS_DENIED, f"{USER}: Not enough privileges. It may not SELECT from {owner}.{table}"
            )
