"""Who sees whose rows in PostgreSQL: the roles of deploy/postgres/roles.sql; ways across that are closed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import date
from typing import Any

import psycopg
import pytest
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict
from secure_postgres import Deployed, deploy

from api.stores import Stores
from daybook.keep import months
from schemas.metrics import Meters
from schemas.rows import DailyRow
from schemas.tables import DAILY
from sinks.base import Stop
from sinks.batch import Batch
from sinks.migrate import migrate
from sinks.postgres.connect import AS_USER, as_reader, as_writer, see_all_rows
from sinks.postgres.sink import PostgresSink
from stack.stack import Stack

USERS_TABLES = """
SELECT c.oid::regclass::text, c.relrowsecurity AND c.relforcerowsecurity FROM pg_class AS c
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'user_id' AND NOT a.attisdropped
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
"""


def row(user: str, day: str, **told: Any) -> DailyRow:
    blank: dict[str, Any] = dict.fromkeys(DailyRow.__struct_fields__)
    return DailyRow(**{**blank, "user_id": user, "date": day, "version": 1, "entities": 1, "steps": 7, **told})


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    folder = tmp_path_factory.mktemp("roles")
    servers = Stack(folder / "data", say=lambda line: None)
    try:
        superuser = servers.up(["postgres"]).postgres
        found = deploy(folder, superuser)
        asyncio.run(_fill(found))
        yield found
    finally:
        servers.down()


async def _fill(found: Deployed) -> None:
    await migrate(found.owner, None)
    sink = PostgresSink(found.writer)
    await sink.open()
    await sink.write(Batch(daily=[row(user, f"2026-03-0{n}") for user in ("ann", "bob") for n in (1, 2)]))
    await sink.close()


def alone(statement: str, url: str, user: str | None = None) -> list[tuple[Any, ...]]:
    """What a statement gives in a transaction of its own."""
    with psycopg.connect(url) as connection:
        if user is not None:
            connection.execute(AS_USER, (user,))
        found = connection.execute(statement.encode())
        return found.fetchall() if found.description is not None else []


async def test_migrating_again_changes_nothing_and_needs_no_superuser(deployed: Deployed) -> None:
    assert await migrate(deployed.owner, None) == []
    mighty = "SELECT rolsuper OR rolbypassrls OR rolcreaterole FROM pg_roles WHERE rolname = current_user"
    assert alone(mighty, deployed.owner) == [(False,)]


async def test_every_table_with_a_user_in_it_is_closed_to_its_owner_too(deployed: Deployed) -> None:
    found = dict(alone(USERS_TABLES, deployed.superuser))
    assert {
        DAILY.postgres,
        "user_progress",
        "user_records",
        "user_tastes",
        "audits",
        "user_metrics_daily_2026_03",
    } <= set(found)
    assert [name for name, closed in found.items() if not closed] == []
    for table in found:
        assert alone(f"SELECT count(*) FROM {table}", deployed.owner) == [(0,)], f"the owner sees {table}"
    assert alone("SELECT count(*) FROM user_metrics_daily", deployed.writer) == [(4,)]


async def test_a_reader_sees_the_rows_of_whom_the_transaction_names_and_of_nobody_else(deployed: Deployed) -> None:
    query = "SELECT DISTINCT user_id FROM user_metrics_daily"
    assert alone(query, deployed.reader) == []
    assert alone(query, deployed.reader, "ann") == [("ann",)]
    assert alone(query, deployed.reader, "") == []
    with psycopg.connect(deployed.reader) as connection:
        with connection.transaction():
            connection.execute(AS_USER, ("ann",))
            assert connection.execute(query.encode()).fetchall() == [("ann",)]
        assert connection.execute(query.encode()).fetchall() == [], "the setting ended with its transaction"


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM user_metrics_daily WHERE user_id = 'bob' OR true",
        "SELECT * FROM user_goals",
        "SELECT * FROM recommendations",
        "SELECT * FROM user_progress UNION ALL SELECT * FROM user_progress",
        "WITH all_of AS MATERIALIZED (SELECT * FROM user_metrics_daily) SELECT * FROM all_of",
        "SELECT most_common_vals::text FROM pg_stats WHERE tablename LIKE 'user_%' AND attname = 'user_id'",
    ],
)
async def test_no_question_of_a_readers_brings_rows_of_others(deployed: Deployed, statement: str) -> None:
    with psycopg.connect(deployed.superuser, autocommit=True) as connection:
        connection.execute("ANALYZE user_metrics_daily")
    assert not [each for each in alone(statement, deployed.reader, "ann") if "bob" in str(each)]


@pytest.mark.parametrize(
    "statement",
    [
        "SET ROLE daybook_writer",
        "SET ROLE daybook_owner",
        "SET SESSION AUTHORIZATION daybook_owner",
        "SELECT * FROM user_metrics_daily_2026_03",
        "SELECT raw FROM rejected",
        "SELECT * FROM audits",
        "SELECT * FROM erasures",
        "INSERT INTO user_progress (user_id, version) VALUES ('ann', 9)",
        "UPDATE user_metrics_daily SET user_id = 'ann'",
        "DELETE FROM user_metrics_daily",
        "TRUNCATE rejected",
        "ALTER TABLE user_metrics_daily DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE user_metrics_daily NO FORCE ROW LEVEL SECURITY",
        "DROP POLICY own_rows ON user_metrics_daily",
        "CREATE POLICY mine ON user_metrics_daily USING (true)",
        "ALTER ROLE daybook_reader BYPASSRLS",
        "GRANT daybook_writer TO daybook_reader",
        "CREATE TABLE public.mine (x int)",
        "CREATE FUNCTION public.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "SELECT user_metrics_daily_make_month('2030-01-01')",
        "SELECT user_metrics_daily_drop_month('2026-03-01')",
        "COPY user_metrics_daily TO PROGRAM 'cat'",
        "SELECT pg_read_file('postgresql.conf')",
        "SET row_security = off; SELECT * FROM user_metrics_daily",
    ],
)
async def test_what_a_reader_may_not_do_is_refused(deployed: Deployed, statement: str) -> None:
    with pytest.raises(psycopg.Error) as refused:
        alone(statement, deployed.reader, "ann")
    assert refused.value.sqlstate == "42501", refused.value


@pytest.mark.parametrize(
    "statement",
    [
        "SET ROLE daybook_owner",
        "ALTER TABLE user_metrics_daily DISABLE ROW LEVEL SECURITY",
        "DROP POLICY all_rows ON user_progress",
        "DROP TABLE user_progress",
        "CREATE TABLE public.mine (x int)",
        "ALTER TABLE user_progress ADD COLUMN x int",
        "TRUNCATE user_metrics_daily",
        "DELETE FROM schema_migrations",
        "ALTER ROLE daybook_writer SUPERUSER",
        "COPY user_metrics_daily TO PROGRAM 'cat'",
    ],
)
async def test_what_a_writer_may_not_do_is_refused(deployed: Deployed, statement: str) -> None:
    with pytest.raises(psycopg.Error) as refused:
        alone(statement, deployed.writer)
    assert refused.value.sqlstate == "42501", refused.value


async def test_a_function_of_a_readers_own_is_not_shown_rows_of_others(deployed: Deployed) -> None:
    peek = """
CREATE FUNCTION pg_temp.peek(said text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001
AS $$ BEGIN RAISE NOTICE 'saw %', said; RETURN true; END $$"""
    seen: list[str] = []
    with psycopg.connect(deployed.superuser, autocommit=True) as connection:  # deployed, it may not even make one
        with pytest.raises(errors.InsufficientPrivilege):
            alone(peek, deployed.reader)
        connection.execute("GRANT TEMPORARY ON DATABASE daybook TO daybook_reader")
    try:
        with psycopg.connect(deployed.reader) as connection:
            connection.add_notice_handler(lambda told: seen.append(told.message_primary or ""))
            connection.execute(peek)
            connection.execute(AS_USER, ("ann",))
            connection.execute("SELECT * FROM user_metrics_daily WHERE pg_temp.peek(user_id)")
    finally:
        with psycopg.connect(deployed.superuser, autocommit=True) as connection:
            connection.execute("REVOKE TEMPORARY ON DATABASE daybook FROM daybook_reader")
    assert set(seen) == {"saw ann"}


async def test_a_table_of_the_callers_own_does_not_stand_in_for_ours_in_functions_that_run_as_the_owner(
    deployed: Deployed,
) -> None:
    with psycopg.connect(deployed.writer, autocommit=True) as connection:
        connection.execute(
            "CREATE TEMPORARY TABLE user_metrics_daily (user_id text, date date) PARTITION BY RANGE (date)"
        )
        connection.execute("SELECT user_metrics_daily_make_month('2031-05-01')")
        found = connection.execute("SELECT count(*) FROM public.user_metrics_daily_2031_05").fetchone()
    assert found == (0,)


async def test_the_http_service_reads_as_the_reader_and_forgets_whom_it_read(deployed: Deployed) -> None:
    stores = Stores("redis://:nobody@127.0.0.1:1/0", deployed.reader, Meters())
    await stores.open()
    try:
        wanted = [date(2026, 3, 1), date(2026, 3, 2)]
        for user, rows in (("ann", 2), ("bob", 2), ("cy", 0)):
            found = await stores.days(user, wanted)
            assert (len(found.rows), found.unknown) == (rows, [])
        left = await stores._select("SELECT user_id FROM user_metrics_daily", ())
        assert left == []
        with pytest.raises(psycopg.Error):
            await stores._select("DELETE FROM user_metrics_daily", (), "ann")
        assert len((await stores.days("ann", wanted)).rows) == 2, "the connection is well afterwards"
    finally:
        await stores.close()


async def test_the_service_of_another_role_cannot_act_as_one_that_it_was_not_given(deployed: Deployed) -> None:
    for url in (as_writer(deployed.reader), as_reader(deployed.writer)):
        with pytest.raises(psycopg.OperationalError, match="role"):
            psycopg.connect(url).close()
    with psycopg.connect(as_writer(deployed.owner)) as connection:
        assert connection.execute("SELECT current_user, session_user").fetchone() == ("daybook_writer", "daybook_owner")
    with psycopg.connect(as_reader(deployed.superuser)) as connection:
        found = connection.execute("SELECT count(*) FROM user_metrics_daily").fetchone()
        assert found == (0,), "a superuser that acts as the reader sees what a reader sees"


async def test_who_asks_before_the_migration_sees_all_rows_before_and_after_it(deployed: Deployed) -> None:
    with psycopg.connect(deployed.owner) as connection:
        see_all_rows(connection)
        assert connection.execute("SELECT count(*) FROM user_metrics_daily").fetchone() == (4,)
    with psycopg.connect(deployed.superuser, autocommit=True) as connection:
        connection.execute("CREATE DATABASE unmigrated")
    with psycopg.connect(deployed.superuser, dbname="unmigrated") as connection:
        see_all_rows(connection)
        assert connection.execute("SELECT current_user").fetchone() == ("daybook",)


async def test_months_are_made_and_dropped_by_a_writer_and_only_when_they_are_empty(deployed: Deployed) -> None:
    with months.connect(deployed.writer) as connection:
        connection.execute("SELECT user_metrics_daily_make_month('2011-07-01')")
        assert date(2011, 7, 1) in months.months(connection)
        dropped = months.drop_empty(connection, date(2026, 11, 1), 60)
        assert date(2011, 7, 1) in dropped
        assert date(2026, 3, 1) not in dropped
        assert len(next(months.rows_of(connection, date(2026, 3, 1), 10))) == 4


async def test_a_wrong_password_stops_a_sink_and_is_not_said(deployed: Deployed) -> None:
    at = conninfo_to_dict(deployed.writer)
    wrong = deployed.writer.replace(str(at["password"]), "not-the-one")
    with pytest.raises(Stop, match="password authentication failed") as why:
        await PostgresSink(wrong).open()
    assert "not-the-one" not in str(why.value)
